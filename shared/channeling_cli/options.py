"""The options that every command shares."""

from dataclasses import dataclass
from typing import Annotated

import typer

Stack = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="CHANNELING_STACK",
        help="Work on this CloudFormation stack (default: local server).",
    ),
]
Region = Annotated[str | None, typer.Option("--region", help="The stack's AWS region.")]
Profile = Annotated[str | None, typer.Option("--profile", help="The AWS profile to use.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
InProject = Annotated[
    str | None, typer.Option("--project", help="The project's id (default: the local server's).")
]


@dataclass(frozen=True, slots=True)
class Target:
    """Which deployment a command works on: a stack, or the server on this machine when `stack` is None."""

    stack: str | None
    region: str | None
    profile: str | None

    @property
    def flags(self) -> str:
        """The same options as text, to go on in a command that a message suggests."""
        pairs = (("--stack", self.stack), ("--region", self.region), ("--profile", self.profile))
        return "".join(f" {name} {value}" for name, value in pairs if value)
