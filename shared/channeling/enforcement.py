"""How a budget is enforced, as a project or a deployment sets it.

elastic: a stream holds what it is expected to write and more as it writes; it is cut where no more is to be had.
strict: every request holds the most that it may cost. soft: a request is admitted while anything is left.
"""

from typing import Literal

Enforcement = Literal["elastic", "strict", "soft"]
