"""A project has spent its cap of a calendar month: told once for each month and cap. Pure."""

import hashlib

from msgspec import Struct


class CapAlert(Struct, frozen=True):
    """Money in nanodollars, the month from `start_s` to before `end_s` in seconds since the epoch."""

    project_id: str
    start_s: int
    end_s: int
    cap: int
    spent: int

    @property
    def mark(self) -> str:
        """What is kept beside the project once it was told."""
        return f"{self.start_s}#{self.cap}"

    @property
    def alert_id(self) -> str:
        """The same however often it is told: a cap that is changed is told of again."""
        return hashlib.sha256(f"{self.project_id}\0{self.mark}".encode()).hexdigest()[:32]
