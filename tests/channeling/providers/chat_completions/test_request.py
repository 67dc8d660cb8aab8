"""Requests go up as any server of chat completions takes them, or are refused with what cannot be sent."""

import orjson
import pytest

from channeling.errors import InvalidRequest
from channeling.message_request import parse_message_request
from channeling.providers.chat_completions.request import translate_request
from tests.channeling.providers.golden_requests import Case, cases, readable
from tests.stand_ins.chat_validator import assert_taken

CASES = cases("chat_completions", least=10)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    """Each case becomes the very body, without a word of OpenRouter's; or it is refused in these words."""
    stream, model = case.request.stream, case.request.model
    if case.refusal is not None:
        with pytest.raises(InvalidRequest) as refused:
            translate_request(case.request, model=model, max_tokens=None, stream=stream)
        assert refused.value.message == case.refusal
        return
    translation = translate_request(case.request, model=model, max_tokens=None, stream=stream)
    assert translation.body == case.body
    assert readable(translation.terms) == case.terms
    assert_taken(orjson.loads(orjson.dumps(translation.body)), plain=True)


def test_gemini_elsewhere_is_sent_no_details_of_openrouters() -> None:
    """What signs its calls at OpenRouter is unknown to every other server."""
    use = {"type": "tool_use", "id": "a", "name": "Read", "input": {}}
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [use]}]
    document = {"model": "gemini-3-pro", "max_tokens": 9, "messages": messages}
    request = parse_message_request(orjson.dumps(document))
    body = translate_request(request, model="gemini-3-pro", max_tokens=None, stream=False).body
    assert_taken(orjson.loads(orjson.dumps(body)), plain=True)
    assert "reasoning_details" not in body["messages"][1]
