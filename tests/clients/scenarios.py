"""The one table of what every official SDK must be able to do through the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.stand_ins.anthropic_script import LONG_TEXT, NAMED_SCRIPTS, Script, Text, Thinking, ToolUse

MODEL = "claude-sonnet-4-6"

UNICODE = (
    "漢字とかな \U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 ß line\u2028separator \u2029 nel\x85 vt\x0b "
    "\\u0041 \x00\x7f \ufeff end"
)
SIGNATURE = "EqQB+/Zm9v" + "Ab3/+" * 200 + "=="


class Raised(NamedTuple):
    """An error as clients see it; `message` is all of it, or else a part of it."""

    status: int
    type: str
    message: str
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a client is asked to do, and what the upstream answers.

    `error` is what the client must raise; `left_out` gives, by client, why it cannot take part.
    """

    operation: str
    script: Script = field(default_factory=lambda: Script(input_tokens=11))
    request: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    error: Raised | None = None
    limit_microusd: int = 5_000_000
    expired: bool = False

    def full_request(self) -> dict[str, Any]:
        """Return the request with what every one has."""
        bound = {} if self.operation.endswith("count_tokens") else {"max_tokens": 200}
        return {
            "model": MODEL,
            **bound,
            "messages": [{"role": "user", "content": "Hello"}],
            **self.request,
        }


def _old(reason: str) -> dict[str, str]:
    return {"python-old-sync": reason, "python-old-async": reason}


NO_THINKING = _old("anthropic 0.40.0 knows no thinking blocks; 0.47 was the first")
NO_MODELS = _old("anthropic 0.40.0 has no client.models; 0.43 was the first")
NO_COUNT = _old("anthropic 0.40.0 counts tokens only under client.beta, which is a scenario of its own")

