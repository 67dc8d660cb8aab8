"""Anthropic's own SDKs, newest and old, blocking and asyncio, Python and TypeScript, work through the gateway."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.clients.client_program import ClientProgram, Done
from tests.clients.scenarios import BETAS, IN_STREAM, MODEL, SCENARIOS, Raised, Scenario
from tests.clients.served_gateway import PROVIDER_KEY, ServedGateway
from tests.stand_ins.anthropic_script import Script, Text, Thinking, events_of, message_of
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.raw_http import RecordedRequest

CLIENTS = ("python-sync", "python-async", "python-old-sync", "python-old-async", "typescript")
# Old SDKs send the key as x-api-key, new ones as Authorization: Bearer.
CREDENTIAL_HEADER = dict.fromkeys(CLIENTS, "authorization") | {
    "python-old-sync": "x-api-key",
    "python-old-async": "x-api-key",
}
ERROR_CLASSES = {
    400: {"BadRequestError"},
    401: {"AuthenticationError"},
    404: {"NotFoundError"},
    429: {"RateLimitError"},
    529: {"OverloadedError", "InternalServerError"},
    # An error inside a stream has no status of its own.
    200: {"APIStatusError", "APIError"},
}
# By hand from Anthropic's price list: nanodollars per token.
INPUT, OUTPUT, CACHE_READ, CACHE_WRITE_5M, CACHE_WRITE_1H = 3_000, 15_000, 300, 3_750, 6_000

ClientNamed = Callable[[str], ClientProgram]


def runs() -> list[Any]:
    return [
        pytest.param(
            client, name, id=f"{client}-{name}", marks=[pytest.mark.node] if client == "typescript" else []
        )
        for client in CLIENTS
        for name, scenario in SCENARIOS.items()
        if client not in scenario.left_out
    ]


def each_client() -> list[Any]:
    return [
        pytest.param(client, marks=[pytest.mark.node] if client == "typescript" else []) for client in CLIENTS
    ]


@pytest.mark.parametrize("client", each_client())
def test_every_client_knows_every_operation_of_the_table(client: str, client_program: ClientNamed) -> None:
    asked = {scenario.operation for scenario in SCENARIOS.values()}
    assert set(client_program(client).operations()) == asked


def test_who_is_left_out_is_a_client_with_a_reason() -> None:
    for name, scenario in SCENARIOS.items():
        assert scenario.left_out.keys() <= {"python-old-sync", "python-old-async"}, name
        assert all(scenario.left_out.values()), name


@pytest.mark.parametrize(("client", "name"), runs())
def test_scenario(
    client: str, name: str, client_program: ClientNamed, gateway: ServedGateway, upstream: AnthropicUpstream
) -> None:
    scenario = SCENARIOS[name]
    age_s = 7_200 if scenario.expired else 0
    token = gateway.token(f"{client} {name}", limit_microusd=scenario.limit_microusd, age_s=age_s)
    program = client_program(client)
    upstream.script = scenario.script
    seen_before = len(upstream.requests)

    def do(**hooks: Callable[[], None]) -> Done:
        return program.do(
            scenario.operation,
            base_url=gateway.base_url,
            token=token,
            request=scenario.full_request(),
            options=dict(scenario.options),
            **hooks,
        )

    if name == "budget held by another request":
        done, settled_before = _do_while_held(gateway, upstream, token, do)
        seen_before += 1
    elif name == "twenty streams at once":
        done, settled_before = do(after_sending=lambda: _release_twenty(upstream, seen_before)), 0
    else:
        if scenario.operation == "leave":
            upstream.release(scenario.options["after_texts"])
        done, settled_before = do(), 0

    seen = [
        request
        for request in upstream.requests[seen_before:]
        if scenario.operation.endswith("count_tokens") or not request.path.endswith("count_tokens")
    ]
    _check_the_wire(client, scenario, token, done, seen)
    if scenario.error is not None:
        _check_error(scenario, scenario.error, done)
    _check_result(name, scenario, done, seen, upstream, gateway)
    if not scenario.expired:
        settled = int(Decimal(gateway.settled_budget(token)["settled"]) * 10**9)
        _check_bill(scenario, done, settled - settled_before)


def _do_while_held(
    gateway: ServedGateway, upstream: AnthropicUpstream, token: str, do: Callable[..., Done]
) -> tuple[Done, int]:
    """Have another request hold the budget until the client was refused once; return its cost too."""
    seen_before = len(upstream.requests)
    upstream.then(Script(blocks=(Text("one two"),), gated=True, input_tokens=11))
    let_go = threading.Event()

    def let_the_other_end() -> None:
        if not let_go.is_set():
            let_go.set()
            upstream.release(1)

    messages = [{"role": "user", "content": "Hold"}]
    holder = gateway.hold_open(token, {"model": MODEL, "max_tokens": 600, "messages": messages})
    try:
        upstream.wait_until(lambda requests: len(requests) > seen_before)
        done = do(on_refusal=let_the_other_end)
    finally:
        let_the_other_end()
        upstream.wait_until(lambda requests: requests[seen_before].answered)
        holder.join(20)
    return done, 11 * INPUT + 2 * OUTPUT


def _release_twenty(upstream: AnthropicUpstream, seen_before: int) -> None:
    """Let all twenty go on only when all of them have arrived: one after the other would never end."""
    upstream.wait_until(lambda requests: len(requests) == seen_before + 20)
    upstream.release(20 * _expected_message(SCENARIOS["twenty streams at once"])["usage"]["output_tokens"])


def _check_the_wire(
    client: str, scenario: Scenario, token: str, done: Done, seen: list[RecordedRequest]
) -> None:
    """The client's bytes reach the upstream as they are, with the project's key, and the token never does."""
    bearer = scenario.options.get("credential") == "auth_token"
    header = "authorization" if bearer else CREDENTIAL_HEADER[client]
    assert [request["credentials"] for request in done.requests] == [[header]] * len(done.requests)
    refused_here = scenario.expired or scenario.limit_microusd == 1 or scenario.operation == "models"
    sent = set() if refused_here else {request["sha256"] for request in done.requests}
    assert {hashlib.sha256(request.body).hexdigest() for request in seen} == sent
    for request in seen:
        assert request.header("x-api-key") == PROVIDER_KEY
        assert request.header("authorization") is None
        # `beta=true` from old SDKs, nothing from new ones.
        assert request.query == done.requests[0]["query"]
        assert request.header("anthropic-version") == done.requests[0]["version"]
        assert token not in str(request.headers) + request.query


def _check_error(scenario: Scenario, error: Raised, done: Done) -> None:
    status, error_type, message, is_all = error
    raised = done.result["error"]
    assert raised["class"] in ERROR_CLASSES[status]
    assert raised["status"] in ({200, None} if status == 200 else {status})
    assert raised["body"]["type"] == "error"
    assert raised["body"]["error"]["type"] == error_type
    said = raised["body"]["error"]["message"]
    assert said == message if is_all else message in said
    assert raised["body"]["request_id"].startswith("req_")
    if scenario.operation != "models":
        assert done.statuses == [status], "it was tried again"


def _check_result(
    name: str,
    scenario: Scenario,
    done: Done,
    seen: list[RecordedRequest],
    upstream: AnthropicUpstream,
    gateway: ServedGateway,
) -> None:
    result = done.result
    if scenario.error is None:
        assert "error" not in result
    match name:
        case "json" | "json with Authorization: Bearer":
            assert result["request_id"] == f"req_standin_{len(upstream.requests)}"
        case "budget spent" | "budget spent, streamed":
            assert result["error"]["body"]["error"]["details"]["error_code"] == "budget_exceeded"
        case "budget held by another request":
            assert done.statuses[0] == 429
            assert done.statuses[-1] == 200
        case "models":
            _check_models(scenario, done)
        case "beta headers":
            assert seen[0].header("anthropic-beta") == ",".join(BETAS)
        case "count of tokens" | "count of tokens, beta":
            assert (result["input_tokens"], seen[0].path) == (2_095, "/v1/messages/count_tokens")
        case "twenty streams at once":
            assert len(result["messages"]) == 20
        case "client leaves":
            assert result["texts"] == ["word ", "word "]
            if gateway.hears_of_leaving:
                upstream.wait_until(lambda _: seen[0].client_left)
                assert not seen[0].answered
            else:
                # To its end, and no more: what is released and not used lets later answers through.
                upstream.release(scenario.full_request()["max_tokens"] - scenario.options["after_texts"])
                upstream.wait_until(lambda _: seen[0].answered)
        case "a thousand deltas":
            assert result["texts"] == ["word "] * 1_000
    if scenario.error is None and not scenario.operation.endswith("count_tokens"):
        _check_messages(scenario, done, seen)


def _check_models(scenario: Scenario, done: Done) -> None:
    ids = done.result["ids"]
    assert len(ids) == len(set(ids)) > 2 * scenario.options["limit"]
    assert all(model.startswith("claude-") for model in ids)
    assert done.result["first"] == ids[0]
    pages = -(-len(ids) // scenario.options["limit"])
    assert done.statuses == [200] * (pages + 1) + [404]


def _check_messages(scenario: Scenario, done: Done, seen: list[RecordedRequest]) -> None:
    """What the SDK read is what the upstream said, down to the last field."""
    result, expected = done.result, _expected_message(scenario)
    for message in _messages_of(done):
        _assert_holds(message, expected)
    if scenario.operation == "events":
        events = [data for name, data in _expected_events(scenario) if name != "ping"]
        assert result["events"] == events
    if scenario.operation == "text_stream":
        assert "".join(result["texts"]) == expected["content"][0]["text"]
    if "partial_json" in result:
        whole = "".join(result["partial_json"])
        inputs = [block["input"] for block in expected["content"] if block["type"] == "tool_use"] * 2
        assert list(_json_values(whole)) == inputs
        assert len(result["partial_json"]) > len(inputs), "it came in one piece"
    if scenario.operation == "two_turns_streamed" and isinstance(scenario.script.blocks[0], Thinking):
        assert "".join(result["thinking"]) == scenario.script.blocks[0].text * 2
    if scenario.operation.startswith("two_turns"):
        first, second = (request.json()["messages"] for request in seen)
        assert [second[0], second[2]] == [first[0], scenario.options["next_turn"]]
        assert second[1]["role"] == "assistant"
        _assert_holds(second[1]["content"], expected["content"])
        for block in scenario.script.blocks:
            if isinstance(block, Thinking):
                assert second[1]["content"][0] == {
                    "type": "thinking",
                    "thinking": block.text,
                    "signature": block.signature,
                }
    if "system" in scenario.request:
        assert seen[0].json()["system"] == scenario.request["system"]


def _check_bill(scenario: Scenario, done: Done, settled: int) -> None:
    """The budget is charged what the SDK's own usage numbers come to at Anthropic's list prices."""
    if scenario.operation == "leave":
        assert settled >= 2 * OUTPUT
    elif scenario.error is None:
        assert settled == sum(_cost(message["usage"]) for message in _messages_of(done))
    elif scenario.error.status == IN_STREAM:
        # What was generated before the stream broke off is charged: an estimate, within what the request allowed.
        assert 11 * INPUT + OUTPUT <= settled <= 11 * INPUT + scenario.full_request()["max_tokens"] * OUTPUT
    else:
        assert settled == 0


def _messages_of(done: Done) -> list[dict[str, Any]]:
    result = done.result
    if "events" in result:
        return [message_of((event["type"], json.loads(json.dumps(event))) for event in result["events"])]
    return [*result.get("messages", []), *(result[key] for key in ("message", "second") if key in result)]


def _cost(usage: Mapping[str, Any]) -> int:
    writes = usage.get("cache_creation") or {}
    return (
        usage["input_tokens"] * INPUT
        + usage["output_tokens"] * OUTPUT
        + (usage.get("cache_read_input_tokens") or 0) * CACHE_READ
        + writes.get("ephemeral_5m_input_tokens", 0) * CACHE_WRITE_5M
        + writes.get("ephemeral_1h_input_tokens", 0) * CACHE_WRITE_1H
    )


def _expected_events(scenario: Scenario) -> list[tuple[str, dict[str, Any]]]:
    script = scenario.script
    assert script.input_tokens is not None
    max_tokens = scenario.full_request()["max_tokens"]
    return list(events_of(script, model=MODEL, max_tokens=max_tokens, input_tokens=script.input_tokens))


def _expected_message(scenario: Scenario) -> dict[str, Any]:
    return message_of(iter(_expected_events(scenario)))


def _assert_holds(found: Any, expected: Any, where: str = "message") -> None:
    """`found` has all that is expected, and may have fields beside it."""
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            _assert_holds(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            _assert_holds(found[index], value, f"{where}[{index}]")
    else:
        assert found == expected, where


def _json_values(text: str) -> list[Any]:
    """Parse JSON values that stand one behind the other."""
    decoder, values, position = json.JSONDecoder(), [], 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        values.append(value)
    return values
