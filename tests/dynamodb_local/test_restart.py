"""On a lasting store a stopped server loses nothing: keys, tokens and budgets are there after a restart."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.dynamodb_local.dynamodb_local import running_dynamodb_local
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.served import CHANNELING, Served, clean_environ, served

pytestmark = pytest.mark.java

BODY = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}


def second_terminal(folder: Path, *arguments: str, stdin: str = "") -> dict[str, Any]:
    """Run a command beside the server, in its folder, and return its JSON."""
    ended = subprocess.run(
        [CHANNELING, *arguments, "--json"],
        cwd=folder,
        env=clean_environ(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def ask(server: Served, token: str) -> httpx.Response:
    url = f"{server.base_url}/v1/messages"
    return httpx.post(url, json=BODY, headers={"x-api-key": token}, timeout=30, trust_env=False)


def settled_usd(server: Served, token: str) -> str:
    url = f"{server.base_url}/v1/budget"
    answer = httpx.get(url, headers={"x-api-key": token}, timeout=30, trust_env=False).raise_for_status()
    assert answer.json()["held"] == "0"
    settled: str = answer.json()["settled"]
    return settled


def test_all_of_it_is_there_after_a_restart_of_server_and_store(tmp_path: Path, jar_folder: Path) -> None:
    data, folder = tmp_path / "store", tmp_path / "work"
    data.mkdir()
    folder.mkdir()
    with AnthropicUpstream(Script(usage={"input_tokens": 100})) as upstream:
        url = {"CHANNELING_ANTHROPIC_BASE_URL": upstream.base_url}
        with (
            running_dynamodb_local(jar_folder, data) as store,
            served(folder, clean_environ(AWS_ENDPOINT_URL_DYNAMODB=store.endpoint_url, **url)) as server,
        ):
            second_terminal(folder, "key", "set", "anthropic", stdin="sk-ant-from-a-second-terminal\n")
            token = second_terminal(folder, "token", "mint", "--user", "ana", "--budget", "1")["token"]
            assert ask(server, token).status_code == 200
            spent_usd = settled_usd(server, token)
            assert float(spent_usd) > 0
            assert server.stop() == 0
        with (
            running_dynamodb_local(jar_folder, data) as store,
            served(folder, clean_environ(AWS_ENDPOINT_URL_DYNAMODB=store.endpoint_url, **url)) as server,
        ):
            assert settled_usd(server, token) == spent_usd
            assert ask(server, token).status_code == 200
            assert float(settled_usd(server, token)) == pytest.approx(2 * float(spent_usd))
            again = second_terminal(folder, "token", "mint", "--user", "ana", "--budget", "1")["token"]
            assert settled_usd(server, again) == settled_usd(server, token)
        keys = {request.header("x-api-key") for request in upstream.requests}
        assert keys == {"sk-ant-from-a-second-terminal"}
