"""What translating for OpenAI adds to a request and to each event of a stream: `python -m bench.translate_bench`.

Times are of this process's own CPU, the least of several rounds: what the code takes, not what else is running.
Each is shown beside `json.loads` + `json.dumps` of the same bytes, which is a unit that travels between machines.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from channeling.message_request import parse_message_request
from channeling.providers.openai.adapter import OpenAIAdapter
from channeling.providers.openai.reasoning_signature import SealedReasoning, seal
from channeling.providers.provider_adapter import MessageCall, UpstreamTarget

GREATEST_REQUEST_MS, GREATEST_EVENT_US = 1.0, 30.0
REQUEST_BYTES = 100_000
EVENTS = 2_000
_ROUNDS = 15
_TARGET = UpstreamTarget("https://api.openai.com/v1", "sk-bench", "gpt-5.2")
_SEED = 7


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds that one piece of work takes, and those of reading and writing the same bytes as JSON."""

    name: str
    seconds: float
    json_seconds: float
    greatest_seconds: float | None = None

    @property
    def ratio(self) -> float:
        """How often the same bytes could be read and written as JSON in that time."""
        return self.seconds / self.json_seconds

    @property
    def is_within(self) -> bool:
        """Whether it is under its bound, if it has one."""
        return self.greatest_seconds is None or self.seconds < self.greatest_seconds


def request_body(size: int = REQUEST_BYTES) -> bytes:
    """Return a request as an agent sends it: a long system prompt, twenty tools, a tool loop with thinking."""
    rng = random.Random(_SEED)
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Find out why the build fails."}]
    body: dict[str, Any] = {
        "model": "gpt-5.2",
        "max_tokens": 32_000,
        "stream": True,
        "thinking": {"type": "adaptive"},
        "system": [{"type": "text", "text": _prose(rng, 12_000), "cache_control": {"type": "ephemeral"}}],
        "tools": [_tool(rng, number) for number in range(20)],
        "metadata": {"user_id": "user_" + "ab" * 32},
        "messages": messages,
    }
    turn = 0
    while len(json.dumps(body)) < size:
        turn += 1
        sealed = seal(SealedReasoning(f"rs_{turn:048}", "gAAAA" + "x" * 600, ("A thought.",)))
        messages += [
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "A thought.", "signature": sealed},
                    {"type": "text", "text": _prose(rng, 120)},
                    {
                        "type": "tool_use",
                        "id": f"call_{turn}",
                        "name": f"tool_{turn % 20}",
                        "input": {"path": _prose(rng, 40), "limit": turn},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": f"call_{turn}",
                        "content": [{"type": "text", "text": _prose(rng, 1_500)}],
                    }
                ],
            },
        ]
    return json.dumps(body).encode()


def stream_records(kind: str, count: int = EVENTS) -> list[bytes]:
    """Return the records of a stream of `count` deltas: of text, of thinking, or of a tool's input."""
    rng = random.Random(_SEED)
    item: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress"}
    delta: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
    name = "response.output_text.delta"
    match kind:
        case "text":
            item["content"] = []
        case "thinking":
            item = {"id": "rs_1", "type": "reasoning", "summary": []}
            delta = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
            name = "response.reasoning_summary_text.delta"
        case "tool input":
            item = {
                "id": "fc_1",
                "type": "function_call",
                "call_id": "call_1",
                "name": "write",
                "arguments": "",
            }
            delta = {"item_id": "fc_1", "output_index": 0}
            name = "response.function_call_arguments.delta"
    response = {"id": "resp_1", "model": "gpt-5.2", "status": "in_progress", "output": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
    ]
    events += [{"type": name, **delta, "delta": _prose(rng, 5)} for _ in range(count)]
    return [
        b"event: %b\ndata: %b\n\n"
        % (event["type"].encode(), json.dumps({**event, "sequence_number": n}).encode())
        for n, event in enumerate(events)
    ]


def measure() -> list[Figure]:
    """Return all figures."""
    raw = request_body()
    request = parse_message_request(raw)
    document = _json_seconds([raw])
    figures = [
        Figure("request: read", _least_seconds(lambda: parse_message_request(raw)), document),
        Figure(
            "request: translate", _least_seconds(lambda: _call(request)), document, GREATEST_REQUEST_MS / 1e3
        ),
    ]
    for kind in ("text", "thinking", "tool input"):
        records = stream_records(kind)
        data = [record.partition(b"data: ")[2] for record in records]
        seconds = _least_seconds(partial(_feed, request, records)) / len(records)
        json_seconds = _json_seconds(data) / len(data)
        figures.append(Figure(f"event: {kind}", seconds, json_seconds, GREATEST_EVENT_US / 1e6))
    return figures


def table_of(figures: list[Figure]) -> str:
    """Return the figures as a table."""
    lines = [f"{'':24}{'time':>12}{'bound':>12}{'json.loads+dumps':>20}{'ratio':>8}"]
    for figure in figures:
        bound = "" if figure.greatest_seconds is None else f"{figure.greatest_seconds * 1e6:,.0f} us"
        over = "" if figure.is_within else "  over its bound"
        lines.append(
            f"{figure.name:24}{figure.seconds * 1e6:>9,.1f} us{bound:>12}{figure.json_seconds * 1e6:>17,.1f} us"
            f"{figure.ratio:>8.2f}{over}"
        )
    return "\n".join(lines)


def _call(request: Any) -> MessageCall:
    return OpenAIAdapter().message_call(
        request, _TARGET, max_tokens=None, client_headers=[], query="", request_id="req_bench"
    )


def _feed(request: Any, records: list[bytes]) -> None:
    stream = _call(request).reader.stream()
    for record in records:
        stream.feed(record)
    if stream.ended:
        raise RuntimeError("the stream failed, so that nothing was measured")


def _json_seconds(texts: list[bytes]) -> float:
    return _least_seconds(lambda: [json.dumps(json.loads(text)) for text in texts])


def _least_seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def _prose(rng: random.Random, length: int) -> str:
    words = (
        "the",
        "build",
        "fails",
        "in",
        "module",
        "naïve",
        "because",
        "von",
        "漢字",
        "a",
        "test",
        "times",
        "out",
    )
    text = " ".join(rng.choice(words) for _ in range(length // 4 + 1))
    return text[:length]


def _tool(rng: random.Random, number: int) -> dict[str, Any]:
    properties = {
        f"parameter_{index}": {"type": "string", "description": _prose(rng, 80)} for index in range(6)
    }
    schema = {"type": "object", "properties": properties, "required": ["parameter_0"], "$schema": "https://x"}
    return {"name": f"tool_{number}", "description": _prose(rng, 400), "input_schema": schema}


def main() -> None:
    """Print the figures; exit 1 where one is over its bound."""
    figures = measure()
    print(f"A request of {len(request_body()):,} bytes, streams of {EVENTS:,} deltas")
    print(table_of(figures))
    sys.exit(0 if all(figure.is_within for figure in figures) else 1)


if __name__ == "__main__":
    main()
