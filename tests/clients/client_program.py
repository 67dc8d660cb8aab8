"""A client program as a process: one official SDK that does what a test asks for, in lines of JSON."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass
class Done:
    """What an operation gave, and what went over the wire for it."""

    result: dict[str, Any] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        """The HTTP status of every response, in the order they came: retries show here."""
        return [response["status"] for response in self.responses]


class ClientProgram:
    """A running program; one operation at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    def __enter__(self) -> Self:
        foreign = ("ANTHROPIC_", "NODE_OPTIONS", "PYTHON")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self._process = subprocess.Popen(
            self._command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=20)
        assert self._process.returncode == 0

    def operations(self) -> list[str]:
        """Return the names of what it can do."""
        self._send({"operation": "list"})
        listed: list[str] = self._read({}).result["operations"]
        return listed

    def do(
        self,
        operation: str,
        *,
        base_url: str,
        token: str,
        request: dict[str, Any],
        options: dict[str, Any],
        after_sending: Callable[[], None] | None = None,
        on_refusal: Callable[[], None] | None = None,
    ) -> Done:
        """Do an operation to its end. `on_refusal` is called at the first response that is none of the 200s."""
        self._send(
            {
                "operation": operation,
                "base_url": base_url,
                "token": token,
                "request": request,
                "options": options,
            }
        )
        if after_sending is not None:
            after_sending()
        done = self._read({} if on_refusal is None else {"refusal": on_refusal})
        assert "defect" not in done.result, done.result["defect"]
        return done

    def _send(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _read(self, once: dict[str, Callable[[], None]]) -> Done:
        assert self._process.stdout is not None
        done = Done()
        for text in self._process.stdout:
            line = json.loads(text)
            match line.get("note"):
                case "request":
                    done.requests.append(line)
                case "response":
                    done.responses.append(line)
                    if line["status"] >= 300 and "refusal" in once:
                        once.pop("refusal")()
                case _:
                    done.result = line["result"]
                    return done
        raise RuntimeError(f"the client program ended: {self._process.wait(20)}")
