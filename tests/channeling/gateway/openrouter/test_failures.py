"""Whatever OpenRouter does, the client hears of it in Anthropic's shape, with the vendor's own words, and nothing
stays held."""

from typing import Any

import httpx
import pytest

from tests.channeling.gateway.openrouter.conftest import OPENROUTER_KEY, message
from tests.stand_ins.anthropic_script import Script as NativeScript
from tests.stand_ins.chat_named_scripts import CONTEXT, NAMED_SCRIPTS
from tests.stand_ins.chat_script import Script, Text, error_script
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.strict_reader import read_strictly

ACCOUNT = "the upstream provider refused this project's credentials or account"
TEXT = "many words that were written before the connection broke off and were read by the user"

REFUSALS: dict[str, tuple[int, str, str]] = {
    "401": (500, "api_error", ACCOUNT),
    "402": (500, "api_error", ACCOUNT),
    "403": (403, "permission_error", "Input was flagged (violence)"),
    "404": (404, "not_found_error", "No endpoints found for nobody/nothing."),
    "429": (429, "rate_limit_error", "temporarily rate-limited upstream"),
    "daily": (429, "rate_limit_error", "free-models-per-day"),
    "context": (400, "invalid_request_error", "prompt is too long: "),
    "raw": (400, "invalid_request_error", "tools.0: unsupported schema"),
    "500": (500, "api_error", "Internal Server Error"),
    "502": (500, "api_error", "status 502"),
    "503": (529, "overloaded_error", "No available model provider"),
    "html": (500, "api_error", "the upstream provider answered"),
    "empty": (500, "api_error", "the upstream provider answered"),
    # A stream that fails before it has written anything is a refusal with a status, too.
    "error-first": (529, "overloaded_error", "Provider disconnected unexpectedly"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream, name: str, stream: bool
) -> None:
    """Each has Anthropic's status and type, is said in words that clients know, and costs nothing."""
    (upstream.script,) = NAMED_SCRIPTS[name]
    status, error_type, words = REFUSALS[name]
    answer = client.post("/v1/messages", json=message(stream=stream))
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["type"], body["error"]["type"]) == ("error", error_type)
    assert words in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]
    assert "user_of_the_project" not in answer.text
    assert len(upstream.requests) == 1
    assert gateway.assert_settled() == 0
    assert gateway.records()[0].status == "failed"


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(("name", "wait_s"), [("429", "17"), ("429-header", "11")])
def test_a_free_model_s_429_says_when_to_come_back(
    client: httpx.Client, upstream: ChatUpstream, name: str, wait_s: str, stream: bool
) -> None:
    """As the body says it, or the header."""
    (upstream.script,) = NAMED_SCRIPTS[name]
    model = "or:mistralai/devstral-2512:free"
    limited = client.post("/v1/messages", json=message(model=model, stream=stream))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, wait_s)
    assert limited.headers.get("x-should-retry") != "false"


def test_a_context_that_is_too_long_is_said_as_claude_code_knows_it(
    client: httpx.Client, upstream: ChatUpstream
) -> None:
    upstream.script = error_script(400, CONTEXT)
    words = client.post("/v1/messages", json=message()).json()["error"]["message"]
    assert words == "prompt is too long: 141083 tokens > 131072 maximum"


def test_the_key_stays_out_of_answers_and_the_log(
    client: httpx.Client, upstream: ChatUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    for status in (401, 400):
        upstream.script = error_script(status, f"No such key: {OPENROUTER_KEY}.")
        assert OPENROUTER_KEY not in client.post("/v1/messages", json=message()).text
    assert "No such key" in caplog.text
    assert OPENROUTER_KEY not in caplog.text


@pytest.mark.parametrize("ending", ["reset", "eof", "garbage", "error"])
def test_a_stream_that_breaks_ends_in_an_error_event(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream, ending: Any
) -> None:
    """No false end_turn; what was generated is billed, as an estimate, though nothing was said of usage."""
    upstream.script = Script((Text(TEXT),), ending=ending, done=ending == "error")
    answer = client.post("/v1/messages", json=message(stream=True))
    assert answer.status_code == 200
    read = read_strictly(answer.content)
    assert read.error is not None
    assert read.message["stop_reason"] is None
    [record] = gateway.records()
    assert (record.status, record.estimated) == ("failed", True)
    assert gateway.assert_settled() == record.cost > 0


def test_a_stream_without_usage_ends_well_and_is_estimated(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream
) -> None:
    (upstream.script,) = NAMED_SCRIPTS["no-usage"]
    read = read_strictly(client.post("/v1/messages", json=message(stream=True)).content)
    assert (read.message["stop_reason"], read.error) == ("end_turn", None)
    [record] = gateway.records()
    assert (record.status, record.estimated) == ("ok", True)
    assert gateway.assert_settled() == record.cost > 0


def test_a_client_that_leaves_ends_the_call(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream
) -> None:
    upstream.script = Script((Text(TEXT),), gated=True)
    upstream.release(3)
    with client.stream("POST", "/v1/messages", json=message(stream=True)) as answer:
        assert next(answer.iter_bytes())
    upstream.wait_until(lambda requests: requests[0].client_left)
    gateway.wait_until_settled()
    [record] = gateway.records()
    assert (record.status, record.estimated) == ("cancelled", True)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_claude_s_errors_in_its_own_format_pass_word_for_word(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream, stream: bool
) -> None:
    words = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}'
    upstream.native.script = NativeScript(status=400, body=words)
    asked = message(model="or:anthropic/claude-sonnet-4.5", stream=stream)
    answer = client.post("/v1/messages", json=asked)
    assert (answer.status_code, answer.content) == (400, words)
    assert gateway.assert_settled() == 0
