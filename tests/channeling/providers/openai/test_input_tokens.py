"""The estimate of the input is near what a tokenizer makes of it, and grows with everything that goes up."""

from typing import Any

import orjson
import pytest

from channeling.message_request import parse_message_request
from channeling.providers.openai.request import translate_request

PROSE = (
    "The gateway holds what a request may cost before it is sent, and settles what it did cost afterwards, "
    "so that a budget is never passed, whatever happens in between. "
)
CODE = "def total(rows: list[Row]) -> int:\n    return sum(row.amount for row in rows if not row.is_void)\n"


def estimate(**keys: Any) -> int:
    """Return the estimate for a request."""
    document = {
        "model": "gpt-5.2",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
        **keys,
    }
    request = parse_message_request(orjson.dumps(document))
    return translate_request(
        request, model="gpt-5.2", max_tokens=None, stream=False
    ).terms.input_tokens_estimate


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # Counted with OpenAI's o200k_base vocabulary (npm js-tiktoken 1.0).
        (PROSE * 100, 3_401),
        (CODE * 100, 2_600),
        ("漢字仮名交じり文" * 500, 4_500),
        ("Шлюз удерживает стоимость запроса до его отправки. " * 100, 1_301),
    ],
)
def test_near_a_tokenizer(text: str, tokens: int) -> None:
    """Within a quarter of a tokenizer's count, on either side."""
    assert tokens * 0.75 < estimate(system=text) < tokens * 1.25


def test_all_of_the_input_counts() -> None:
    """System prompt, tools, images, documents, calls and their results: leaving any out counts too little."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 400_000},
    }
    tool = {"name": "Read", "description": PROSE, "input_schema": {"type": "object"}}
    call = {"type": "tool_use", "id": "call_1", "name": "Read", "input": {"text": PROSE}}
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": PROSE}
    schema = {"type": "object", "properties": {}, "description": PROSE}

    def messages(*content: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": list(content)}]

    plain = estimate()
    called = [{"role": "assistant", "content": [call]}]
    assert estimate(system=PROSE) - plain > 25
    assert estimate(tools=[tool]) - plain > 25
    assert estimate(output_config={"format": {"type": "json_schema", "schema": schema}}) - plain > 25
    assert estimate(messages=messages(image)) - plain > 1_000
    assert estimate(messages=messages(pdf)) - plain > 10_000
    assert estimate(messages=called) - plain > 25
    assert estimate(messages=[*called, *messages(result)]) - estimate(messages=called) > 20
