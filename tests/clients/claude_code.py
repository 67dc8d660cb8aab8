"""Claude Code, run on a prompt before a gateway."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.counting_relay import CountingRelay
from tests.clients.served_gateway import ServedGateway
from tests.stand_ins.raw_http import RecordedRequest
from tests.stand_ins.upstream_server import UpstreamServer

# A promptly failing run takes two seconds; the client's own retries of a 401 or 429 would take minutes.
PROMPT_S = 30


@dataclass
class ClaudeCode:
    """The program in a home and a folder of its own."""

    program: Path
    folder: Path
    gateway: ServedGateway
    relay: CountingRelay
    upstream: UpstreamServer[Any]
    path: str = "/v1/messages"  # of what the upstream is asked for an answer
    variables: Mapping[str, str] = field(default_factory=dict)

    def ask(self, prompt: str, token: str, *arguments: str, header: str = "ANTHROPIC_AUTH_TOKEN") -> str:
        """Run it on a prompt to its end and return what it printed."""
        return self.run(prompt, token, *arguments, header=header, exit_code=0).stdout

    def run(
        self, prompt: str, token: str, *arguments: str, exit_code: int, header: str = "ANTHROPIC_AUTH_TOKEN"
    ) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ANTHROPIC_BASE_URL": self.relay.base_url,
            header: token,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **self.variables,
        }
        ran = subprocess.run(
            [self.program, "-p", prompt, *arguments],
            cwd=self.folder,
            env=environ,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROMPT_S,
        )
        assert ran.returncode == exit_code, (ran.stdout, ran.stderr)
        return ran

    def seen(self, since: int) -> list[RecordedRequest]:
        """Return the requests for an answer that reached the upstream."""
        return [request for request in self.upstream.requests[since:] if request.path == self.path]
