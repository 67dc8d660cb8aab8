"""Reading a secret: typed unseen at a prompt, or piped in; never an argument, which `ps` and histories show."""

import getpass
import sys

from channeling_cli.failure import CommandFailed, ExitCode

_MAX_CHARACTERS = 16_384


def read_secret(prompt: str) -> str:
    """Return the secret without the white space around it; raise CommandFailed when there is none."""
    if sys.stdin.isatty():
        secret = getpass.getpass(f"{prompt}: ", stream=sys.stderr).strip()
    else:
        secret = sys.stdin.read(_MAX_CHARACTERS).strip()
    if not secret:
        raise CommandFailed(
            "no secret was given",
            next_step="type it at the prompt, or pipe it in: channeling key set anthropic < key.txt",
            exit_code=ExitCode.REFUSED,
        )
    return secret


def fingerprint(secret: str) -> str:
    """Return eight hex digits that tell secrets apart without giving any of them away."""
    import hashlib

    return hashlib.sha256(secret.encode()).hexdigest()[:8]
