"""Whatever the provider does, the client hears of it in Anthropic's shape, and nothing stays held."""

import httpx
import orjson
import pytest

from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script, Text, error_script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import PROVIDER_KEY, GatewayServer
from tests.stand_ins.strict_reader import read_strictly
from tests.stand_ins.upstream_server import closed_port_url

ACCOUNT = "the upstream provider refused this project's credentials or account"


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("status", "error_type", "words"),
    [
        (400, "invalid_request_error", "prompt is too long: 210883 tokens > 199999 maximum"),
        (404, "not_found_error", "model: claude-none"),
        (413, "request_too_large", "Request exceeds the maximum size"),
        (429, "rate_limit_error", "This request would exceed your organization's rate limit"),
        (529, "overloaded_error", "Overloaded"),
    ],
)
def test_errors_that_clients_match_on_pass_word_for_word(
    client: httpx.Client,
    gateway: GatewayServer,
    upstream: AnthropicUpstream,
    stream: bool,
    status: int,
    error_type: str,
    words: str,
) -> None:
    """The provider's own body comes through, details and all, and the request costs nothing."""
    script = error_script(status, error_type, words, ("retry-after", "0"), ("x-should-retry", "true"))
    upstream.script = script
    answer = client.post("/v1/messages", json=message(stream=stream))
    assert answer.status_code == status
    assert answer.content == script.body
    assert answer.headers["retry-after"] == "0"
    assert answer.headers["x-should-retry"] == "true"
    assert gateway.assert_settled() == 0
    [record] = gateway.records()
    assert (record.status, record.cost) == ("failed", 0)


@pytest.mark.parametrize(
    ("status", "error_type", "words"),
    [
        (401, "authentication_error", "invalid x-api-key"),
        (402, "billing_error", "payment required"),
        (403, "permission_error", "your organization is disabled"),
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API"),
    ],
)
def test_the_project_s_own_trouble_is_not_blamed_on_the_caller(
    client: httpx.Client,
    gateway: GatewayServer,
    upstream: AnthropicUpstream,
    caplog: pytest.LogCaptureFixture,
    status: int,
    error_type: str,
    words: str,
) -> None:
    """A refused key or an empty account is a 500 that says so; the original is in the log, without the key."""
    upstream.script = error_script(status, error_type, f"{words} ({PROVIDER_KEY})")
    answer = client.post("/v1/messages", json=message())
    assert answer.status_code == 500
    assert answer.json()["error"] == {"type": "api_error", "message": ACCOUNT}
    assert words in caplog.text
    assert PROVIDER_KEY not in caplog.text
    assert gateway.assert_settled() == 0


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(status=500, body=b"oops", content_type="text/plain"), "status 500"),
        (Script(status=503, body=b""), "status 503"),
        (Script(body=b"<html>Welcome to the hotel</html>", content_type="text/html"), "answered"),
        (Script(body=b"", content_type="application/json"), "answered"),
        (Script(status=302, body=b"", headers=(("location", "http://evil.example/"),)), "redirect"),
    ],
    ids=["500", "503", "html", "empty", "redirect"],
)
def test_answers_that_are_none_become_api_errors(
    client: httpx.Client,
    gateway: GatewayServer,
    upstream: AnthropicUpstream,
    script: Script,
    words: str,
    stream: bool,
) -> None:
    """A 200 with HTML, a bare 500, a redirect: a 500 api_error in Anthropic's shape, and nothing is billed."""
    upstream.script = script
    answer = client.post("/v1/messages", json=message(stream=stream))
    assert answer.status_code == 500
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "api_error"
    assert words in answer.json()["error"]["message"]
    assert len(upstream.requests) == 1
    assert gateway.assert_settled() == 0


def test_a_provider_that_cannot_be_reached_costs_nothing(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames
) -> None:
    """Connection refused: 500 api_error after two short retries, nothing billed, the record says refused."""
    with GatewayServer(embedded_dynamodb, tables, closed_port_url()) as gateway:
        for stream in (False, True):
            answer = httpx.post(
                f"{gateway.base_url}/v1/messages",
                json=message(stream=stream),
                headers={"x-api-key": gateway.token()},
                timeout=20,
            )
            assert answer.status_code == 500
            assert "could not be reached" in answer.json()["error"]["message"]
        assert gateway.assert_settled() == 0
        assert {record.status for record in gateway.records()} == {"refused"}


