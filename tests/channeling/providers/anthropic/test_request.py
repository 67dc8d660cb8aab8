"""What goes up is the client's own bytes, spliced only where it must be; headers and addresses likewise."""

from typing import Any

import orjson
import pytest

from channeling.errors import InvalidRequest
from channeling.message_request import MessageRequest, parse_count_tokens_request, parse_message_request
from channeling.providers.anthropic.request import (
    counting_body,
    least_max_tokens,
    response_headers,
    upstream_body,
    upstream_headers,
    upstream_url,
)

SIGNED = '{"type":"thinking","thinking":"hm","signature":"EqQB"}'
UNSIGNED = '{"type": "thinking",\n "thinking": "hm \u4f60", "signature": ""}'
OURS = '{"type":"thinking","thinking":"","signature":"channeling:openai:abc"}'
REDACTED_OURS = '{"type":"redacted_thinking","data":"channeling:x"}'
SEARCH_OURS = '{"type":"server_tool_use","id":"srvtoolu_channeling_1","name":"web_search","input":{}}'
FOUND_OURS = '{"type":"web_search_tool_result","tool_use_id":"srvtoolu_channeling_1","content":[{"a":1}]}'
SEARCH = '{"type":"server_tool_use","id":"srvtoolu_01","name":"web_search","input":{}}'
FOUND = '{"type":"web_search_tool_result","tool_use_id":"srvtoolu_01","content":[]}'
CITED_OURS = '{"citations" : [{"encrypted_index":"channeling:web_search"} ],"type":"text","text":"rain"}'
WITHOUT_CITATIONS = '{"citations" : null,"type":"text","text":"rain"}'
CITED = '{"citations" : [{"encrypted_index":"EqQB"} ],"type":"text","text":"rain"}'
TEXT = '{"type":"text","text":"said \\u4f60 \\"]}"}'
USER = '{"role":"user","content":"hi"}'


def request_of(text: str) -> MessageRequest:
    return parse_message_request(text.encode())


def with_messages(*messages: str) -> str:
    return '{ "model":"m", "max_tokens" : 100,\n"messages": [' + ", ".join(messages) + '],"x":[1 ,2]}\n'


def assistant(*blocks: str) -> str:
    return '{"role":"assistant", "content" : [ ' + " , ".join(blocks) + " ]}"


def test_a_body_that_needs_no_edit_is_the_same_object() -> None:
    body = with_messages(USER, assistant(SIGNED, TEXT), USER).encode()
    request = parse_message_request(body)
    assert upstream_body(request, model="m") is body
    assert upstream_body(request, model="m", max_tokens=100) is body


def test_nothing_but_the_model_changes() -> None:
    text = '\t{"messages":[{"content":"the \\"model\\":\\"x\\""}],"max_tokens":5 ,"model" : "a[1m]" }'
    sent = upstream_body(request_of(text), model='claude-"\u00e9"')
    assert sent.decode() == text.replace('"a[1m]"', '"claude-\\"\u00e9\\""')


@pytest.mark.parametrize(
    ("thinking", "max_tokens", "clamp", "sent_thinking"),
    [
        ('{"type":"adaptive"}', 32_000, 64, '{"type":"adaptive"}'),
        ('{"type":"disabled"}', 32_000, 64, '{"type":"disabled"}'),
        (
            '{"budget_tokens" : 31999,"type":"enabled"}',
            32_000,
            20_000,
            '{"budget_tokens" : 19936,"type":"enabled"}',
        ),
        (
            '{"budget_tokens":31999,"type":"enabled"}',
            32_000,
            1_088,
            '{"budget_tokens":1024,"type":"enabled"}',
        ),
        (
            '{"budget_tokens":2000,"type":"enabled"}',
            32_000,
            20_000,
            '{"budget_tokens":2000,"type":"enabled"}',
        ),
        # Interleaved thinking may have a budget over max_tokens; the clamp makes it an ordinary one.
        (
            '{"budget_tokens":50000,"type":"enabled"}',
            32_000,
            20_000,
            '{"budget_tokens":19936,"type":"enabled"}',
        ),
    ],
)
def test_a_clamp_keeps_thinking_valid(thinking: str, max_tokens: int, clamp: int, sent_thinking: str) -> None:
    text = f'{{"model":"m","thinking": {thinking},"messages":[{USER}],"max_tokens": {max_tokens}}}'
    sent = upstream_body(request_of(text), model="m", max_tokens=clamp).decode()
    assert sent == text.replace(f" {max_tokens}}}", f" {clamp}}}").replace(thinking, sent_thinking)


