"""`channeling doctor` finds what is wrong with a server on this machine, and gives no secret away."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from channeling_cli.local_file import write_local_file
from tests.channeling_cli.conftest import Ended, OnThisMachine, Run


class Recorded(BaseHTTPRequestHandler):
    """Answers like a gateway, and like a provider that knows one key; notes what it was asked."""

    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        type(self).asked.append((self.path, headers))
        known = self.path == "/healthz" or "good" in headers.get(
            "x-api-key", headers.get("authorization", "")
        )
        self.send_response(200 if known else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A web server of this test's own: its address, and what it was asked."""

    class Handler(Recorded):
        asked: list[tuple[str, dict[str, str]]] = []  # noqa: RUF012 - one list per test's class

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Handler.asked
    server.shutdown()
    thread.join()
    server.server_close()


def problems(ended: Ended) -> dict[str, str]:
    findings = json.loads(ended.out)["findings"]
    return {finding["subject"]: finding["message"] for finding in findings if finding["level"] == "problem"}


def test_keys_are_tried_where_the_server_sends_them(
    run: Run, on_this_machine: OnThisMachine, web: tuple[str, list[tuple[str, dict[str, str]]]]
) -> None:
    url, asked = web
    from dataclasses import replace

    urls = {"anthropic": url, "openai": f"{url}/v1", "openrouter": f"{url}/api/v1"}
    write_local_file(
        on_this_machine.folder, replace(on_this_machine.server, base_url=url, provider_urls=urls)
    )
    for provider, key in (("anthropic", "good-1"), ("openai", "bad-2"), ("openrouter", "good-3")):
        run("key", "set", provider, stdin=key)
    ended = run("doctor", "--json")
    assert problems(ended) == {"openai key": "openai refuses it (401)"}
    assert ended.code == 6
    by_path = dict(asked)
    assert by_path["/v1/models?limit=1"]["x-api-key"] == "good-1"
    assert by_path["/v1/models"]["authorization"] == "Bearer bad-2"
    assert by_path["/api/v1/key"]["authorization"] == "Bearer good-3"
    secrets = asyncio.run(on_this_machine.secrets())
    for text in (ended.out, run("doctor").out):
        for secret in (*secrets.hmac_secrets, *secrets.provider_keys.values()):
            assert secret not in text
    asked.clear()
    assert run("doctor", "--offline").code == 0
    assert [path for path, _ in asked] == ["/healthz"]


def test_the_key_of_a_project_s_own_server_goes_to_no_other(
    run: Run, on_this_machine: OnThisMachine, web: tuple[str, list[tuple[str, dict[str, str]]]]
) -> None:
    url, asked = web
    run("project", "set", "--base-url", f"openrouter={url}/own/v1")
    run("key", "set", "openrouter", stdin="good-4")
    assert "openrouter key" not in problems(run("doctor", "--json"))
    assert [path for path, headers in asked if "good-4" in headers.get("authorization", "")] == [
        "/own/v1/models"
    ]


def test_what_is_wrong_is_said_with_what_to_do(run: Run, on_this_machine: OnThisMachine) -> None:
    run("project", "set", "--status", "disabled")
    run("key", "remove", "anthropic", "--yes")
    (on_this_machine.folder / "local.json").chmod(0o644)
    ended = run("doctor", "--offline")
    assert ended.code == 6
    for words in (
        "http://127.0.0.1:9 does not answer",
        "channeling project set demo --status active",
        "channeling key set anthropic --project demo",
    ):
        assert words in ended.out
    assert run("doctor", "--project", "missing", "--offline", "--json").out.count("no project 'missing'") == 1


def test_without_tables_nothing_else_is_asked(
    run: Run, on_this_machine: OnThisMachine, dynamodb_client: object
) -> None:
    table = on_this_machine.server.tables.usage
    dynamodb_client.delete_table(TableName=table)  # type: ignore[attr-defined] # botocore's clients are untyped
    ended = run("doctor", "--json")
    assert problems(ended)[f"table {table}"] == "DynamoDB answered ResourceNotFoundException"
    assert "HMAC" not in ended.out


def test_secrets_sealed_with_another_key_file(run: Run, on_this_machine: OnThisMachine) -> None:
    (on_this_machine.folder / "secrets.key").unlink()
    assert run("doctor").code == 4
    from channeling.projects.key_file_cipher import open_key_file

    open_key_file(on_this_machine.folder / "secrets.key", create=True)
    ended = run("doctor", "--json", "--offline")
    assert problems(ended)["secrets"] == "these secrets were encrypted with another key file"
