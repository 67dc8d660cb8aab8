"""What secrets are told apart by, where they are never shown."""

import hashlib


def fingerprint(secret: str) -> str:
    """Return eight hex digits that tell secrets apart without giving any of them away."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]
