"""Anthropic's own SDKs work through the built function behind an emulated function URL, as they do locally."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import test_official_sdks as sdks
from tests.clients.conftest import client_program as client_program
from tests.clients.conftest import upstream as upstream
from tests.clients.served_gateway import ServedGateway
from tests.stand_ins.anthropic_upstream import AnthropicUpstream

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
# The newest of each language: what differs in the old one is its side of the wire.
_CLIENTS = ("python-sync", "typescript")


@pytest.fixture(scope="module")
def gateway(
    upstream: AnthropicUpstream, built_for_host: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedGateway]:
    """The function, in one process: twenty cold starts at once would take longer than all the rest."""
    front = (
        sys.executable,
        "-m",
        "emulator.front",
        "--build",
        str(built_for_host),
        "--max-concurrency",
        "24",
    )
    folder = tmp_path_factory.mktemp("function-url")
    with ServedGateway(
        upstream.base_url, folder, command=front, hears_of_leaving=False, import_path=ROOT
    ) as served:
        yield served


@pytest.mark.parametrize(("client", "name"), [run for run in sdks.runs() if run.values[0] in _CLIENTS])
def test_scenario(
    client: str,
    name: str,
    client_program: sdks.ClientNamed,
    gateway: ServedGateway,
    upstream: AnthropicUpstream,
) -> None:
    sdks.test_scenario(client, name, client_program, gateway, upstream)
