"""`channeling serve` gives a working gateway, commands beside it work on it, and it ends cleanly."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.served import CHANNELING, Served, clean_environ, served

AWS_URL = "https://dynamodb.us-east-1.amazonaws.com"
NO_AWS = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
LOCAL_TABLES = TableNames.with_prefix("channeling")
BODY = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}


def command(folder: Path, *arguments: str, stdin: str = "", **variables: str) -> dict[str, Any]:
    """Run a command in a second terminal and return its JSON."""
    ended = subprocess.run(
        [CHANNELING, *arguments, "--json"],
        cwd=folder,
        env=clean_environ(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def ask(server: Served, token: str, **changes: Any) -> httpx.Response:
    url = f"{server.base_url}/v1/messages"
    return httpx.post(url, json=BODY | changes, headers={"x-api-key": token}, timeout=30, trust_env=False)


def budget(server: Served, token: str) -> dict[str, str]:
    answer = httpx.get(f"{server.base_url}/v1/budget", headers={"x-api-key": token}, trust_env=False)
    fields: dict[str, str] = answer.raise_for_status().json()
    return fields


def test_a_second_terminal_works_on_the_running_server(tmp_path: Path) -> None:
    with AnthropicUpstream(Script()) as upstream:
        environ = clean_environ(
            CHANNELING_ANTHROPIC_BASE_URL=upstream.base_url,
            ANTHROPIC_API_KEY="sk-ant-from-environment",
            CHANNELING_DEMO_BUDGET_USD="0.5",
        )
        with served(tmp_path, environ) as server:
            assert ask(server, server.token).status_code == 200
            assert upstream.requests[-1].header("x-api-key") == "sk-ant-from-environment"
            assert budget(server, server.token)["limit"] == "0.5"
            local_file = tmp_path / ".channeling" / "local.json"
            assert stat.S_IMODE(local_file.stat().st_mode) == 0o600
            for secret in (server.hmac_secret, server.token, "sk-ant-from-environment"):
                assert secret not in local_file.read_text()

            made = command(tmp_path, "project", "create", "shop")
            command(tmp_path, "key", "set", "anthropic", "--project", "shop", stdin="sk-ant-of-the-shop")
            minted = command(tmp_path, "token", "mint", "--user", "ana", "--budget", "1", "--project", "shop")
            assert ask(server, minted["token"]).status_code == 200
            assert upstream.requests[-1].header("x-api-key") == "sk-ant-of-the-shop"
            spent = budget(server, minted["token"])
            assert (spent["limit"], spent["held"]) == ("1", "0")
            assert float(spent["settled"]) > 0
            assert made["base_url"] == server.base_url
            assert command(tmp_path, "doctor", "--offline")["ok"]

            assert server.stop() == 0
            assert not local_file.exists()
            assert server.process.stdout is not None
            assert server.process.stdout.read() == b"", "one line, and nothing after it"
    assert (tmp_path / "serve.err").read_text() == "stopped\n"


def test_without_any_key_the_labelled_demo_answers_until_a_key_is_set(tmp_path: Path) -> None:
    with served(tmp_path, clean_environ()) as server:
        answer = ask(server, server.token, max_tokens=8)
        assert answer.status_code == 200
        assert "demo" in answer.json()["content"][0]["text"].lower()
        assert float(budget(server, server.token)["settled"]) > 0
        (found,) = (
            finding
            for finding in command(tmp_path, "doctor", "--offline")["findings"]
            if finding["subject"] == "provider keys"
        )
        assert found["level"] == "warning"
        command(tmp_path, "key", "set", "openai", stdin="sk-openai")
        command(tmp_path, "key", "remove", "anthropic", "--yes")
        refused_now = ask(server, server.token)
        assert refused_now.status_code == 400, "the demo is gone with the next request"


def test_with_a_lasting_store_all_of_it_is_there_after_a_restart(
    tmp_path: Path, embedded_dynamodb: EmbeddedDynamoDB, dynamodb_client: Any
) -> None:
    with AnthropicUpstream(Script()) as upstream:
        environ = clean_environ(
            AWS_ENDPOINT_URL_DYNAMODB=embedded_dynamodb.endpoint_url,
            CHANNELING_ANTHROPIC_BASE_URL=upstream.base_url,
        )
        try:
            with served(tmp_path, environ) as first:
                refused = ask(first, first.token)
                assert refused.status_code == 400
                assert "not configured for this project" in refused.json()["error"]["message"]
                command(tmp_path, "key", "set", "anthropic", stdin="sk-ant-set-by-hand")
                assert ask(first, first.token).status_code == 200, "the very next request has it"
                command(tmp_path, "project", "create", "shop")
                command(tmp_path, "key", "set", "anthropic", "--project", "shop", stdin="sk-ant-of-the-shop")
                minted = command(
                    tmp_path, "token", "mint", "--user", "ana", "--budget", "1", "--project", "shop"
                )
                assert ask(first, minted["token"]).status_code == 200
                spent = budget(first, minted["token"])
                assert first.stop(signal.SIGTERM) == 0
            with served(tmp_path, environ) as second:
                assert second.hmac_secret == first.hmac_secret
                assert budget(second, minted["token"]) == spent
                assert ask(second, minted["token"]).status_code == 200
                assert ask(second, first.token).status_code == 200
                assert upstream.requests[-1].header("x-api-key") == "sk-ant-set-by-hand"
        finally:
            names = TableNames.with_prefix("channeling")
            for table in (names.projects, names.budgets, names.usage):
                dynamodb_client.delete_table(TableName=table)


def test_ctrl_c_cuts_a_running_stream_and_settles_it(
    tmp_path: Path, embedded_dynamodb: EmbeddedDynamoDB, dynamodb_client: Any
) -> None:
    names = TableNames.with_prefix("channeling")
    with AnthropicUpstream(Script(gated=True)) as upstream:
        environ = clean_environ(
            AWS_ENDPOINT_URL_DYNAMODB=embedded_dynamodb.endpoint_url,
            CHANNELING_ANTHROPIC_BASE_URL=upstream.base_url,
            ANTHROPIC_API_KEY="sk-ant-x",
        )
        try:
            with served(tmp_path, environ) as server, httpx.Client(trust_env=False) as client:
                request = client.build_request(
                    "POST",
                    f"{server.base_url}/v1/messages",
                    json=BODY | {"stream": True},
                    headers={"x-api-key": server.token},
                )
                answer = client.send(request, stream=True)
                received = answer.iter_raw()
                assert b"message_start" in next(received)
                held = dynamodb_client.scan(TableName=names.budgets)["Items"]
                assert int(held[0]["committed"]["N"]) > 0
                assert server.stop() == 0
                rest = bytearray()
                with contextlib.suppress(httpx.HTTPError):
                    for chunk in received:
                        rest += chunk
                assert b"event: error" in rest, "what was cut says so"
                assert b"message_stop" not in rest, "and does not look complete"
                answer.close()
            (item,) = dynamodb_client.scan(TableName=names.budgets)["Items"]
            assert item["holds"] == {"M": {}}
            assert item["committed"] == item["settled"]
            (record,) = dynamodb_client.scan(TableName=names.usage)["Items"]
            assert record["cost"] == item["settled"]
            errors = (tmp_path / "serve.err").read_text()
            assert "Cancel 1 running task" in errors
            assert "Traceback" not in errors
        finally:
            for table in (names.projects, names.budgets, names.usage):
                dynamodb_client.delete_table(TableName=table)


@pytest.fixture
def lasting_url(embedded_dynamodb: EmbeddedDynamoDB, dynamodb_client: Any) -> Iterator[str]:
    """The address of a store that has no tables of a server, nor has them afterwards."""
    yield embedded_dynamodb.endpoint_url
    for table in (LOCAL_TABLES.projects, LOCAL_TABLES.budgets, LOCAL_TABLES.usage):
        dynamodb_client.delete_table(TableName=table)


@pytest.mark.parametrize("flags", [["--json"], []], ids=["json", "banner"])
def test_a_started_server_has_loaded_nothing_that_only_others_need(
    tmp_path: Path, lasting_url: str, flags: list[str]
) -> None:
    environ = clean_environ(
        AWS_ENDPOINT_URL_DYNAMODB=lasting_url,
        ANTHROPIC_API_KEY="sk-ant-x",
        PYTHONPROFILEIMPORTTIME="1",  # has Python write a line for each module that it loads
    )
    log = tmp_path / "imports"
    command = [CHANNELING, "serve", "--port", "0", *flags]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert any(b'"base_url"' in line or b"Ctrl-C" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
        finally:
            if process.poll() is None:
                process.kill()
    lines = log.read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert {"channeling.app", "uvicorn", "cryptography"} <= loaded
    # moto is the embedded store's, FastAPI and pydantic the admin API's, Typer and Rich the other commands'.
    others = {"botocore", "boto3", "moto", "flask", "fastapi", "pydantic", "typer", "rich", "genai_prices"}
    assert not loaded & others


@pytest.mark.parametrize("port", ["0", " 0 "], ids=["read plainly", "read by Typer"])
def test_when_nobody_reads_what_it_prints_it_ends(tmp_path: Path, lasting_url: str, port: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [CHANNELING, "serve", "--port", port],
            cwd=tmp_path,
            env=clean_environ(AWS_ENDPOINT_URL_DYNAMODB=lasting_url, ANTHROPIC_API_KEY="sk-ant-x"),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert ended.returncode == 1
    # uvicorn says where it met the closed pipe; that is all there is to say.
    assert b"Exception ignored" not in ended.stderr
    assert b"channeling_cli/main.py" not in ended.stderr
    assert not (tmp_path / ".channeling" / "local.json").exists()


def refused(folder: Path, *flags: str, **variables: str) -> tuple[int, dict[str, str]]:
    """Run `serve` where it cannot start and return its exit code and error."""
    ended = subprocess.run(
        [CHANNELING, "serve", "--json", *flags],
        cwd=folder,
        env=clean_environ(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout == ""
    error: dict[str, str] = json.loads(ended.stderr)
    return ended.returncode, error


def test_a_port_in_use_is_said_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, error = refused(tmp_path, "--port", str(port))
    assert code == 4
    assert f"port {port} on 127.0.0.1 is in use" in error["error"]
    assert f"PORT={port + 1}" in error["next"]
    assert not (tmp_path / ".channeling").exists(), "nothing else was started"


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        ({"CHANNELING_ANTHROPIC_BASE_URL": "https://api.anthropic.com/v1"}, 4, "without /v1"),
        ({"CHANNELING_MAX_BODY_BYTES": "lots"}, 4, "CHANNELING_MAX_BODY_BYTES"),
        ({"ANTHROPIC_API_KEY": "two words"}, 4, "ANTHROPIC_API_KEY"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}, 5, "http://127.0.0.1:9"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "127.0.0.1:8000"}, 4, "AWS_ENDPOINT_URL_DYNAMODB"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": AWS_URL, **NO_AWS}, 1, "no AWS region"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": AWS_URL, "AWS_PROFILE": "nobody", **NO_AWS}, 1, "nobody"),
        (
            {"AWS_ENDPOINT_URL_DYNAMODB": AWS_URL, "AWS_DEFAULT_REGION": "us-east-1", **NO_AWS},
            5,
            "no AWS creden",
        ),
    ],
)
def test_what_keeps_it_from_starting_is_said(
    tmp_path: Path, variables: dict[str, str], code: int, words: str
) -> None:
    ended, error = refused(tmp_path, "--port", "0", **variables)
    assert ended == code
    assert words in error["error"]
    assert not (tmp_path / ".channeling" / "local.json").exists()


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "secrets.key").write_text("x")
    (folder / "secrets.key").chmod(0o644)
    code, error = refused(tmp_path, "--port", "0", "--data", str(folder))
    assert code == 4
    assert "chmod 600" in error["error"]


def test_a_store_sealed_with_a_lost_key_file_is_named(
    tmp_path: Path, embedded_dynamodb: EmbeddedDynamoDB, dynamodb_client: Any
) -> None:
    environ = clean_environ(
        AWS_ENDPOINT_URL_DYNAMODB=embedded_dynamodb.endpoint_url, ANTHROPIC_API_KEY="sk-1"
    )
    names = TableNames.with_prefix("channeling")
    try:
        with served(tmp_path, environ):
            pass
        (tmp_path / ".channeling" / "secrets.key").unlink()
        variables = {"AWS_ENDPOINT_URL_DYNAMODB": embedded_dynamodb.endpoint_url}
        code, error = refused(tmp_path, "--port", "0", **variables)
        assert code == 5
        assert "another key file" in error["error"]
    finally:
        for table in (names.projects, names.budgets, names.usage):
            dynamodb_client.delete_table(TableName=table)
