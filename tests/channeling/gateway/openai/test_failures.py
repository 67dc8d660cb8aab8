"""Whatever OpenAI does, the client hears of it in Anthropic's shape and words, and nothing stays held."""

import gzip
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.openai.conftest import OPENAI_KEY, message, openai_gateway
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.openai_named_scripts import NAMED_SCRIPTS
from tests.stand_ins.openai_script import FunctionCall, Message, Reasoning, Script, WebSearch, error_script
from tests.stand_ins.openai_upstream import OpenAIUpstream
from tests.stand_ins.strict_reader import read_strictly

ACCOUNT = "the upstream provider refused this project's credentials or account"
INPUT, OUTPUT = 1_750, 14_000  # gpt-5.2, nanodollars per token
TEXT = "many words that were written before the connection broke off and were read by the user"

REFUSALS: dict[str, tuple[int, str, str]] = {
    "401": (500, "api_error", ACCOUNT),
    "403": (500, "api_error", ACCOUNT),
    "quota": (500, "api_error", ACCOUNT),
    "404": (404, "not_found_error", "The model `gpt-nowhere` does not exist."),
    "429": (429, "rate_limit_error", "Rate limit reached for gpt-5.2"),
    "context": (400, "invalid_request_error", "prompt is too long: "),
    "policy": (400, "invalid_request_error", "flagged as potentially violating our usage policy"),
    "500": (500, "api_error", "The server had an error while processing"),
    "502": (500, "api_error", "status 502"),
    "503": (529, "overloaded_error", "currently overloaded"),
    "html": (500, "api_error", "the upstream provider answered"),
    "empty": (500, "api_error", "the upstream provider answered"),
    # A stream that fails before it has written anything is a refusal with a status, too.
    "failed": (500, "api_error", "The server had an error."),
}


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, name: str, stream: bool
) -> None:
    """Each has Anthropic's status and type, is said in words that clients know, and costs nothing."""
    (script,) = NAMED_SCRIPTS[name]
    upstream.script = script if script.failure is None else Script((), failure=script.failure)
    status, error_type, words = REFUSALS[name]
    answer = client.post("/v1/messages", json=message(stream=stream))
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["type"], body["error"]["type"]) == ("error", error_type)
    assert words in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]
    assert "org-" not in answer.text
    assert len(upstream.requests) == 1
    assert gateway.assert_settled() == 0
    assert gateway.records()[0].status == "failed"


def test_a_rate_limit_says_when_to_come_back_and_an_account_s_trouble_that_it_is_no_use(
    client: httpx.Client, upstream: OpenAIUpstream
) -> None:
    upstream.then(NAMED_SCRIPTS["429"][0], NAMED_SCRIPTS["quota"][0], NAMED_SCRIPTS["503"][0])
    limited = client.post("/v1/messages", json=message())
    assert limited.headers["retry-after"] == "17"
    assert limited.headers.get("x-should-retry") != "false"
    assert client.post("/v1/messages", json=message()).headers["x-should-retry"] == "false"
    assert "retry-after" in client.post("/v1/messages", json=message()).headers


