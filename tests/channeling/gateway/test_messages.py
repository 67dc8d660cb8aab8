"""Messages go to the Anthropic API and back byte for byte, held before and settled after."""

from collections import Counter

import httpx
import orjson
import pytest

from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script, Text, Thinking, ToolUse
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import HMAC_SECRET, PROVIDER_KEY, GatewayServer
from tests.stand_ins.strict_reader import read_strictly

SONNET_INPUT_NANOUSD, SONNET_OUTPUT_NANOUSD = 3_000, 15_000  # $3 and $15 per million tokens, per token

SCRIPTS = {
    "text": Script(),
    "tools": Script((Text("I look."), ToolUse("read", {"path": "/etc/hosts"})), stop_reason="tool_use"),
    "thinking": Script((Thinking("Let me see."), Text("Done."))),
    "split bytes": Script(bytes_per_write=1),
    "carriage returns": Script(line_end=b"\r\n", bytes_per_write=3),
    "compressed": Script(compress=True),
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_an_answer_comes_down_byte_for_byte(
    client: httpx.Client, upstream: AnthropicUpstream, gateway: GatewayServer, script: Script, stream: bool
) -> None:
    """What the client reads through the gateway is what it would have read from the provider itself."""
    upstream.script = script
    body = message(stream=True) if stream else message()
    through = client.post("/v1/messages", json=body)
    direct = httpx.post(f"{upstream.base_url}/v1/messages", json=body)
    assert through.status_code == 200
    assert through.content == direct.content
    assert through.headers["content-type"] == direct.headers["content-type"]
    if stream:
        read_strictly(through.content)
    assert gateway.assert_settled() > 0


def test_the_request_goes_up_byte_for_byte(client: httpx.Client, upstream: AnthropicUpstream) -> None:
    """Odd spacing, unknown fields, the query and the client's own headers arrive as they were sent."""
    body = (
        b'{ "model" : "claude-sonnet-4-5-20250929",\n "max_tokens":64, "x_new_field": {"b": 1, "a": 2.50},\n'
        b' "messages": [{"role": "user", "content": "h\\u00e9llo \xe2\x80\xa8 \xf0\x9f\x98\x80"}] }'
    )
    headers = {
        "anthropic-beta": "context-management-2025-06-27,new-thing-2027-01-01",
        "anthropic-version": "2023-06-01",
        "x-stainless-lang": "python",
        "cookie": "session=of-the-client",
        "x-forwarded-for": "203.0.113.9",
    }
    response = client.post("/v1/messages?beta=true&x=%20y", content=body, headers=headers)
    assert response.status_code == 200
    [seen] = upstream.requests
    assert seen.body == body
    assert seen.query == "beta=true&x=%20y"
    assert seen.header("anthropic-beta") == headers["anthropic-beta"]
    assert seen.header("x-stainless-lang") == "python"
    assert seen.header("cookie") is None
    assert seen.header("x-forwarded-for") is None


@pytest.mark.parametrize(
    "headers",
    [
        lambda token: {"x-api-key": token},
        lambda token: {"authorization": f"Bearer {token}"},
        lambda token: {"x-api-key": "sk-ant-api03-somebody", "authorization": f"Bearer {token}"},
    ],
    ids=["x-api-key", "bearer", "bearer beside a provider's key"],
)
def test_credentials_never_reach_the_provider(
    gateway: GatewayServer, upstream: AnthropicUpstream, headers: object
) -> None:
    """The provider sees the project's key alone, whichever header the client's token came in."""
    assert callable(headers)
    token = gateway.token()
    response = httpx.post(f"{gateway.base_url}/v1/messages", json=message(), headers=headers(token))
    assert response.status_code == 200
    [seen] = upstream.requests
    assert seen.header("x-api-key") == PROVIDER_KEY
    assert seen.header("authorization") is None
    everything = orjson.dumps(seen.headers) + seen.body
    assert token.encode() not in everything
    assert b"sk-ant-api03-somebody" not in everything
    assert HMAC_SECRET.encode() not in everything


def test_only_the_client_s_business_comes_down(client: httpx.Client, upstream: AnthropicUpstream) -> None:
    """The shared account's rate limits, organization and cookies stay here; the request id comes down."""
    upstream.script = Script(headers=(("retry-after", "7"), ("anthropic-new-header", "kept")))
    for body in (message(), message(stream=True)):
        response = client.post("/v1/messages", json=body)
        assert response.headers["request-id"].startswith("req_standin")
        assert response.headers["anthropic-new-header"] == "kept"
        for name in ("anthropic-organization-id", "set-cookie", "cf-ray", "content-encoding"):
            assert name not in response.headers
        assert "anthropic-ratelimit-requests-remaining" not in response.headers
        assert response.headers["anthropic-ratelimit-unified-status"] == "allowed"


def test_the_common_request_costs_one_write_before_and_two_after(
    client: httpx.Client, gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """With the project cached, the hold is the only call before the provider's; record and settle follow."""
    client.post("/v1/messages", json=message())
    gateway.store_calls()
    upstream.script = Script(gated=True)
    with client.stream("POST", "/v1/messages", json=message(stream=True)) as response:
        chunks = response.iter_bytes()
        next(chunks)
        assert gateway.store_calls() == Counter({("update", "budgets"): 1})
        upstream.release()
        assert b"message_stop" in b"".join(chunks)
    assert gateway.store_calls() == Counter({("put", "usage"): 1, ("update", "budgets"): 1})
    client.post("/v1/messages", json=message())
    assert gateway.store_calls() == Counter({("update", "budgets"): 2, ("put", "usage"): 1})


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_request_is_billed_as_reported(
    client: httpx.Client, gateway: GatewayServer, upstream: AnthropicUpstream, stream: bool
) -> None:
    """Input, cache and output tokens are priced by kind, to the nanodollar, and stand in the record."""
    upstream.script = Script(
        usage={
            "input_tokens": 100,
            "cache_read_input_tokens": 1_000,
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
        },
        final_usage={"output_tokens": 50},
    )
    response = client.post("/v1/messages", json=message(stream=stream))
    assert response.status_code == 200
    # 100 × $3 + 1,000 × $0.30 + 200 × $3.75 + 100 × $6 + 50 × $15, per million tokens
    cost = 100 * 3_000 + 1_000 * 300 + 200 * 3_750 + 100 * 6_000 + 50 * 15_000
    assert gateway.assert_settled() == cost
    [record] = gateway.records()
    assert (record.status, record.estimated, record.uncollected) == ("ok", False, 0)
    assert (record.counts.cache_read_tokens, record.counts.cache_write_1h_tokens) == (1_000, 100)
    assert record.request_id.startswith("req_")
    assert record.model_used == "claude-sonnet-4-5-20250929"


def test_headers_of_whole_answers_show_the_budget_after_and_of_streams_while_held(
    client: httpx.Client, upstream: AnthropicUpstream
) -> None:
    """A JSON answer is sent when it is settled; a stream's headers go out while its hold stands."""
    upstream.script = Script(usage={"input_tokens": 1_000}, final_usage={"output_tokens": 1_000})
    cost_usd = (1_000 * 3 + 1_000 * 15) / 1_000_000
    whole = client.post("/v1/messages", json=message())
    assert float(whole.headers["x-channeling-budget-remaining"]) == pytest.approx(5 - cost_usd, abs=1e-9)
    assert whole.headers["x-channeling-budget-limit"] == "5"
    stream = client.post("/v1/messages", json=message(stream=True))
    remaining = float(stream.headers["x-channeling-budget-remaining"])
    # One answer is settled, the next is held at what it is expected to write and its input bound.
    assert 5 - cost_usd - 0.02 < remaining < 5 - cost_usd


def test_aliases_and_the_long_context_suffix_change_the_model_alone(
    gateway: GatewayServer, client: httpx.Client, upstream: AnthropicUpstream
) -> None:
    """`[1m]` is cut where it stands in the body; every other byte goes up as it came."""
    body = orjson.dumps(message(model="claude-sonnet-4-5-20250929[1m]"))
    assert client.post("/v1/messages", content=body).status_code == 200
    [seen] = upstream.requests
    assert seen.body == body.replace(b"[1m]", b"")