TOOLS = [
    {
        "name": name,
        "description": f"Says the {what}.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    for name, what in (("get_weather", "weather"), ("get_time", "time"))
]
TOOL_IDS = ("toolu_standin00000000000000", "toolu_standin00000000000001")
TOOL_SCRIPT = Script(
    blocks=(
        Text("I will look."),
        ToolUse("get_weather", {"city": "København 漢", "days": [1, 2.5, None, True]}, id=TOOL_IDS[0]),
        ToolUse("get_time", {}, id=TOOL_IDS[1]),
    ),
    stop_reason="tool_use",
    input_tokens=11,
)
TOOL_RESULTS = {
    "role": "user",
    "content": [
        {"type": "tool_result", "tool_use_id": TOOL_IDS[0], "content": "rain"},
        {"type": "tool_result", "tool_use_id": TOOL_IDS[1], "content": "no clock", "is_error": True},
    ],
}
TOOL_TURNS: dict[str, Any] = {
    "script": TOOL_SCRIPT,
    "request": {"tools": TOOLS},
    "options": {"next_turn": TOOL_RESULTS},
}
THINKING_SCRIPT = Script(
    blocks=(Thinking(f"Let me think: {UNICODE}", SIGNATURE), Text("Done thinking.")), input_tokens=11
)
THINKING_TURNS: dict[str, Any] = {
    "script": THINKING_SCRIPT,
    "request": {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 2_048},
    "options": {"next_turn": {"role": "user", "content": "Go on"}},
    "left_out": NO_THINKING,
}
CACHED_SYSTEM = {
    "system": [
        {"type": "text", "text": "You are terse.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": UNICODE},
    ]
}
BETAS = ["context-1m-2025-08-07", "token-efficient-tools-2025-02-19"]
SPENT = Raised(429, "rate_limit_error", "AI budget exceeded for user")
OVERLOADED = "Overloaded"
TOO_LONG = "prompt is too long: 210883 tokens > 199999 maximum"
EXPIRED = "expired"
IN_STREAM = 200
BROKEN_OFF = Raised(IN_STREAM, "api_error", "upstream provider", is_all=False)

SCENARIOS: Mapping[str, Scenario] = {
    "json": Scenario("create"),
    "json with Authorization: Bearer": Scenario("create", options={"credential": "auth_token"}),
    "stream of raw events": Scenario("events"),
    "stream helper": Scenario("helper"),
    "text stream": Scenario("text_stream"),
    "tools, json": Scenario("two_turns", **TOOL_TURNS),
    "tools, streamed": Scenario("two_turns_streamed", **TOOL_TURNS),
    "thinking, json": Scenario("two_turns", **THINKING_TURNS),
    "thinking, streamed": Scenario("two_turns_streamed", **THINKING_TURNS),
    "several turns": Scenario(
        "two_turns", options={"next_turn": {"role": "user", "content": [{"type": "text", "text": "More"}]}}
    ),
    "cached system blocks, json": Scenario("create", NAMED_SCRIPTS["cached"][0], CACHED_SYSTEM),
    "cached system blocks, streamed": Scenario("helper", NAMED_SCRIPTS["cached"][0], CACHED_SYSTEM),
    "count of tokens": Scenario("count_tokens", Script(input_tokens=2_095), left_out=NO_COUNT),
    "count of tokens, beta": Scenario("beta_count_tokens", Script(input_tokens=2_095)),
    "models": Scenario(
        "models",
        options={"limit": 7},
        left_out=NO_MODELS,
        error=Raised(404, "not_found_error", "claude-nowhere", is_all=False),
    ),
    "beta headers": Scenario("beta_create", request={"betas": BETAS}),
    "budget spent": Scenario("create", limit_microusd=1, error=SPENT),
    "budget spent, streamed": Scenario("helper", limit_microusd=1, error=SPENT),
    "budget held by another request": Scenario("create", limit_microusd=9_700),
    "expired token": Scenario(
        "create", expired=True, error=Raised(401, "authentication_error", EXPIRED, is_all=False)
    ),
    "overloaded": Scenario(
        "create",
        NAMED_SCRIPTS["529"][0],
        options={"max_retries": 0},
        error=Raised(529, "overloaded_error", OVERLOADED),
    ),
    "overloaded inside the stream": Scenario(
        "helper",
        replace(NAMED_SCRIPTS["error-event"][0], input_tokens=11),
        error=Raised(IN_STREAM, "overloaded_error", OVERLOADED),
    ),
    "overloaded among raw events": Scenario(
        "events",
        replace(NAMED_SCRIPTS["error-event"][0], input_tokens=11),
        error=Raised(IN_STREAM, "overloaded_error", OVERLOADED),
    ),
    "upstream dies": Scenario("helper", replace(NAMED_SCRIPTS["dies"][0], input_tokens=11), error=BROKEN_OFF),
    "upstream dies among raw events": Scenario(
        "events", replace(NAMED_SCRIPTS["dies"][0], input_tokens=11), error=BROKEN_OFF
    ),
    "upstream ends too early": Scenario(
        "helper", replace(NAMED_SCRIPTS["clean-eof"][0], input_tokens=11), error=BROKEN_OFF
    ),
    "upstream says garbage": Scenario(
        "helper", replace(NAMED_SCRIPTS["garbage"][0], input_tokens=11), error=BROKEN_OFF
    ),
    "bad request": Scenario(
        "create", NAMED_SCRIPTS["400"][0], error=Raised(400, "invalid_request_error", TOO_LONG)
    ),
    "bad request, streamed": Scenario(
        "helper", NAMED_SCRIPTS["400"][0], error=Raised(400, "invalid_request_error", TOO_LONG)
    ),
    "unicode, json": Scenario(
        "create", Script(blocks=(Text(UNICODE),), input_tokens=11), {"system": UNICODE}
    ),
    "unicode, byte by byte": Scenario(
        "helper", Script(blocks=(Text(UNICODE),), bytes_per_write=1, input_tokens=11), {"system": UNICODE}
    ),
    "unicode, CRLF in pieces of three": Scenario(
        "events", Script(blocks=(Text(UNICODE),), line_end=b"\r\n", bytes_per_write=3, input_tokens=11)
    ),
    "compressed by the upstream": Scenario("helper", Script(compress=True, input_tokens=11)),
    "a thousand deltas": Scenario(
        "text_stream", Script(blocks=(Text(LONG_TEXT),), input_tokens=11), {"max_tokens": 1_000}
    ),
    "twenty streams at once": Scenario(
        "concurrent", Script(gated=True, input_tokens=11), options={"count": 20}
    ),
    "client leaves": Scenario(
        "leave", Script(blocks=(Text(LONG_TEXT),), gated=True, input_tokens=11), options={"after_texts": 2}
    ),
}