@pytest.mark.parametrize(
    ("max_tokens", "thinking", "least"),
    [
        (32_000, None, 64),
        (10, None, 10),
        (32_000, {"type": "adaptive"}, 64),
        (32_000, {"type": "enabled", "budget_tokens": 2_000}, 1_088),
        (1_050, {"type": "enabled", "budget_tokens": 1_024}, 1_050),
    ],
)
def test_the_least_useful_answer(max_tokens: int, thinking: Any, least: int) -> None:
    body = {"model": "m", "max_tokens": max_tokens, "messages": [{}]} | (
        {"thinking": thinking} if thinking else {}
    )
    request = parse_message_request(orjson.dumps(body))
    assert least_max_tokens(request) == least
    assert orjson.loads(upstream_body(request, model="m", max_tokens=least))["max_tokens"] == least
    with pytest.raises(ValueError, match="under the least"):
        upstream_body(request, model="m", max_tokens=least - 1)


def test_a_clamp_holds_for_fallbacks_too() -> None:
    fallbacks = (
        '[{"model":"a","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":8000}} , '
        '{"model":"b"},{"model":"c","max_tokens":50}, null]'
    )
    text = f'{{"model":"m","messages":[{USER}],"max_tokens":9999,"fallbacks":{fallbacks}}}'
    sent = upstream_body(request_of(text), model="m", max_tokens=2_000).decode()
    assert sent == text.replace("9999", "2000").replace("9000", "2000").replace("8000", "1936")


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ((USER, assistant(OURS, TEXT)), (USER, assistant(TEXT))),
        ((USER, assistant(TEXT, UNSIGNED)), (USER, assistant(TEXT))),
        ((USER, assistant(OURS, UNSIGNED, TEXT, REDACTED_OURS, SIGNED)), (USER, assistant(TEXT, SIGNED))),
        ((USER, assistant(SIGNED, OURS, TEXT)), (USER, assistant(SIGNED, TEXT))),
        ((USER, assistant(OURS), USER, assistant(TEXT)), (USER, USER, assistant(TEXT))),
        ((assistant(OURS, UNSIGNED), USER), (USER,)),
        ((USER, assistant(OURS)), (USER,)),
        ((USER, assistant(OURS, TEXT), assistant(OURS), USER), (USER, assistant(TEXT), USER)),
        ((USER, assistant(OURS, SEARCH_OURS, FOUND_OURS, TEXT)), (USER, assistant(TEXT))),
        ((USER, assistant(SEARCH, FOUND, CITED)), (USER, assistant(SEARCH, FOUND, CITED))),
        ((USER, assistant(SEARCH_OURS, FOUND_OURS), USER), (USER, USER)),
        (
            (USER, assistant(SEARCH_OURS, FOUND_OURS, CITED_OURS, TEXT, CITED_OURS)),
            (USER, assistant(WITHOUT_CITATIONS, TEXT, WITHOUT_CITATIONS)),
        ),
        ((USER, '{"role":"user","content":[' + CITED_OURS + "]}"),) * 2,
        # Not an assistant's, or not blocks: not ours to touch.
        (
            (USER, '{"role":"user","content":[' + OURS + "]}"),
            (USER, '{"role":"user","content":[' + OURS + "]}"),
        ),
        ((USER, '{"role":"assistant","content":"x"}'), (USER, '{"role":"assistant","content":"x"}')),
        ((USER, assistant(), USER), (USER, assistant(), USER)),
    ],
)
def test_what_another_provider_made_is_taken_out(messages: tuple[str, ...], sent: tuple[str, ...]) -> None:
    body = upstream_body(request_of(with_messages(*messages)), model="m")
    assert orjson.loads(body) == orjson.loads(with_messages(*sent))
    for piece in (*sent, '{ "model":"m", "max_tokens" : 100,\n"messages": [', '],"x":[1 ,2]}\n'):
        for part in piece.split(" , "):
            assert part in body.decode(), "what stays must stay byte for byte"


