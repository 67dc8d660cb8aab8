"""Which modules the initialisation of the messages function imports, and what each costs."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.artifact import Artifact, lay_out
from emulator.sandbox import sandbox

_LINE = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| (\s*)([\w.]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Import:
    """One module: its own microseconds, those with what it imports, and how deep in the graph it stands."""

    name: str
    own_us: int
    whole_us: int
    depth: int


def import_graph(artifact: Artifact, variables: Mapping[str, str]) -> list[Import]:
    """Return the imports of the function's module with the runtime, each before what it imports."""
    with sandbox(artifact) as place:
        path = f"{place.task}:{place.opt}/python:{place.opt}"
        ran = subprocess.run(  # noqa: S603 - arguments of ours
            place.command(place.python, "-P", "-X", "importtime", "-c", "import lambda_asgi.runtime, app"),
            cwd=artifact.task,
            env=place.environ({**variables, "PYTHONPATH": path}, timeout_s=60),
            capture_output=True,
            text=True,
            check=True,
        )
    found = [
        Import(name, int(own), int(whole), len(indent) // 2)
        for own, whole, indent, name in _LINE.findall(ran.stderr)
    ]
    return found[::-1]


def main(build: Path) -> None:
    """Print every import of a built function's initialisation."""
    variables = {"CHANNELING_KMS_KEY_ID": "alias/x"}
    variables |= {f"CHANNELING_{name}_TABLE": name.lower() for name in ("PROJECTS", "BUDGETS", "USAGE")}
    with tempfile.TemporaryDirectory() as folder:
        graph = import_graph(lay_out(build, Path(folder)), variables)
    print("\n".join(printed(graph, least_us=0)))


def printed(graph: list[Import], *, least_us: int = 1_000) -> list[str]:
    """Return the graph as indented lines, without what costs less than that with all it imports."""
    return [
        f"{each.whole_us / 1_000:8.1f} ms  {'  ' * each.depth}{each.name}"
        for each in graph
        if each.whole_us >= least_us
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
