"""npm `@copilotkit/aimock` as a process: a scripted stand-in for providers that nobody here wrote."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.conftest import present
from tests.clients.installations import node_modules


@contextmanager
def aimock(folder: Path, fixtures: Mapping[str, Any]) -> Iterator[str]:
    """Run it, strict (what no fixture is for is an error), and yield its address, without a path."""
    program = present(node_modules(), "aimock") / "@copilotkit" / "aimock" / "dist" / "cli.js"
    file = folder / "fixtures.json"
    file.write_text(json.dumps(fixtures))
    command = ["node", program, "--port", "0", "--strict", "--validate-on-load", "--fixtures", file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "listening on http" in line:
                break
        else:
            raise RuntimeError(f"aimock did not start: {said}")
        try:
            yield line.split("listening on ")[1].strip()
        finally:
            process.terminate()
