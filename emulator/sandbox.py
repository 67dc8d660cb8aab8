"""Where a built function runs: laid out as in a Lambda execution environment, with the variables that Lambda sets.

As root on Linux this is a root directory of its own (lambda_root.sh): /var/task, /opt and /var/lang read-only, an
unprivileged user, a memory limit that kills. Elsewhere the function runs where its files lie, under this user, and
`Sandbox.is_isolated` is False.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulator.artifact import Artifact, host_architecture
from emulator.memory_limit import memory_limited_group
from emulator.sam_cli import HOME

MEMORY_MEGABYTES = 512
# What template.yaml sets with a value of its own.
TEMPLATE_VARIABLES = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "CHANNELING_MAX_REQUEST_SECONDS": "900",
    "CHANNELING_MAX_BODY_BYTES": "6291456",
}
_SCRIPT = Path(__file__).with_name("lambda_root.sh")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A place for one process of a function."""

    artifact: Artifact
    is_isolated: bool
    memory_megabytes: int
    group: Path | None = None
    root: Path | None = None

    @property
    def task(self) -> str:
        """The function's code, as the process sees it."""
        return "/var/task" if self.is_isolated else str(self.artifact.task)

    @property
    def opt(self) -> str:
        """The layers, as the process sees them."""
        return "/opt" if self.is_isolated else str(self.artifact.opt)

    @property
    def python(self) -> str:
        """The interpreter, as the process sees it."""
        return f"/var/lang/bin/{base_python().name}" if self.is_isolated else str(base_python())

    @property
    def rapid(self) -> str:
        """AWS's emulator, as the process sees it."""
        executable = emulator_executable()
        return f"/var/rapid/{executable.name}" if self.is_isolated else str(executable)

    def start_command(self) -> list[str]:
        """Return what Lambda starts: the wrapper, with the managed runtime's own command as its arguments."""
        return [f"{self.opt}/bootstrap", self.python, "/var/runtime/bootstrap.py"]

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs another one in here; its working directory is to be the task's."""
        if self.root is None:
            return list(arguments)
        mounts = (self.root, self.artifact.task, self.artifact.opt, base_python().parents[1])
        rest = (emulator_executable().parent, self.group or "")
        return ["unshare", "--mount", str(_SCRIPT), *map(str, (*mounts, *rest)), *arguments]

    def environ(
        self, variables: Mapping[str, str], *, timeout_s: int, max_concurrency: int = 1
    ) -> dict[str, str]:
        """Return all that a process of the function finds in its environment, but the Runtime API's address.

        Source: AWS Lambda Developer Guide, "Defined runtime environment variables".
        """
        region = variables.get("AWS_REGION", "us-east-1")
        own = {
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib",
            "PYTHONPATH": "/var/runtime",
            "LAMBDA_TASK_ROOT": self.task,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": "messages",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_megabytes),
            # Read by AWS's emulator; Lambda itself sets none.
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/messages",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/24/[$LATEST]0123456789abcdef0123456789abcdef",
            "_HANDLER": "app.app",
            **TEMPLATE_VARIABLES,
        }
        if not self.is_isolated:
            own |= {"PATH": os.defpath, "LD_LIBRARY_PATH": "", "PYTHONNOUSERSITE": "1", "PYTHONPATH": ""}
        if max_concurrency > 1:
            own["AWS_LAMBDA_MAX_CONCURRENCY"] = str(max_concurrency)
        return own | dict(variables)


def can_isolate() -> bool:
    """Return whether this machine and user can lay a root directory out."""
    tools = ("unshare", "mount", "chroot")
    return platform.system() == "Linux" and os.geteuid() == 0 and all(map(shutil.which, tools))


@contextmanager
def sandbox(artifact: Artifact, *, memory_megabytes: int = MEMORY_MEGABYTES) -> Iterator[Sandbox]:
    """Make a place for one process; what is mounted for it goes with the process."""
    if not can_isolate():
        yield Sandbox(artifact, is_isolated=False, memory_megabytes=memory_megabytes)
        return
    with ExitStack() as closing:
        root = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="lambda-root-")))
        group = closing.enter_context(memory_limited_group(memory_megabytes * 2**20))
        yield Sandbox(artifact, True, memory_megabytes, group, root)


def base_python() -> Path:
    """Return the interpreter behind SAM's environment: the function must not see SAM's packages."""
    return (HOME / "bin/python").resolve()


def emulator_executable() -> Path:
    """Return the emulator in SAM's package, made executable, which it need not be there."""
    [packages] = (HOME / "lib").glob("python3.*/site-packages")
    executable = packages / f"samcli/local/rapid/aws-lambda-rie-{host_architecture()}"
    executable.chmod(0o755)
    return executable
