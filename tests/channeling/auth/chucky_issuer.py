"""The token functions of `chucky-sdk`, a real issuer, without the warning that importing its client brings."""

import warnings

with warnings.catch_warnings():
    # chucky-sdk 0.2.0's client imports a name that websockets deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from chucky.utils import create_budget, create_token, decode_token, verify_token

__all__ = ["create_budget", "create_token", "decode_token", "verify_token"]
