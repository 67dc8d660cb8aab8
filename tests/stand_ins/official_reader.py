"""The official Python SDK as a reader of event streams: bytes in, the message that its users would see out."""

from typing import Any

import anthropic
import httpx2


class OfficialReader:
    """The SDK's own client, given a stream's bytes as the answer to a request; nothing goes over a network."""

    def __init__(self) -> None:
        self._stream = b""
        transport = httpx2.MockTransport(self._answer)
        self._client = anthropic.Anthropic(
            api_key="sk-ant-none",
            base_url="http://stand-in",
            http_client=httpx2.Client(transport=transport),
            max_retries=0,
        )

    def read(self, stream: bytes) -> dict[str, Any]:
        """Return the final message; raise whatever the SDK raises, APIStatusError for an `event: error`."""
        self._stream = stream
        request: Any = {"role": "user", "content": "hello"}
        with self._client.messages.stream(model="any", max_tokens=100, messages=[request]) as reading:
            message = reading.get_final_message()
        return message.to_dict(mode="json")

    def _answer(self, _: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self._stream)
