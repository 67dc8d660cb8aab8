"""What the tests of other people's clients share: a gateway that has a key for each provider."""

from collections.abc import Iterator

import pytest

from tests.clients.served_gateway import ServedGateway
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.openai_upstream import OpenAIUpstream


@pytest.fixture(scope="session")
def gateway_of_three(
    upstream: AnthropicUpstream,
    openai_upstream: OpenAIUpstream,
    openrouter_upstream: ChatUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServedGateway]:
    """`channeling serve` before all three stand-ins."""
    with ServedGateway(
        upstream.base_url,
        tmp_path_factory.mktemp("three"),
        openai_base_url=openai_upstream.sdk_base_url,
        openrouter_base_url=openrouter_upstream.sdk_base_url,
    ) as served:
        yield served
