"""A function of AWS's own Python runtime: its handler is called in the sandbox, once, with an event.

Its code, layers and interpreter are where Lambda has them; the managed runtime's client, which would call the
handler in a loop, is not needed to see whether it works on what was built.
"""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from emulator.answer import FunctionFailed
from emulator.artifact import Artifact
from emulator.sandbox import sandbox

_CALL = """
import importlib, json, os, sys
class Context:
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    def get_remaining_time_in_millis(self):
        return int(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"]) * 1000
module, _, name = os.environ["_HANDLER"].rpartition(".")
answer = getattr(importlib.import_module(module), name)(json.load(sys.stdin), Context())
print(json.dumps(answer), end="")
"""


def call_handler(
    artifact: Artifact, variables: Mapping[str, str], event: Any, *, timeout_s: int = 240
) -> Any:
    """Return what `app.handler` returns for an event; raise FunctionFailed with what it printed."""
    with sandbox(artifact) as place:
        path = f"{place.task}:{place.opt}/python:{place.opt}"
        own = {"_HANDLER": "app.handler", "PYTHONPATH": path}
        ran = subprocess.run(
            place.command(place.python, "-P", "-c", _CALL),
            cwd=artifact.task,
            env=place.environ({**variables, **own}, timeout_s=timeout_s),
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    if ran.returncode:
        raise FunctionFailed(ran.stderr)
    return json.loads(ran.stdout)
