"""The least that is asked of a model is of use to it, and never more than OpenAI would take less of."""

from typing import Any

import orjson
import pytest

from channeling.message_request import parse_message_request
from channeling.providers.openai.output_limits import least_max_tokens


@pytest.mark.parametrize(
    ("keys", "model", "least"),
    [
        ({}, "gpt-4.1", 64),
        ({}, "gpt-5", 64 + 1_024),
        ({}, "gpt-5.1", 64),
        ({}, "gpt-5.2", 64),
        ({}, "gpt-5.4-mini", 64),
        ({}, "gpt-5.5", 64 + 1_024),
        ({}, "gpt-9-nova", 64 + 1_024),
        ({"output_config": {"effort": "low"}}, "gpt-5.2", 64 + 1_024),
        ({"thinking": {"type": "disabled"}}, "gpt-5.2", 64),
        ({"thinking": {"type": "disabled"}}, "gpt-5", 64),
        ({"thinking": {"type": "disabled"}}, "gpt-5-pro", 64 + 1_024),
        ({"thinking": {"type": "adaptive"}}, "gpt-5.2", 64 + 1_024),
        ({"thinking": {"type": "adaptive"}}, "gpt-4.1", 64),
        ({"max_tokens": 500}, "gpt-5.5", 500),
        ({"max_tokens": 1}, "gpt-4.1", 16),
    ],
)
def test_least(keys: dict[str, Any], model: str, least: int) -> None:
    """64 tokens, where the model reasons 1,024 more, at most what was asked, at least what OpenAI takes."""
    document = {
        "model": "an-alias",
        "max_tokens": 10_000,
        "messages": [{"role": "user", "content": "Hi"}],
        **keys,
    }
    assert least_max_tokens(parse_message_request(orjson.dumps(document)), model=model) == least
