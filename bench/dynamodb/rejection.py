"""What the stand-in refuses, by the error types of Amazon's DynamoDB API Reference."""

from collections.abc import Mapping
from typing import Any


class Rejected(Exception):
    """An answer other than 200. `kind` is the error type; `fields` go into the body beside it."""

    def __init__(self, kind: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.fields = fields or {}


def invalid(message: str) -> Rejected:
    """Return what DynamoDB would call invalid, or what it knows and this stand-in does not."""
    return Rejected("ValidationException", message)
