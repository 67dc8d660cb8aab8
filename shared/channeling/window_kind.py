"""The four lengths of a budget's window; each is a budget of its own."""

from typing import Literal

WindowKind = Literal["hour", "day", "week", "month"]
