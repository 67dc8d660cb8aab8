"""The lines of one message are found in a log, however a collector wraps them, and nothing that quotes them is."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from channeling_cli.log_lines import MAX_LINE_BYTES, Found, Unreadable, find_log_lines

MESSAGE = "not settled: the store did not answer"
OURS = {"timestamp": "t", "level": "ERROR", "logger": "channeling.requests", "message": MESSAGE, "cost": 7}
LINE = json.dumps(OURS)
TIME = "2026-11-24T11:00:00.123000+00:00"


def found(log: str | bytes) -> list[Found | Unreadable]:
    return list(find_log_lines(io.BytesIO(log.encode() if isinstance(log, str) else log), MESSAGE))


def reasons(log: str | bytes) -> Iterator[tuple[int, str]]:
    for each in found(log):
        assert isinstance(each, Unreadable)
        yield each.place, each.reason


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        f"  {LINE}  ",
        f"2026-11-24T11:00:00 {LINE}",
        f"{TIME} 2026/11/24/[$LATEST]0a1b2c {LINE}",
        f"gateway-1  | {LINE}",
        f"[pod/gateway-0] {LINE}",
        f"Nov 24 11:00:00 host channeling[123]: {LINE}",
        json.dumps({"timestamp": 1, "message": LINE + "\n", "eventId": "3"}),
        json.dumps({"@timestamp": "t", "@message": LINE}),
        json.dumps({"@timestamp": "t", "@message": OURS}),
        json.dumps({"log": LINE + "\n", "stream": "stderr", "time": "t"}),
        json.dumps({"log": f"{TIME} {LINE}"}),
    ],
    ids=range(12),
)
def test_a_line_is_found_whatever_stands_around_it(line: str) -> None:
    """Alone, behind a prefix, and inside a collector's own object; with other lines before and after."""
    others = json.dumps(OURS | {"message": "settled"}) + "\nINFO channeling: started\n"
    assert found(f"{others}{line}\n{others}") == [Found(3, OURS)]
    assert found(line) == [Found(1, OURS)]


@pytest.mark.parametrize(
    "document",
    [
        {"events": [{"message": "START"}, {"message": LINE, "timestamp": 1}], "searchedLogStreams": []},
        {
            "results": [
                [{"field": "@message", "value": "END"}, {"field": "@ptr", "value": LINE}],
                [{"field": "@timestamp", "value": "t"}, {"field": "@message", "value": LINE}],
            ]
        },
        [{"@message": "START"}, {"@timestamp": "t", "@message": OURS}],
        [{"@message": "START"}, {"@message": LINE}],
    ],
    ids=["filter-log-events", "get-query-results", "exported", "exported as text"],
)
@pytest.mark.parametrize("indent", [None, 4])
def test_a_whole_document_of_events_is_read(document: Any, indent: int | None) -> None:
    """What the AWS CLI and the console give, indented or on one line."""
    assert found(json.dumps(document, indent=indent) + "\n") == [Found(2, OURS)]


def test_every_line_is_found_in_its_place() -> None:
    log = "\n".join(["noise", LINE, LINE, "", json.dumps({"events": [{"message": LINE}] * 2})])
    assert [each.place for each in found(log)] == [2, 3, 5, 5]
    assert found(LINE.replace("\n", "\r\n") + "\r\n") == [Found(1, OURS)]
    assert found(b"") == []
    assert found(b"\n\n") == []


@pytest.mark.parametrize(
    "forged",
    [
        OURS | {"message": "settled", "user_id": LINE, "model_asked": MESSAGE},
        OURS | {"message": f"refused {LINE}"},
        {"logger": "x", "message": {"message": OURS}},
        {"model": LINE},
        {"level": "INFO", "user": OURS},
    ],
    ids=str,
)
def test_what_a_user_wrote_into_another_line_is_not_taken_for_one(forged: dict[str, Any]) -> None:
    """User ids, model names and messages of others may quote a line of ours, and stay quotes."""
    assert found(json.dumps(forged)) == []
    assert found(json.dumps([forged])) == []
    assert found(json.dumps({"events": [{"message": json.dumps(forged)}]})) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"ERROR channeling.requests: {MESSAGE}", "no JSON"),
        (f"WARNING channeling.app: someone asked for {LINE}", "quotes"),
        (f"2026-11-24 ERROR channeling.app: {LINE}", "quotes"),
        ("x" * 301 + LINE, "quotes"),
        (LINE[:-1], "cut off"),
        (LINE[: len(LINE) - 5], "cut off"),
        (LINE + "}", "cut off"),
        (f'"message": {json.dumps(LINE)},', "cut off"),
        (json.dumps({"message": LINE[:-1]}), "cut off"),
        ('{"a":' * 100_000 + json.dumps(MESSAGE), "cut off"),
        ("[" * 50 + LINE + "]" * 50, "nested"),
        ('{"message":' * 50 + json.dumps(MESSAGE) + "}" * 50, "nested"),
        ('{"n": ' + "9" * 5_000 + f', "message": "{MESSAGE}"}}', "cut off"),
        (LINE.encode() + b"\xff", "UTF-8"),
        (b'{"message": "' + MESSAGE.encode() + b'\x00\xfe"}', "UTF-8"),
        (LINE[:-1] + " " * MAX_LINE_BYTES + "}", "longer than"),
        ("y" * (3 * MAX_LINE_BYTES), "longer than"),
    ],
    ids=range(17),
)
def test_a_line_that_cannot_be_read_is_named_and_the_rest_goes_on(line: str | bytes, reason: str) -> None:
    """Cut off, quoted, nested, binary, huge: each by its number, and the lines around it are read."""
    bad = line.encode() if isinstance(line, str) else line
    first, second, third = found(b"\n".join([LINE.encode(), bad, LINE.encode()]))
    assert (first, third) == (Found(1, OURS), Found(3, OURS))
    assert isinstance(second, Unreadable)
    assert second.place == 2
    assert reason in second.reason
    (alone, after) = found(bad + b"\n" + LINE.encode())
    assert isinstance(alone, Unreadable)
    assert (alone.place, after) == (1, Found(2, OURS))


def test_binary_without_the_message_is_passed_over() -> None:
    assert found(bytes(range(256)) * 100 + b"\n" + LINE.encode()) != []
    assert found(b"\x1f\x8b\x00\xff\n\xfe{") == []