def test_the_key_stays_out_of_answers_and_the_log(
    client: httpx.Client, upstream: OpenAIUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    for status in (401, 400):
        words = f"Incorrect API key provided: {OPENAI_KEY}."
        upstream.script = error_script(status, "x", words, kind="invalid_request_error")
        answer = client.post("/v1/messages", json=message())
        assert OPENAI_KEY not in answer.text
    assert "Incorrect API key provided" in caplog.text
    assert OPENAI_KEY not in caplog.text


@pytest.mark.parametrize("ending", ["reset", "eof", "garbage", "error"])
def test_a_stream_that_breaks_ends_in_an_error_event(
    own_gateway: GatewayServer, upstream: OpenAIUpstream, ending: Any
) -> None:
    """No false end_turn: the client gets `event: error`; what was generated is billed, as an estimate, though
    OpenAI has not said a word of usage."""
    upstream.script = Script((Message(TEXT),), ending=ending)
    body = message(stream=True)
    answer = httpx.post(
        f"{own_gateway.base_url}/v1/messages", json=body, headers={"x-api-key": own_gateway.token()}
    )
    assert answer.status_code == 200
    read = read_strictly(answer.content)
    assert read.error is not None
    assert read.error["type"] == "api_error"
    assert read.message["stop_reason"] is None
    estimate = read.message["usage"]["input_tokens"]
    assert 3 < estimate < 30
    output_tokens = -(-len(TEXT) * 300 // 1000)
    assert own_gateway.assert_settled() == estimate * INPUT + output_tokens * OUTPUT
    [record] = own_gateway.records()
    assert (record.status, record.estimated) == ("failed", True)


def test_a_picture_is_not_billed_by_its_bytes_when_a_stream_breaks(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """A picture of 400 kB is some 1,500 tokens, not 120,000."""
    picture = {"type": "base64", "media_type": "image/png", "data": "iVBORw0K" * 50_000}
    content = [{"type": "image", "source": picture}, {"type": "text", "text": "What is it?"}]
    upstream.script = Script((Message(TEXT),), ending="reset")
    body = message(stream=True, messages=[{"role": "user", "content": content}])
    assert client.post("/v1/messages", json=body).status_code == 200
    assert 0 < gateway.assert_settled() < 5_000 * INPUT


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_what_a_failed_response_reports_is_billed(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    """One that failed after a long answer says what it used: that is the bill, not an estimate."""
    usage = {
        "input_tokens": 50,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 700,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 750,
    }
    upstream.script = Script((Message(TEXT),), failure=("server_error", "It broke."), failed_usage=usage)
    answer = client.post("/v1/messages", json=message(stream=stream))
    error = read_strictly(answer.content).error if stream else answer.json()["error"]
    assert error == {"type": "api_error", "message": "It broke."}
    assert answer.status_code == (200 if stream else 500)
    assert gateway.assert_settled() == 50 * INPUT + 700 * OUTPUT
    [record] = gateway.records()
    assert (record.status, record.estimated) == ("failed", False)


def test_silence_is_filled_with_pings_and_an_error_after_one_comes_as_an_event(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: OpenAIUpstream
) -> None:
    with openai_gateway(
        embedded_dynamodb, tables, upstream, settings_changes={"ping_after_s": 0.05}
    ) as gateway:
        headers = {"x-api-key": gateway.token()}
        url = f"{gateway.base_url}/v1/messages"
        upstream.script = Script((Message(TEXT),), gated=True)
        with httpx.stream("POST", url, json=message(stream=True), headers=headers) as answer:
            chunks = answer.iter_bytes()
            first = next(chunks)
            while b"event: ping" not in first:
                first += next(chunks)
            upstream.release(len(TEXT.split()))
            assert read_strictly(first + b"".join(chunks)).text == TEXT
        upstream.script = Script((), failure=("server_error", "It broke."), gated=True)
        with httpx.stream("POST", url, json=message(stream=True), headers=headers) as answer:
            chunks = answer.iter_bytes()
            first = next(chunks)
            upstream.release()
            error = read_strictly(first + b"".join(chunks)).error
        assert (answer.status_code, error) == (200, {"type": "api_error", "message": "It broke."})
        gateway.assert_settled()


def test_a_client_that_leaves_stops_openai_and_pays_for_what_was_written(
    own_gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """OpenAI says what an answer used at its end alone: both input and output are estimates."""
    upstream.script = Script((Message(TEXT),), gated=True)
    with httpx.stream(
        "POST",
        f"{own_gateway.base_url}/v1/messages",
        json=message(stream=True),
        headers={"x-api-key": own_gateway.token()},
        timeout=20,
    ) as answer:
        upstream.release(5)
        chunks = answer.iter_bytes()
        seen = b""
        while b"were " not in seen:
            seen += next(chunks)
    upstream.wait_until(lambda requests: requests[0].client_left)
    own_gateway.wait_until_settled()
    written_bytes = len("many words that were written ")
    input_tokens = read_strictly(seen, may_be_unfinished=True).message["usage"]["input_tokens"]
    bill = input_tokens * INPUT + -(-written_bytes * 300 // 1000) * OUTPUT
    assert own_gateway.assert_settled() == pytest.approx(bill, abs=2 * OUTPUT)
    [record] = own_gateway.records()
    assert (record.status, record.estimated) == ("cancelled", True)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_reasoning_that_another_account_sealed_is_left_out_once(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    """A key that was changed must not end every conversation: the same is asked without it, under one hold."""
    tools = [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]
    upstream.script = Script((Reasoning(("Hm.",)), FunctionCall("look", call_id="call_1")))
    hello = {"role": "user", "content": "Hello"}
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    first = client.post("/v1/messages", json=message(tools=tools, thinking=thinking, max_tokens=2_000)).json()
    assert [block["type"] for block in first["content"]] == ["thinking", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "seen"}
    history = [
        hello,
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [result]},
    ]
    upstream.reset()  # another account: it has issued nothing
    answer = client.post(
        "/v1/messages", json=message(tools=tools, messages=history, stream=stream, max_tokens=2_000)
    )
    assert answer.status_code == 200, answer.text
    if stream:
        assert read_strictly(answer.content).message["stop_reason"] == "end_turn"
    refused, taken = upstream.inputs()
    assert [item.get("type", "message") for item in refused] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert taken == [item for item in refused if item.get("type") != "reasoning"]
    assert [refusal.code for refusal in upstream.refused] == ["invalid_encrypted_content"]
    upstream.refused.clear()
    assert len(gateway.records()) == 2
    assert gateway.records()[1].cost > 0
    gateway.assert_settled()


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_setting_that_the_account_does_not_take_is_left_out_once(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    """Thinking is asked for by every Claude Code, its summaries are refused to accounts that are not verified."""
    error = {
        "message": "Your organization must be verified to generate reasoning summaries.",
        "type": "invalid_request_error",
        "param": "reasoning.summary",
        "code": "unsupported_value",
    }
    refusal = Script(status=400, body=json.dumps({"error": error}).encode(), checks=False)
    upstream.then(refusal, Script((Reasoning(()), Message("Hello"))))
    asked = message(thinking={"type": "adaptive"}, stream=stream, max_tokens=2_000)
    answer = client.post("/v1/messages", json=asked)
    assert answer.status_code == 200, answer.text
    written = read_strictly(answer.content).message if stream else answer.json()
    assert [block["type"] for block in written["content"]] == ["thinking", "text"]
    first, second = (json.loads(request.body)["reasoning"] for request in upstream.requests)
    assert first == {"effort": "medium", "summary": "auto"}
    assert second == {"effort": "medium"}
    assert [record.cost > 0 for record in gateway.records()] == [True]
    gateway.assert_settled()


def test_a_stop_sequence_ends_the_answer_leaves_openai_and_is_billed(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """The Responses API takes none, so the text is looked through here; nothing is generated that nobody reads."""
    upstream.script = Script((Message("One two STOP three four"),), ending="hang")
    body = message(stream=True, stop_sequences=["STOP"])
    read = read_strictly(client.post("/v1/messages", json=body).content)
    assert (read.text, read.message["stop_reason"]) == ("One two ", "stop_sequence")
    assert read.message["stop_sequence"] == "STOP"
    upstream.wait_until(lambda requests: requests[0].client_left)
    [record] = gateway.records()
    assert (record.status, record.estimated, record.cut) == ("ok", True, False)
    assert gateway.assert_settled() > 0
    sent = json.loads(upstream.requests[0].body)
    assert "stop" not in sent


def test_a_search_that_was_not_asked_for_does_not_break_the_answer(
    client: httpx.Client, upstream: OpenAIUpstream
) -> None:
    upstream.script = Script((WebSearch("x"), Message("Found.")))
    answer = client.post("/v1/messages", json=message())
    assert answer.status_code == 200
    assert answer.json()["content"][-1]["text"] == "Found."


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_what_is_compressed_comes_down_plain(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    """A proxy before the provider may compress, asked or not: answers and errors come down as they are read."""
    error = error_script(400, None, "Bad things.", ("content-encoding", "gzip"), kind="invalid_request_error")
    upstream.then(
        Script((Message(TEXT),), compress=True), replace(error, body=gzip.compress(error.body or b""))
    )
    answer = client.post("/v1/messages", json=message(stream=stream))
    text = read_strictly(answer.content).text if stream else answer.json()["content"][0]["text"]
    refused = client.post("/v1/messages", json=message(stream=stream))
    assert (text, refused.json()["error"]["message"]) == (TEXT, "Bad things.")
    assert not {"content-encoding"} & (answer.headers.keys() | refused.headers.keys())
    gateway.assert_settled()


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_refusal_is_an_answer_and_is_asked_for_once(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    """Asked again the model would refuse again, and be billed again."""
    upstream.script = Script((Message(refusal="I will not."),), input_tokens=10)
    answer = client.post("/v1/messages", json=message(stream=stream))
    said = read_strictly(answer.content).message if stream else answer.json()
    assert said["stop_reason"] == "refusal"
    assert said["stop_details"] == {"type": "refusal", "category": None, "explanation": "I will not."}
    assert said["content"][0]["text"] == "I will not."
    assert len(upstream.requests) == 1
    assert gateway.assert_settled() == 10 * INPUT + 3 * OUTPUT
