"""What a client sees of a provider's error answer: the answer itself, or ours in its place."""

from dataclasses import dataclass

from channeling.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Relay:
    """The provider's error goes to the client as it came: status and body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Replacement:
    """The client gets `error`; `original` is for the operator's log: no keys in it, at most 2,000 characters."""

    error: GatewayError
    original: str
