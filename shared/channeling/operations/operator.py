"""Who gives an order, and what they may do."""

from dataclasses import dataclass
from typing import Literal

from channeling.auth.admin_token import Role

Via = Literal["api", "cli", "schedule"]


@dataclass(frozen=True, slots=True)
class Operator:
    """Who works on a deployment. `project_id` None: on all its projects; a viewer changes nothing."""

    name: str
    via: Via
    role: Role = "operator"
    project_id: str | None = None
