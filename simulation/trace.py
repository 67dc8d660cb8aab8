"""What happened in a run, line by line: virtual time, where, what; its digest tells two runs apart."""

import asyncio
import hashlib


class Trace:
    """The events of one run in their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.lines: list[str] = []

    def note(self, where: str, what: str) -> None:
        """Add an event that happens now."""
        self.lines.append(f"{self._loop.time():12.6f}  {where:<10} {what}")

    def digest(self) -> str:
        """Return a hash of everything noted."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
