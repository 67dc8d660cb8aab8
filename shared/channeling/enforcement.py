"""How a budget is enforced, as a project or a deployment sets it."""

from typing import Literal

Enforcement = Literal["strict", "soft"]
