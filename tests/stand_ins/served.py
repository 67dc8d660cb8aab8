"""`channeling serve --json` as a child process, as a user would start it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHANNELING = Path(sys.executable).parent / "channeling"


@dataclass(frozen=True)
class Served:
    """A running server: what its one line of JSON said, and its process."""

    base_url: str
    project_id: str
    hmac_secret: str
    token: str
    dashboard_url: str
    admin_token: str
    process: "subprocess.Popen[bytes]"

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does, wait, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def clean_environ(**variables: str) -> dict[str, str]:
    """Return this process's environment without any of its AWS, Channeling and provider settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "CHANNELING_")) and not name.endswith("_API_KEY")
    }
    return kept | {"AWS_EC2_METADATA_DISABLED": "true"} | variables


@contextmanager
def served(folder: Path, environ: Mapping[str, str], *flags: str) -> Iterator[Served]:
    """Start a server in a folder on a free port, and end it if a test has not. Its errors go to `serve.err`."""
    command = [CHANNELING, "serve", "--port", "0", "--json", *flags]
    with (
        (folder / "serve.err").open("ab") as errors,
        subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (folder / "serve.err").read_text()
            yield Served(process=process, **json.loads(line))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)
