"""The conversation of a client program with the test that drives it, in lines of JSON.

In:  {"operation", "base_url", "token", "request", "options"}, or {"operation": "list"}.
Out: {"note": "request", ...} and {"note": "response", ...} for each call on the wire, then {"result": ...}.

It runs under the newest SDK and under one of 2024, so it imports nothing but the standard library and that SDK.
"""

import hashlib
import json
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anthropic

_OUTPUT = threading.Lock()


@dataclass
class Command:
    """One operation to do, and what came of it so far."""

    operation: str
    base_url: str
    token: str
    request: dict[str, Any]
    options: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)

    def client_options(self) -> dict[str, Any]:
        """Return how the SDK's client is made: the token as its key, unless the command says otherwise."""
        made: dict[str, Any] = {
            "base_url": self.base_url,
            self.options.get("credential", "api_key"): self.token,
        }
        if "max_retries" in self.options:
            made["max_retries"] = self.options["max_retries"]
        return made


def serve(operations: dict[str, Callable[[Command], None]]) -> None:
    """Do one command after the other until standard input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["operation"] == "list":
            _say({"result": {"operations": sorted(operations), "version": anthropic.__version__}})
            continue
        command = Command(**asked)
        try:
            operations[command.operation](command)
        except anthropic.APIError as error:
            command.result["error"] = _described(error)
        except Exception:
            command.result["defect"] = traceback.format_exc()
        _say({"result": command.result})


def note_request(request: Any) -> None:
    """Note a request as it goes on the wire; `request` is an httpx one."""
    sent = ("x-api-key", "authorization")
    _say(
        {
            "note": "request",
            "query": request.url.query.decode(),
            "sha256": hashlib.sha256(request.read()).hexdigest(),
            "version": request.headers["anthropic-version"],
            "credentials": [name for name in sent if name in request.headers],
        }
    )


def note_response(response: Any) -> None:
    """Note a response whose head has come."""
    _say({"note": "response", "status": response.status_code, "request_id": response.headers["request-id"]})


def dumped(model: Any) -> Any:
    """Return what the SDK read, as it was sent: no field that it only knows of."""
    return model.model_dump(mode="json", exclude_unset=True)


def _described(error: anthropic.APIError) -> dict[str, Any]:
    return {
        "class": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "body": error.body,
    }


def _say(line: dict[str, Any]) -> None:
    with _OUTPUT:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
