"""What the tests of the built functions share: a build for this machine, laid out once."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.artifact import BUILD, Artifact, build_for_host, lay_out


@pytest.fixture(scope="session")
def built_for_host(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    """The folder of what `sam build` makes for this machine's processor, built once in a run of the tests."""
    built = tmp_path_factory.getbasetemp().parent / f"built-{testrun_uid}"
    with (tmp_path_factory.getbasetemp().parent / f"building-{testrun_uid}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            build_for_host()
            built.touch()
    return BUILD


@pytest.fixture(scope="session")
def artifact(built_for_host: Path) -> Iterator[Artifact]:
    """The messages function and its layers, as Lambda unpacks them."""
    with tempfile.TemporaryDirectory() as folder:
        yield lay_out(built_for_host, Path(folder))
