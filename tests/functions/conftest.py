"""What the tests of the built functions share: a build for this machine, laid out once."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.artifact import Artifact, build_for_host, lay_out


@pytest.fixture(scope="session")
def built_for_host() -> Path:
    """The folder of what `sam build` makes for this machine's processor."""
    return build_for_host()


@pytest.fixture(scope="session")
def artifact(built_for_host: Path) -> Iterator[Artifact]:
    """The messages function and its layers, as Lambda unpacks them."""
    with tempfile.TemporaryDirectory() as folder:
        yield lay_out(built_for_host, Path(folder))
