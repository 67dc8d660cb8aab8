"""hardcap (PyPI) as its README has it started: `hardcap serve` with a configuration, on Redis.

Its defaults are what it recommends (reserve the rolling 95th percentile, truncate). It speaks OpenAI's chat
completions to clients and, with an upstream of kind "anthropic", the Messages API to the provider. Its budget is
counted in tokens: the study gives it the same number of output tokens and leaves input out, whose tokenizer it can
only guess.
"""

import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from bench.budget_study import MODEL, OUTPUT_RATE
from bench.wire.gateway import Gateway, Ledger, Refusal, Task
from bench.wire.processes import ROOT, NotAvailable, free_port, listens, running, wait_until

HARDCAP = ROOT / ".tools/peers/hardcap/bin/hardcap"
_DAY_S = 86_400


def refusal(status: int, body: bytes) -> Refusal:
    """Return what an answer other than 200 means to the client."""
    if status != 429:
        return "failed"
    return "spent" if orjson.loads(body)["error"]["type"] == "budget_exceeded" else "held"


def configuration(task: Task, port: int, redis_port: int, accounting: str) -> dict[str, Any]:
    """Return the configuration; JSON is YAML. What is not said here is at its default."""
    return {
        "listen": {"host": "127.0.0.1", "port": port},
        "redis_url": f"redis://127.0.0.1:{redis_port}/0",
        "budget": {"accounting": accounting},
        "upstreams": {
            "study": {"kind": "anthropic", "base_url": task.provider_url, "api_key": "sk-ant-study"}
        },
        "routes": {MODEL: {"targets": [{"upstream": "study", "model": MODEL}]}},
        "tenants": {
            user: {
                "api_keys": [f"sk-{user}"],
                "budget": {"window_s": _DAY_S, "output": task.limit_tokens},
            }
            for user in task.users
        },
    }


@contextmanager
def running_hardcap(task: Task, accounting: str) -> Iterator[Gateway]:
    """Run hardcap with one accounting (`reserve` or `posthoc`); raise NotAvailable."""
    redis = shutil.which("redis-server")
    if not HARDCAP.is_file():
        raise NotAvailable("hardcap: skipped, it is not installed here (make bench-peers)")
    if redis is None:
        raise NotAvailable("hardcap: skipped, it needs redis-server (Debian: apt-get install redis-server)")
    port, redis_port = free_port(), free_port()
    file = task.folder / "hardcap.yaml"
    file.write_bytes(orjson.dumps(configuration(task, port, redis_port, accounting)))
    environ = {"PATH": "/usr/bin:/bin"}
    redis_command: list[str | Path] = [redis, "--port", str(redis_port), "--bind", "127.0.0.1"]
    redis_command += ["--save", "", "--appendonly", "no"]
    with running(redis_command, task.folder, "redis.err", environ=environ) as store:
        wait_until(lambda: listens(redis_port), store, task.folder / "redis.err")
        with running([HARDCAP, "serve", "-c", file], task.folder, "gateway.err", environ=environ) as process:
            wait_until(lambda: listens(port), process, task.folder / "gateway.err")
            url = f"http://127.0.0.1:{port}"
            yield Gateway(
                name=f"hardcap, {accounting}",
                url=f"{url}/v1/chat/completions",
                headers={user: {"authorization": f"Bearer sk-{user}"} for user in task.users},
                bodies={user: _body(task) for user in task.users},
                ending=b"data: [DONE]",
                refusal=refusal,
                ledger=lambda user: _ledger(url, user),
                counts_input=False,
            )


def _body(task: Task) -> bytes:
    messages = [{"role": "user", "content": task.prompt}]
    return orjson.dumps({"model": MODEL, "max_tokens": task.max_tokens, "stream": True, "messages": messages})


def _ledger(url: str, user: str) -> Ledger:
    request = urllib.request.Request(  # noqa: S310 - a loopback address of this study
        f"{url}/v1/hardcap/usage", headers={"authorization": f"Bearer sk-{user}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        usage = orjson.loads(answer.read())
    if usage["reserved"]["output"]:
        raise RuntimeError(f"a reservation of {user} was left behind")
    return Ledger(usage["used"]["output"] * OUTPUT_RATE)
