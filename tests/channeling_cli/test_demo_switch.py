"""Only what carries the demo's key goes to the demo; every other request goes to the providers."""

import pytest

from channeling.upstream import UpstreamRequest
from channeling_cli.demo_project import DEMO_KEY
from channeling_cli.demo_switch import UpstreamWithDemo


class Named:
    """An upstream client that answers with its name and notes that it was closed."""

    def __init__(self) -> None:
        self.sent: list[UpstreamRequest] = []
        self.closed = False

    async def send(self, request: UpstreamRequest) -> "Named":  # type: ignore[override] # stands for a response
        self.sent.append(request)
        return self

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("headers", "is_demo"),
    [
        ([("x-api-key", DEMO_KEY)], True),
        ([("X-Api-Key", DEMO_KEY)], True),
        ([("x-api-key", "sk-ant-1")], False),
        ([("authorization", f"Bearer {DEMO_KEY}")], False),
        ([("x-other", DEMO_KEY), ("x-api-key", "sk-ant-1")], False),
        ([], False),
    ],
)
async def test_the_key_decides(headers: list[tuple[str, str]], is_demo: bool) -> None:
    providers, demo = Named(), Named()
    both = UpstreamWithDemo(providers, demo)  # type: ignore[arg-type] # what they answer is not looked at
    request = UpstreamRequest("POST", "https://api.anthropic.com/v1/messages", headers, b"")
    await both.send(request)
    assert (demo.sent, providers.sent) == (([request], []) if is_demo else ([], [request]))
    await both.aclose()
    assert demo.closed
    assert providers.closed
