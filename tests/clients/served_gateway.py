"""The gateway as people start it: `channeling serve --port 0 --json` as a process, before a stand-in upstream."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from channeling.auth.mint import mint_token

PROVIDER_KEY = "sk-ant-of-the-project"
OPENAI_KEY = "sk-proj-of-the-project"
OPENROUTER_KEY = "sk-or-of-the-project"
_DAY_S = 86_400
# What could change the server under test, were it set in the shell that the tests run in.
_FOREIGN = ("CHANNELING_", "ANTHROPIC_", "OPENAI_", "OPENROUTER_", "AWS_")


@dataclass
class ServedGateway:
    """`with ServedGateway(upstream_url, folder) as gateway:` serves on `base_url`, and writes in `folder` only.

    A provider without an address has no key either.
    """

    anthropic_base_url: str | None
    folder: Path
    openai_base_url: str | None = None
    openrouter_base_url: str | None = None
    # What prints the same line and ends as well at SIGTERM.
    command: tuple[str, ...] = (
        str(Path(sys.executable).parent / "channeling"),
        "serve",
        "--port",
        "0",
        "--json",
    )
    # A function URL does not tell the function that its client has left.
    hears_of_leaving: bool = True
    # Where `python -m` of that command finds what is not installed.
    import_path: Path | None = None

    def __enter__(self) -> Self:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)},
            "CHANNELING_HOME": str(self.folder / "home"),
        }
        if self.import_path is not None:
            environ["PYTHONPATH"] = str(self.import_path)
        if self.anthropic_base_url is not None:
            environ["CHANNELING_ANTHROPIC_BASE_URL"] = self.anthropic_base_url
            environ["ANTHROPIC_API_KEY"] = PROVIDER_KEY
        if self.openai_base_url is not None:
            environ["CHANNELING_OPENAI_BASE_URL"] = self.openai_base_url
            environ["OPENAI_API_KEY"] = OPENAI_KEY
        if self.openrouter_base_url is not None:
            environ["CHANNELING_OPENROUTER_BASE_URL"] = self.openrouter_base_url
            environ["OPENROUTER_API_KEY"] = OPENROUTER_KEY
        self.log = self.folder / "serve.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                self.command, cwd=self.folder, env=environ, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(20)
            raise RuntimeError(f"channeling serve did not start: {self.log.read_text()}")
        ready: dict[str, str] = json.loads(line)
        self.base_url, self.demo_token = ready["base_url"], ready["token"]
        self._project_id, self._secret = ready["project_id"], ready["hmac_secret"]
        self._http = httpx.Client(base_url=self.base_url, timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._process.terminate()
        assert self._process.stdout is not None
        rest = self._process.stdout.read()
        self._process.stdout.close()
        assert self._process.wait(30) == 0, self.log.read_text()
        assert rest == "", f"more than one line on standard output: {rest}"

    def token(
        self, user: str, *, limit_microusd: int = 5_000_000, lifetime_s: int = 3_600, age_s: int = 0
    ) -> str:
        """Mint a token as the operator's backend does; one older than its lifetime has expired."""
        now_s = int(time.time()) - age_s
        return mint_token(
            user_id=user,
            project_id=self._project_id,
            secret=self._secret,
            limit_microusd=limit_microusd,
            window="day",
            window_start_s=now_s - now_s % _DAY_S,
            now_s=now_s,
            lifetime_s=lifetime_s,
        )

    def budget(self, token: str) -> dict[str, Any]:
        """Return what GET /v1/budget says."""
        answer = self._http.get("/v1/budget", headers={"x-api-key": token})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def settled_budget(self, token: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """Return the budget once nothing is held of it; fails if that never comes."""
        deadline_s = time.monotonic() + timeout_s
        while (budget := self.budget(token))["held"] != "0":
            assert time.monotonic() < deadline_s, f"still held: {budget}"
        return budget

    def hold_open(self, token: str, request: dict[str, Any]) -> threading.Thread:
        """Start a request on a thread of its own; not streamed, so that it holds all of its `max_tokens`."""

        def read() -> None:
            answer = httpx.post(
                f"{self.base_url}/v1/messages",
                headers={"x-api-key": token},
                json=request,
                timeout=60,
            )
            assert answer.status_code == 200, answer.text

        reading = threading.Thread(target=read, name="holder")
        reading.start()
        return reading
