"""The demo answers where a project has no real key; the moment one is set, the provider does."""

from channeling.upstream import UpstreamClient, UpstreamRequest, UpstreamResponse
from channeling_cli.demo_project import DEMO_KEY


class UpstreamWithDemo:
    """`UpstreamClient` that sends what carries the demo's key to the demo, and the rest to the providers."""

    def __init__(self, providers: UpstreamClient, demo: UpstreamClient) -> None:
        self._providers = providers
        self._demo = demo

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send to the one or the other."""
        is_demo = any(name.lower() == "x-api-key" and value == DEMO_KEY for name, value in request.headers)
        return await (self._demo if is_demo else self._providers).send(request)

    async def aclose(self) -> None:
        """Close both."""
        await self._demo.aclose()
        await self._providers.aclose()
