"""What an invocation returned: a streamed answer's status, headers and body, or a function error."""

import base64
import json
from dataclasses import dataclass
from typing import Any

PRELUDE_END = b"\0" * 8


class FunctionFailed(Exception):
    """The function answered with an error in place of a response; `error` is its error object."""

    def __init__(self, error: Any) -> None:
        super().__init__(f"the function failed: {json.dumps(error)}")
        self.error = error


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as a function URL would give it."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: bytes


def parse_answer(payload: bytes) -> Answer:
    """Return the answer that an invocation's payload holds; raise FunctionFailed when it holds an error.

    Streamed: JSON prelude, 8 NUL bytes, body (AWS Lambda Developer Guide, "Building a custom runtime", response
    streaming). Whole: JSON with `body` in it (the same, "Invoking Lambda function URLs", response payload format).
    """
    prelude, separator, body = payload.partition(PRELUDE_END)
    try:
        parsed = json.loads(prelude)
    except ValueError:
        parsed = prelude.decode(errors="replace")
    if not isinstance(parsed, dict) or "statusCode" not in parsed or not (separator or "body" in parsed):
        raise FunctionFailed(parsed)
    if not separator:
        text = parsed["body"] or ""
        body = base64.b64decode(text) if parsed.get("isBase64Encoded") else text.encode()
    headers = parsed.get("headers") or {
        name: ", ".join(values) for name, values in parsed.get("multiValueHeaders", {}).items()
    }
    return Answer(parsed["statusCode"], headers, parsed.get("cookies") or [], body)
