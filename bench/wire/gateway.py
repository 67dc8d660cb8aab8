"""What a study must know of a gateway to send users through it and to hold its ledger against the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# What a refusal tells the client: nothing is left; others hold the rest, ask again; or it is no budget refusal.
Refusal = Literal["spent", "held", "failed"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a gateway says that a user spent, in nanodollars. `uncollected`: what it says it could not charge."""

    settled: int
    uncollected: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a gateway is started for: money in nanodollars a user, the request that each user sends."""

    provider_url: str
    folder: Path
    users: tuple[str, ...]
    limit: int
    limit_tokens: int
    max_tokens: int
    prompt: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway. `ending` is what a stream that came to a proper end closes with."""

    name: str
    url: str
    headers: Mapping[str, Mapping[str, str]]
    bodies: Mapping[str, bytes]
    ending: bytes
    refusal: Callable[[int, bytes], Refusal]
    ledger: Callable[[str], Ledger]
    counts_input: bool = True
