"""What clients asked and operators ordered, as they themselves know it."""

import contextvars
from dataclasses import dataclass
from typing import Literal

from channeling.enforcement import Enforcement
from channeling.window_kind import WindowKind


@dataclass
class Asked:
    """One request as its client knows it, with the hold id and the enforcement that the gateway gave it."""

    name: str
    user: str
    kind: WindowKind
    limit: int
    issued_at_ms: int
    started_s: float = 0.0
    hold_id: str | None = None
    enforcement: Enforcement | None = None
    outcome: str = "not answered"
    environment: str = ""
    call_started_ms: int = 0
    streamed: bool = False
    # Its process came to the end of it.
    ended: bool = False


@dataclass
class Ordered:
    """One operator's order. `amount` is None for a reset, which gives back whatever is settled.

    `outcome`: "done"; "refused", at the very first try; "unknown": it may have been carried out, once.
    """

    order_id: str
    what: Literal["adjust", "reset", "raise"]
    user: str
    kind: WindowKind
    amount: int | None
    outcome: Literal["done", "refused", "unknown"] = "unknown"
    answered_amount: int | None = None


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens of a user issued up to `before_ms` are refused to requests that begin after `answered_s`."""

    user: str
    before_ms: int
    answered_s: float


current_request: contextvars.ContextVar[Asked | None] = contextvars.ContextVar("asked", default=None)