@pytest.mark.parametrize("ending", ["reset", "eof", "garbage", "error"])
def test_a_stream_that_breaks_ends_in_an_error_event(
    own_gateway: GatewayServer, upstream: AnthropicUpstream, ending: str
) -> None:
    """No false end_turn: the client gets `event: error`; what was generated is billed, as an estimate."""
    text = Text("many words that were written before the connection broke off and were read by the user")
    upstream.script = Script((text,), ending=ending, usage={"input_tokens": 1_000})  # type: ignore[arg-type]
    answer = httpx.post(
        f"{own_gateway.base_url}/v1/messages",
        json=message(stream=True),
        headers={"x-api-key": own_gateway.token()},
    )
    assert answer.status_code == 200
    error = read_strictly(answer.content).error
    assert error is not None
    assert error["type"] == ("overloaded_error" if ending == "error" else "api_error")
    written_bytes = len(text.text)
    output_tokens = -(-written_bytes * 300 // 1000)
    assert own_gateway.assert_settled() == 1_000 * 3_000 + output_tokens * 15_000
    [record] = own_gateway.records()
    assert (record.status, record.estimated) == ("failed", True)


def test_an_error_event_before_any_output_costs_nothing(
    client: httpx.Client, gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """An overloaded provider that says so in its stream's first event bills nothing."""
    upstream.script = Script(ending="error", records_before_ending=0)
    answer = client.post("/v1/messages", json=message(stream=True))
    assert b"overloaded_error" in answer.content
    assert gateway.assert_settled() == 0


def test_a_stream_without_its_last_event_is_completed(
    client: httpx.Client, gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """With a stop reason seen, a missing message_stop is added, and the bill is the reported one."""
    # message_start, ping, block start, three deltas, block stop, message_delta
    upstream.script = Script(
        (Text("one two three"),),
        ending="eof",
        records_before_ending=8,
        usage={"input_tokens": 10},
        final_usage={"output_tokens": 3},
    )
    answer = client.post("/v1/messages", json=message(stream=True))
    read = read_strictly(answer.content)
    assert (read.error, read.events[-1]) == (None, "message_stop")
    assert gateway.assert_settled() == 10 * 3_000 + 3 * 15_000
    assert not gateway.records()[0].estimated


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("script", [Script(answers=False), Script(ending="hang")], ids=["never", "half-way"])
def test_a_provider_that_falls_silent_is_cut_at_the_deadline(
    embedded_dynamodb: EmbeddedDynamoDB,
    tables: TableNames,
    upstream: AnthropicUpstream,
    script: Script,
    stream: bool,
) -> None:
    """The longest request ends with an error that says how long that is, the provider's connection is closed, and
    nothing stays held."""
    upstream.script = script
    with GatewayServer(
        embedded_dynamodb, tables, upstream.base_url, settings_changes={"max_request_s": 1}
    ) as gateway:
        answer = httpx.post(
            f"{gateway.base_url}/v1/messages",
            json=message(stream=stream),
            headers={"x-api-key": gateway.token()},
            timeout=20,
        )
        assert "did not finish within 1 seconds" in answer.text
        assert answer.status_code == (200 if stream and script.answers else 500)
        upstream.wait_until(lambda requests: requests[0].client_left)
        gateway.assert_settled()


def test_silence_is_filled_with_pings_before_and_between_events(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """Pings come while the provider thinks, also before its first byte, and never inside an event."""
    upstream.script = Script(gated=True, bytes_per_write=7)
    with GatewayServer(
        embedded_dynamodb, tables, upstream.base_url, settings_changes={"ping_after_s": 0.05}
    ) as gateway:
        with httpx.stream(
            "POST",
            f"{gateway.base_url}/v1/messages",
            json=message(stream=True),
            headers={"x-api-key": gateway.token()},
            timeout=20,
        ) as response:
            received = b""
            for chunk in response.iter_bytes():
                received += chunk
                if received.count(b'data: {"type": "ping"}') == 3:
                    upstream.release()
        read = read_strictly(received)
        assert read.pings >= 4  # the provider's own one, and three of ours
        assert (read.error, read.events[-1]) == (None, "message_stop")
        gateway.assert_settled()


def test_an_error_after_a_ping_comes_as_an_event(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """Once a ping went out the status is 200, so that a late refusal follows as `event: error`."""
    upstream.script = Script(answers=False)
    settings = {"ping_after_s": 0.05, "max_request_s": 1}
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, settings_changes=settings) as gateway:
        answer = httpx.post(
            f"{gateway.base_url}/v1/messages",
            json=message(stream=True),
            headers={"x-api-key": gateway.token()},
            timeout=20,
        )
        assert answer.status_code == 200
        read = read_strictly(answer.content)
        assert read.events[0] == "ping"
        assert read.error is not None
        assert read.error["type"] == "api_error"
        assert gateway.assert_settled() == 0


@pytest.mark.parametrize(
    ("written", "text"), [(0, ""), (4, "one two three four ")], ids=["no output", "mid-stream"]
)
def test_a_client_that_leaves_stops_the_provider_and_pays_for_what_was_written(
    own_gateway: GatewayServer, upstream: AnthropicUpstream, written: int, text: str
) -> None:
    """I5: the provider's connection is closed at once; input is billed as reported, output as an estimate."""
    upstream.script = Script((Text("one two three four five six"),), gated=True, usage={"input_tokens": 500})
    with httpx.stream(
        "POST",
        f"{own_gateway.base_url}/v1/messages",
        json=message(stream=True),
        headers={"x-api-key": own_gateway.token()},
        timeout=20,
    ) as response:
        chunks = response.iter_bytes()
        received = next(chunks)
        upstream.release(written)
        while received.count(b"text_delta") < written:
            received += next(chunks)
    upstream.wait_until(lambda requests: requests[0].client_left)
    own_gateway.wait_until_settled()
    output_tokens = max(1, -(-len(text) * 300 // 1000))
    assert own_gateway.assert_settled() == 500 * 3_000 + output_tokens * 15_000
    [record] = own_gateway.records()
    assert (record.status, record.estimated) == ("cancelled", True)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_client_that_leaves_before_the_answer_stops_the_provider(
    gateway: GatewayServer, upstream: AnthropicUpstream, stream: bool
) -> None:
    """Nothing was reported, so the input is billed by its bytes; leaving early is no way to a free answer."""
    upstream.script = Script(answers=False)
    with httpx.Client(timeout=httpx.Timeout(20, read=0.3)) as client, pytest.raises(httpx.ReadTimeout):
        client.post(
            f"{gateway.base_url}/v1/messages",
            json=message(stream=stream),
            headers={"x-api-key": gateway.token()},
        )
    upstream.wait_until(lambda requests: requests[0].client_left)
    gateway.wait_until_settled()
    body_bytes = len(orjson.dumps(message(stream=stream)))
    assert gateway.assert_settled() >= -(-body_bytes * 300 // 1000) * 3_000
    [record] = gateway.records()
    assert (record.status, record.estimated) == ("cancelled", True)


def test_a_server_that_stops_settles_what_runs(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """A shutdown in the middle of a stream tells the client, and ends its hold before the process goes."""
    upstream.script = Script(gated=True, usage={"input_tokens": 500})
    gateway = GatewayServer(embedded_dynamodb, tables, upstream.base_url)
    with gateway:
        gateway.server.config.timeout_graceful_shutdown = 1
        with httpx.stream(
            "POST",
            f"{gateway.base_url}/v1/messages",
            json=message(stream=True),
            headers={"x-api-key": gateway.token()},
            timeout=20,
        ) as stream:
            chunks = stream.iter_bytes()
            received = next(chunks)
            gateway.server.should_exit = True
            received += b"".join(chunks)
        gateway._thread.join(20)
        error = read_strictly(received).error
        assert error is not None
        assert error["type"] == "overloaded_error"
        gateway.assert_settled()
        assert gateway.records()[0].status == "cancelled"
