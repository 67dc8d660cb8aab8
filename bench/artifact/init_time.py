"""How long the function takes from its first line to its first `next`, in a fresh process each time.

Beside it, in the same interpreter and the same kind of root directory: `import httpx, botocore.session`.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from emulator.artifact import Artifact
from emulator.execution_environment import execution_environment
from emulator.sam_cli import HOME, ROOT
from emulator.sandbox import sandbox

_PACKAGES = HOME.parent / "bench-imports"
_LOCK = ROOT / "requirements/dev.lock"
_START = (
    "import sys, time; print('started', time.monotonic_ns(), file=sys.stderr, flush=True);"
    "import runpy; runpy.run_module('lambda_asgi', run_name='__main__', alter_sys=True)"
)
_BARE = "import time; t = time.monotonic_ns(); import {modules}; print(time.monotonic_ns() - t)"
BARE_MODULES = "httpx, botocore.session"


async def function_init_ms(artifact: Artifact, variables: Mapping[str, str]) -> float:
    """Return the milliseconds of one initialisation of the messages function."""
    with sandbox(artifact) as place:
        task, opt, python = place.task, place.opt, place.python
    # What the layer's `bootstrap` sets and starts, with a stamp before it.
    path = f"{task}:{opt}/python:{opt}/python/lib/python3.13/site-packages:{opt}:/var/runtime"
    with tempfile.TemporaryFile() as log:
        async with execution_environment(
            artifact,
            {**variables, "PYTHONPATH": path},
            log=log,
            start_command=[python, "-P", "-c", _START],
        ) as environment:
            ready_at_ns = environment.ready_at_ns
        log.seek(0)
        started = re.search(rb"started (\d+)", log.read())
    if ready_at_ns is None or started is None:
        raise RuntimeError("the function was never ready")
    return (ready_at_ns - int(started[1])) / 1e6


def bare_import_ms(packages: Path, modules: str = BARE_MODULES) -> float:
    """Return the milliseconds of one bare import in a fresh process."""
    with sandbox(Artifact(packages, packages)) as place:
        path = {"PYTHONPATH": f"{place.opt}/python"}
        ran = subprocess.run(  # noqa: S603 - arguments of ours
            place.command(place.python, "-P", "-c", _BARE.format(modules=modules)),
            cwd=packages,
            env=place.environ(path, timeout_s=60),
            capture_output=True,
            text=True,
            check=True,
        )
    return int(ran.stdout) / 1e6


def installed_packages() -> Path:
    """Return a folder whose `python` holds httpx and botocore for the functions' Python, installed once."""
    pins = re.findall(r"^((?:httpx|botocore)==[^ ;\\]+)", _LOCK.read_text(), re.MULTILINE)
    stamp = _PACKAGES / "installed"
    if not stamp.is_file() or stamp.read_text().split() != pins:
        pip = [str(HOME / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--no-warn-conflicts", "--upgrade", "--target", str(_PACKAGES / "python"), *pins]
        subprocess.run(pip, check=True)  # noqa: S603 - the same
        stamp.write_text("\n".join(pins))
    return _PACKAGES
