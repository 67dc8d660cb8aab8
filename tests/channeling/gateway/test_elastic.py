"""Elastic holds through the wire: streams are admitted at what is expected, extended, and cut in good order."""

import httpx
import orjson
import pytest

from channeling.projects.project import ProjectRules
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import LONG_TEXT, Script, Text, Thinking, ToolUse
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.strict_reader import read_strictly

# What the stand-in's answers cost: claude-sonnet-4-5 is $3 and $15 per million tokens.
INPUT_RATE, OUTPUT_RATE = 3_000, 15_000
LONG = Script(blocks=(Text(LONG_TEXT),), usage={"input_tokens": 100})


def stream(gateway: GatewayServer, limit_microusd: int, **changes: object) -> httpx.Response:
    body = message(**{"stream": True, "max_tokens": 32_000, **changes})
    token = gateway.token(limit_microusd=limit_microusd)
    return httpx.post(f"{gateway.base_url}/v1/messages", json=body, headers={"x-api-key": token}, timeout=30)


def test_an_answer_longer_than_expected_is_extended_and_comes_whole(
    own_gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """1,024 tokens are expected, 2,000 come: byte for byte as the provider sent them, billed as it reports."""
    upstream.script = LONG
    direct = httpx.post(
        f"{upstream.base_url}/v1/messages",
        json=message(stream=True, max_tokens=32_000),
        headers={"x-api-key": "sk-ant-direct"},
        timeout=30,
    )
    own_gateway.store_calls()
    answer = stream(own_gateway, 5_000_000)
    assert answer.status_code == 200
    assert answer.content == direct.content
    # Hold, at least one extension, settle.
    assert own_gateway.store_calls()["update", "budgets"] >= 4  # the first hold lays the window: two
    assert own_gateway.assert_settled() == 100 * INPUT_RATE + 2_000 * OUTPUT_RATE
    [record] = own_gateway.records()
    assert (record.cut, record.estimated, record.uncollected) == (False, False, 0)


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param((Text(LONG_TEXT),), id="text"),
        pytest.param((Thinking(LONG_TEXT), Text("Done.")), id="thinking"),
        pytest.param((ToolUse("write", {"text": LONG_TEXT}),), id="tool input"),
        pytest.param((Text("你好，世界。 " * 700),), id="CJK"),
    ],
)
def test_a_spent_budget_cuts_a_stream_in_good_order(
    own_gateway: GatewayServer,
    upstream: AnthropicUpstream,
    blocks: tuple[Text | Thinking | ToolUse, ...],
) -> None:
    """The open block is closed, `max_tokens` is the reason, the provider is left, the limit is kept."""
    limit = 20_000_000
    upstream.script = Script(blocks=blocks, usage={"input_tokens": 100}, ending="hang")
    answer = stream(own_gateway, limit // 1_000)
    assert answer.status_code == 200
    read = read_strictly(answer.content)
    assert read.message["stop_reason"] == "max_tokens"
    upstream.wait_until(lambda requests: requests[0].client_left)
    settled = own_gateway.assert_settled()
    assert 0 < settled <= limit
    [record] = own_gateway.records()
    assert (record.status, record.cut, record.estimated, record.uncollected) == ("ok", True, True, 0)
    assert record.stop_reason == "max_tokens"
    again = stream(own_gateway, settled // 1_000)
    assert again.status_code == 429


def test_silence_is_cut_too(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """A provider that thinks without showing it bills for it: once that may have used the hold up, it is left,
    though neither a byte nor a ping made anyone look."""
    upstream.script = Script(usage={"input_tokens": 100}, final_usage={"output_tokens": 20})
    with GatewayServer(
        embedded_dynamodb, tables, upstream.base_url, settings_changes={"ping_after_s": 600.0}
    ) as gateway:
        for _ in range(20):  # so that short answers are expected
            assert stream(gateway, 5_000_000).status_code == 200
        settled = gateway.assert_settled()
        upstream.script = Script(usage={"input_tokens": 100}, ending="hang", records_before_ending=4)
        answer = stream(gateway, settled // 1_000 + 3_000)
        assert read_strictly(answer.content).message["stop_reason"] == "max_tokens"
        upstream.wait_until(lambda requests: requests[-1].client_left)
        gateway.assert_settled()
        assert [record.cut for record in gateway.records()].count(True) == 1


def test_eight_agents_that_each_cost_cents_are_never_refused(
    own_gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """Eight parallel requests for 32,000 tokens on a $5 budget: strict would hold $0.48 each for cents of use; here
    they hold what is expected."""
    upstream.script = Script(blocks=(Text(LONG_TEXT),), usage={"input_tokens": 1_000}, gated=True)
    token = own_gateway.token(limit_microusd=1_000_000)
    body = message(stream=True, max_tokens=32_000)
    with httpx.Client(base_url=own_gateway.base_url, headers={"x-api-key": token}, timeout=30) as client:
        answers = [
            client.send(client.build_request("POST", "/v1/messages", json=body), stream=True)
            for _ in range(8)
        ]
        assert [answer.status_code for answer in answers] == [200] * 8
        upstream.release()
        for answer in answers:
            assert b"message_stop" in answer.read()
    assert own_gateway.assert_settled() == 8 * (1_000 * INPUT_RATE + 2_000 * OUTPUT_RATE)
    assert not any(record.cut or record.uncollected for record in own_gateway.records())


@pytest.mark.parametrize(
    ("limit_microusd", "admitted"),
    [
        # Each holds 1,024 + 150 tokens of output and its input, $0.018: without a reserve six would fit,
        # or four, or one.
        pytest.param(110_000, 4, id="two streams' output is left to those that run"),
        pytest.param(75_000, 2, id="fewer where there is less"),
        # One that runs alone takes what there is: all of it is its own.
        pytest.param(20_000, 1, id="nothing is left beside nobody"),
    ],
)
def test_a_new_stream_leaves_what_running_ones_may_yet_need(
    own_gateway: GatewayServer, upstream: AnthropicUpstream, limit_microusd: int, admitted: int
) -> None:
    """Money that new streams would take at once is what keeps longer ones from being cut."""
    upstream.script = Script(gated=True)
    token = own_gateway.token(limit_microusd=limit_microusd)
    body = message(stream=True, max_tokens=32_000)
    with httpx.Client(base_url=own_gateway.base_url, headers={"x-api-key": token}, timeout=30) as client:
        answers = [
            client.send(client.build_request("POST", "/v1/messages", json=body), stream=True)
            for _ in range(6)
        ]
        assert [answer.status_code for answer in answers] == [200] * admitted + [429] * (6 - admitted)
        upstream.release()
        for answer in answers:
            answer.read()
        assert answers[-1].json()["error"]["details"]["error_code"] == "budget_held"
    own_gateway.assert_settled()


def test_a_strict_project_still_holds_the_worst_case(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """`strict` holds all of max_tokens, so that one such request fits at a time and none is ever cut."""
    upstream.script = Script(gated=True)
    with GatewayServer(
        embedded_dynamodb, tables, upstream.base_url, rules=ProjectRules("Demo", enforcement="strict")
    ) as gateway:
        token = gateway.token(limit_microusd=700_000)
        body = message(stream=True, max_tokens=32_000)
        with (
            httpx.Client(base_url=gateway.base_url, headers={"x-api-key": token}, timeout=30) as client,
            client.stream("POST", "/v1/messages", json=body) as first,
        ):
            assert first.status_code == 200
            refused = client.post("/v1/messages", json=body)
            assert refused.status_code == 429
            assert "held by requests in flight" in refused.json()["error"]["message"]
            upstream.release()
            assert b"message_stop" in first.read()
        gateway.assert_settled()


def test_a_clamped_stream_is_bounded_by_the_provider_itself(
    own_gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """Less than is expected is left and nobody holds: `max_tokens` is lowered to it, and nothing needs a cut."""
    upstream.script = LONG
    answer = stream(own_gateway, 10_000)
    assert answer.status_code == 200
    sent = orjson.loads(upstream.requests[-1].body)["max_tokens"]
    assert 500 < sent < 667
    assert own_gateway.assert_settled() == 100 * INPUT_RATE + sent * OUTPUT_RATE
    [record] = own_gateway.records()
    assert (record.clamped, record.cut, record.estimated) == (True, False, False)


def test_an_answer_that_comes_whole_holds_all_of_its_max_tokens(
    own_gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """Nothing can be metered, or cut, of an answer that is not streamed, so its worst case is held."""
    upstream.script = LONG
    token = own_gateway.token(limit_microusd=5_000_000)
    answer = httpx.post(
        f"{own_gateway.base_url}/v1/messages",
        json=message(max_tokens=2_000),
        headers={"x-api-key": token},
        timeout=30,
    )
    assert answer.status_code == 200
    # Lay the window, hold, settle: had it held less, its bill would have needed an extension.
    assert own_gateway.store_calls()["update", "budgets"] == 3
    own_gateway.assert_settled()
