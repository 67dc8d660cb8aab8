"""An invocation's payload is read as a function URL would read it, and an error is never taken for an answer."""

import pytest

from emulator.answer import Answer, FunctionFailed, parse_answer

NULS = b"\0" * 8


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (
            b'{"statusCode": 200, "headers": {"a": "b"}, "cookies": ["c=d"]}' + NULS + b"body",
            Answer(200, {"a": "b"}, ["c=d"], b"body"),
        ),
        (b'{"statusCode": 204}' + NULS, Answer(204, {}, [], b"")),
        (
            b'{"statusCode": 200, "headers": {"a": "b"}, "cookies": [], "body": "{}"}',
            Answer(200, {"a": "b"}, [], b"{}"),
        ),
        (b'{"statusCode": 204, "body": null}', Answer(204, {}, [], b"")),
        (
            b'{"statusCode": 200, "multiValueHeaders": {"a": ["b", "c"]}, "body": "/w==", "isBase64Encoded": true}',
            Answer(200, {"a": "b, c"}, [], b"\xff"),
        ),
        (b'{"statusCode": 200}' + NULS + NULS + b"x", Answer(200, {}, [], NULS + b"x")),
    ],
)
def test_answers(payload: bytes, answer: Answer) -> None:
    assert parse_answer(payload) == answer


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b'{"errorType": "X", "errorMessage": "y"}', {"errorType": "X", "errorMessage": "y"}),
        (b'{"statusCode": 200}', {"statusCode": 200}),
        (b"[1]" + NULS, [1]),
        (b"Task timed out", "Task timed out"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (b"", ""),
    ],
)
def test_errors(payload: bytes, error: object) -> None:
    with pytest.raises(FunctionFailed) as failed:
        parse_answer(payload)
    assert failed.value.error == error
