"""Who gives an order, and what they may do."""

from typing import Literal

from msgspec import Struct

from channeling.auth.admin_token import Role

Via = Literal["api", "cli", "schedule"]


class Operator(Struct, frozen=True):
    """Who works on a deployment. `project_id` None: on all its projects; a viewer changes nothing."""

    name: str
    via: Via
    role: Role = "operator"
    project_id: str | None = None
