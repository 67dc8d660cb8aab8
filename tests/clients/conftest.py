"""What the client suites share: one served gateway before one stand-in upstream, and each client program once."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.client_program import ClientProgram
from tests.clients.installations import HOW_TO_INSTALL, node_modules, old_anthropic
from tests.clients.served_gateway import ServedGateway
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.openai_upstream import OpenAIUpstream

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def upstream() -> Iterator[AnthropicUpstream]:
    """The upstream of every client test; its script is set by each."""
    with AnthropicUpstream() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def gateway(upstream: AnthropicUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """`channeling serve` as a process, before that upstream."""
    with ServedGateway(upstream.base_url, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="session")
def openai_upstream() -> Iterator[OpenAIUpstream]:
    """The stand-in for the Responses API of every client test on OpenAI's models."""
    with OpenAIUpstream() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def openai_gateway(
    openai_upstream: OpenAIUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedGateway]:
    """`channeling serve` as people start it who have OpenAI's key alone."""
    folder = tmp_path_factory.mktemp("openai")
    with ServedGateway(None, folder, openai_base_url=openai_upstream.sdk_base_url) as served:
        yield served


@pytest.fixture(scope="session")
def openrouter_upstream() -> Iterator[ChatUpstream]:
    """The stand-in for OpenRouter of every client test on its models."""
    with ChatUpstream() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def openrouter_gateway(
    openrouter_upstream: ChatUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedGateway]:
    """`channeling serve` as people start it who have OpenRouter's key alone."""
    folder = tmp_path_factory.mktemp("openrouter")
    with ServedGateway(None, folder, openrouter_base_url=openrouter_upstream.sdk_base_url) as served:
        yield served


@pytest.fixture(scope="session")
def client_program() -> Iterator[Callable[[str], ClientProgram]]:
    """Return a client program by its name; each is started once, when it is first asked for."""
    with ExitStack() as closing:
        running: dict[str, ClientProgram] = {}

        def named(name: str) -> ClientProgram:
            if name not in running:
                running[name] = closing.enter_context(ClientProgram(_command(name)))
            return running[name]

        yield named


def present(found: Path | None, what: str) -> Path:
    """Return what is installed; else leave the test out, which counts as a failure where CI is true."""
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed; {HOW_TO_INSTALL}")
    pytest.skip(f"{what} is not installed; {HOW_TO_INSTALL}")


def _command(name: str) -> list[str]:
    # Warnings are errors in the newest SDK's program too; the old one is not ours to keep free of them.
    match name:
        case "python-sync":
            return [sys.executable, "-W", "error", str(HERE / "python_sdk" / "sync_program.py")]
        case "python-async":
            return [sys.executable, "-W", "error", str(HERE / "python_sdk" / "async_program.py")]
        case "python-old-sync":
            return [str(_old_python()), str(HERE / "python_sdk" / "sync_program.py")]
        case "python-old-async":
            return [str(_old_python()), str(HERE / "python_sdk" / "async_program.py")]
        case "typescript":
            modules = present(node_modules(), "the TypeScript SDK")
            return ["node", str(HERE / "node" / "sdk_program.mjs"), str(modules)]
    raise ValueError(f"no client is called {name}")


def _old_python() -> Path:
    return present(old_anthropic(), "the old Python SDK")
