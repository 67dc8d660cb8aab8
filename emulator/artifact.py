"""What `sam build` makes of the messages function, laid out as Lambda lays it out: `task` and `opt`."""

import fcntl
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulator.sam_cli import HOME, ROOT, sam_environ

FUNCTION = "MessagesFunction"
# In the order of template.yaml: Lambda unpacks them one over the other.
LAYERS = ("RuntimeLayer", "MessagesDependenciesLayer", "CoreLayer")
RECONCILE_FUNCTION, RECONCILE_LAYERS = "ReconcileFunction", ("MessagesDependenciesLayer", "CoreLayer")
ADMIN_FUNCTION = "AdminFunction"
ADMIN_LAYERS = ("RuntimeLayer", "AdminDependenciesLayer", "CoreLayer", "AdminLayer")
BUILD = ROOT / ".aws-sam/invoke"


class BuildFailed(Exception):
    """`sam build` did not succeed; the message is what it printed."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """The function's code (`/var/task` on Lambda) and its layers (`/opt`)."""

    task: Path
    opt: Path


def host_architecture() -> str:
    """Return this machine's processor in the template's words."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def build_for_host(build: Path = BUILD) -> Path:
    """Build for this machine's processor, into a folder of its own; raise BuildFailed."""
    command = [str(HOME / "bin/sam"), "build", "--cached", "--build-dir", str(build)]
    command += ["--parameter-overrides", f"Architecture={host_architecture()}"]
    finish = [str(HOME / "bin/python"), "-m", "emulator.finish_build", str(build)]
    with one_build_at_a_time():
        for step in (command, finish):
            ran = subprocess.run(
                step, cwd=ROOT, env=sam_environ(), capture_output=True, text=True, check=False
            )
            if ran.returncode:
                raise BuildFailed(ran.stderr or ran.stdout)
    return build


@contextmanager
def one_build_at_a_time() -> Iterator[None]:
    """Wait for what else builds or copies a build here: `sam build` empties folders that others read."""
    lock = ROOT / ".aws-sam/lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lay_out(build: Path, folder: Path, function: str = FUNCTION, layers: Sequence[str] = LAYERS) -> Artifact:
    """Copy a build's function and layers into `folder` as Lambda does, and return where they are."""
    artifact = Artifact(folder / "task", folder / "opt")
    with one_build_at_a_time():
        shutil.copytree(build / function, artifact.task)
        for layer in layers:
            shutil.copytree(build / layer, artifact.opt, dirs_exist_ok=True)
    return artifact