def test_edits_go_together() -> None:
    text = with_messages(USER, assistant(UNSIGNED, TEXT))
    sent = upstream_body(request_of(text), model="claude", max_tokens=70)
    expected = with_messages(USER, assistant(TEXT)).replace('"m"', '"claude"').replace(" 100", " 70")
    assert sent.decode() == expected


def test_a_history_of_nothing_else_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="nothing is left"):
        upstream_body(request_of(with_messages(assistant(OURS))), model="m")


def test_a_count_for_a_message_asks_only_what_counting_takes() -> None:
    text = with_messages(USER, assistant(OURS, TEXT)).replace('"x":', '"system":"s","stream":true,"x":')
    counted = orjson.loads(counting_body(request_of(text), model="claude"))
    assert counted == {
        "model": "claude",
        "system": "s",
        "messages": orjson.loads(with_messages(USER, assistant(TEXT)))["messages"],
    }


def test_a_count_that_was_asked_for_goes_up_as_it_is() -> None:
    body = b'{"model":"m","messages":[{}], "anything":1}'
    assert counting_body(parse_count_tokens_request(body), model="m") is body


def test_the_clients_api_headers_go_up_and_nothing_else_of_it() -> None:
    client = [
        ("Anthropic-Version", "2024-10-22"),
        ("anthropic-beta", "a-2026-01-01,b"),
        ("anthropic-beta", "c"),
        ("anthropic-new-thing", "x"),
        ("X-Claude-Code-Session-Id", "s"),
        ("x-stainless-lang", "python"),
        ("user-agent", "claude-cli/2.1"),
        ("x-app", "cli"),
        ("authorization", "Bearer user-token"),
        ("x-api-key", "user-token"),
        ("cookie", "a=b"),
        ("host", "gateway"),
        ("connection", "keep-alive"),
        ("content-length", "7"),
        ("content-type", "text/plain"),
        ("accept-encoding", "gzip, br"),
        ("transfer-encoding", "chunked"),
        ("x-forwarded-for", "1.2.3.4"),
        ("proxy-authorization", "x"),
    ]
    assert sorted(upstream_headers(client, "sk-project")) == sorted(
        [
            ("content-type", "application/json"),
            ("accept-encoding", "identity"),
            ("x-api-key", "sk-project"),
            ("anthropic-version", "2024-10-22"),
            ("anthropic-beta", "a-2026-01-01,b"),
            ("anthropic-beta", "c"),
            ("anthropic-new-thing", "x"),
            ("x-claude-code-session-id", "s"),
            ("x-stainless-lang", "python"),
            ("user-agent", "claude-cli/2.1"),
            ("x-app", "cli"),
        ]
    )


def test_a_client_that_names_no_version_gets_the_one_there_is() -> None:
    headers = dict(upstream_headers([], "k"))
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["user-agent"] == "channeling"


@pytest.mark.parametrize(
    ("base_url", "query", "url"),
    [
        ("https://api.anthropic.com", "", "https://api.anthropic.com/v1/messages"),
        ("https://host/prefix/", "beta=true&a=%20", "https://host/prefix/v1/messages?beta=true&a=%20"),
    ],
)
def test_addresses(base_url: str, query: str, url: str) -> None:
    assert upstream_url(base_url, "/v1/messages", query) == url


def test_answers_bring_down_only_what_is_the_clients_business() -> None:
    upstream = [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("request-id", "req_1"),
        ("retry-after", "17"),
        ("retry-after-ms", "170"),
        ("x-should-retry", "true"),
        ("anthropic-new-thing", "x"),
        ("anthropic-ratelimit-requests-remaining", "4"),
        ("anthropic-ratelimit-unified-status", "allowed"),
        ("anthropic-organization-id", "org"),
        ("anthropic-workspace-id", "w"),
        ("set-cookie", "a=b"),
        ("content-encoding", "gzip"),
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("connection", "keep-alive"),
        ("keep-alive", "timeout=5"),
        ("server", "cloudflare"),
        ("date", "today"),
        ("cf-ray", "x"),
        ("strict-transport-security", "x"),
    ]
    assert response_headers(upstream) == [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("request-id", "req_1"),
        ("retry-after", "17"),
        ("retry-after-ms", "170"),
        ("x-should-retry", "true"),
        ("anthropic-new-thing", "x"),
    ]
