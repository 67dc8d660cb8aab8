"""A function finds what Lambda gives it, and nothing of this machine: folders, user, variables, memory."""

import json
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from channeling_cli.event_command import filled_event
from emulator import sandbox as sandboxes
from emulator.artifact import Artifact
from emulator.execution_environment import execution_environment
from emulator.invocation import Invocation
from emulator.local_gateway import LocalGateway, local_gateway
from emulator.sandbox import TEMPLATE_VARIABLES, can_isolate, sandbox
from tests.functions.cloudformation_yaml import read_template

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
_LOOK = """
import json, os, sys
def writable(folder):
    try:
        open(folder + "/probe", "w").close()
    except OSError:
        return False
    return True
print(json.dumps({
    "cwd": os.getcwd(),
    "prefix": sys.prefix,
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "writable": [f for f in ("/var/task", "/opt", "/var/lang", "/usr", "/etc", "/", "/tmp") if writable(f)],
    "read_only": [f for f in ("/var/task", "/opt", "/var/lang", "/usr", "/etc", "/", "/tmp")
                  if os.statvfs(f).f_flag & os.ST_RDONLY],
    "tmp_megabytes": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize // 2**20,
    "seen": [f for f in sys.argv[1:] if os.path.exists(f)],
    "installed": [path for path in sys.path if path.endswith("-packages") and os.listdir(path)],
}))
"""

isolated = pytest.mark.skipif(not can_isolate(), reason="a root directory of its own needs root on Linux")


@isolated
def test_it_sees_lambdas_folders_read_only_and_nothing_of_this_machine(artifact: Artifact) -> None:
    foreign = [str(ROOT), str(Path.home()), str(artifact.task), "/opt/bootstrap", "/var/task/app.py"]
    with sandbox(artifact) as place:
        ran = subprocess.run(
            place.command(place.python, "-c", _LOOK, *foreign),
            cwd=artifact.task,
            env=place.environ({}, timeout_s=60),
            capture_output=True,
            text=True,
            check=True,
        )
    assert json.loads(ran.stdout) == {
        "cwd": "/var/task",
        "prefix": "/var/lang",
        "user": [993, 990, [990]],
        "writable": ["/tmp"],  # noqa: S108 - its own
        "read_only": ["/var/task", "/opt", "/var/lang", "/usr", "/etc", "/"],
        "tmp_megabytes": 512,
        "seen": ["/opt/bootstrap", "/var/task/app.py"],
        "installed": [],
    }


@isolated
def test_it_is_killed_when_it_takes_more_memory_than_it_has(artifact: Artifact) -> None:
    for megabytes, status in ((40, 0), (400, -9)):
        with sandbox(artifact, memory_megabytes=128) as place:
            ran = subprocess.run(
                place.command(place.python, "-c", f"bytearray({megabytes} * 2**20)"),
                cwd=artifact.task,
                env=place.environ({}, timeout_s=60),
                check=False,
            )
        assert ran.returncode == status


@isolated
def test_nothing_stays_mounted_or_limited(artifact: Artifact) -> None:
    with sandbox(artifact) as place:
        subprocess.run(
            place.command("/bin/true"), cwd=artifact.task, env=place.environ({}, timeout_s=60), check=True
        )
        root, group = place.root, place.group
    assert root is not None
    assert not root.exists()
    assert group is None or not group.exists()
    assert str(root) not in Path("/proc/mounts").read_text()


def test_its_own_variables_are_the_templates() -> None:
    resource = read_template(ROOT / "template.yaml")["Resources"]["MessagesFunction"]["Properties"]
    variables = resource["Environment"]["Variables"]
    assert TEMPLATE_VARIABLES.items() <= variables.items()


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    with local_gateway({}) as running:
        yield running


async def test_without_rights_the_function_runs_where_its_files_lie(
    artifact: Artifact, gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxes, "can_isolate", lambda: False)
    event = filled_event((ROOT / "events/budget.json").read_text(), gateway.token).encode()
    deadline_ms = time.time_ns() // 1_000_000 + 60_000
    invocation = Invocation(str(uuid.uuid4()), event, deadline_ms, "Root=1")
    with tempfile.TemporaryFile() as log:
        async with execution_environment(artifact, gateway.environ, log=log) as environment:
            assert not environment.place.is_isolated
            environment.invoke(invocation)
            assert (await invocation.head()).status == 200
            assert b'"limit":"5"' in b"".join([piece async for piece in invocation.body()])
