"""The clients page is true: each section's snippet answers as it stands, and refusals show what the page quotes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.counting_relay import CountingRelay
from tests.clients.installations import LANGCHAIN_LOCK, NODE_FILES
from tests.clients.served_gateway import PROVIDER_KEY, ServedGateway
from tests.clients.third_party import page_clients
from tests.clients.third_party.page_clients import (
    ADDRESS,
    CLAUDE_CODE_RETRIES,
    PAGE,
    PROGRAMS,
    Asked,
    PythonProcess,
    python,
    python_of,
    quotes,
    seen_by_users,
    shown,
)
from tests.stand_ins.anthropic_script import Script, Text
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.openai_upstream import OpenAIUpstream

HELLO = "Hello from the stand-in, with a smile: é你😀."
PYTHON = ("Python", "LangChain")
CLIENTS = (*PROGRAMS, *PYTHON)
# They show a held budget at once.
DO_NOT_WAIT = ("curl", "VS Code: Continue")
# It knows retry-after alone, and is not told by x-should-retry: false that a spent budget stays so.
TRIES_WHERE_SPENT = {"AI SDK": 3}
# Until a client gives up on a budget that stays held; the page says how many more times each asks.
TRIES_WHERE_HELD = {
    "curl": 1,
    "VS Code: Continue": 1,
    "Python": 3,
    "TypeScript": 3,
    "LangChain": 3,
    "AI SDK": 3,
    "Claude Code": 1 + CLAUDE_CODE_RETRIES,
}
# What the request that holds the budget may write, at $15 a million: far more than any client here asks for.
HOLDER_TOKENS, HOLDER_MICROUSD = 64_000, 960_000
# Less than the least that any of the clients can ask for.
LEFT_MICROUSD = 1_000

Client = Callable[[Asked], str]


@pytest.fixture(scope="module")
def client() -> Iterator[Callable[[str], Client]]:
    """Return what runs a section's client; the Pythons are started once, when they are first asked for."""
    with ExitStack() as closing:
        pythons: dict[str, Client] = {}

        def of(heading: str) -> Client:
            if heading not in PYTHON:
                return PROGRAMS[heading]
            if heading not in pythons:
                process = PythonProcess(python_of(heading))
                closing.callback(process.close)
                pythons[heading] = python(heading, process)
            return pythons[heading]

        yield of


@pytest.fixture(autouse=True)
def _says_hello(upstream: AnthropicUpstream) -> None:
    upstream.script = Script(input_tokens=20_000)


@pytest.fixture
def relay(gateway: ServedGateway) -> Iterator[CountingRelay]:
    with CountingRelay(gateway.base_url) as relay:
        yield relay


def asks(relay: CountingRelay) -> int:
    """How often an answer was asked for."""
    return len([line for line in relay.requests if line.split("?")[0] == "POST /v1/messages"])


def in_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("heading", CLIENTS)
def test_it_answers(
    heading: str,
    client: Callable[[str], Client],
    gateway: ServedGateway,
    relay: CountingRelay,
    upstream: AnthropicUpstream,
    tmp_path: Path,
) -> None:
    token = gateway.token(f"page {heading}", limit_microusd=50_000_000)
    seen = len(upstream.requests)
    assert HELLO in client(heading)(Asked(relay.base_url, token, tmp_path))
    assert asks(relay) == 1
    for request in upstream.requests[seen:]:
        assert request.header("x-api-key") == PROVIDER_KEY
        assert token not in str(request.headers) + request.body.decode()
    assert float(gateway.settled_budget(token)["settled"]) > 0


@pytest.mark.parametrize("heading", CLIENTS)
def test_an_expired_token_shows_what_the_page_says(
    heading: str,
    client: Callable[[str], Client],
    gateway: ServedGateway,
    relay: CountingRelay,
    tmp_path: Path,
) -> None:
    token = gateway.token(f"page {heading} late", age_s=7_200)
    printed = in_one_line(client(heading)(Asked(relay.base_url, token, tmp_path)))
    assert_quoted(printed, seen_by_users(heading)["401"])
    assert asks(relay) == 1


@pytest.mark.parametrize("heading", CLIENTS)
def test_a_spent_budget_shows_what_the_page_says(
    heading: str,
    client: Callable[[str], Client],
    gateway: ServedGateway,
    relay: CountingRelay,
    tmp_path: Path,
) -> None:
    token = gateway.token(f"page {heading} spent", limit_microusd=1)
    printed = in_one_line(client(heading)(Asked(relay.base_url, token, tmp_path)))
    assert_quoted(printed, seen_by_users(heading)["429, spent"])
    assert asks(relay) == TRIES_WHERE_SPENT.get(heading, 1)


@contextmanager
def held(gateway: ServedGateway, upstream: AnthropicUpstream, token: str) -> Iterator[Callable[[], None]]:
    """Have a request hold the budget; yields what lets it end."""
    seen, let_go = len(upstream.requests), threading.Event()
    upstream.then(Script(blocks=(Text("one two"),), gated=True, input_tokens=11))

    def release() -> None:
        if not let_go.is_set():
            let_go.set()
            upstream.release(1)

    messages = [{"role": "user", "content": "Hold"}]
    request = {"model": "claude-sonnet-4-6", "max_tokens": HOLDER_TOKENS, "messages": messages}
    holder = gateway.hold_open(token, request)
    try:
        upstream.wait_until(lambda requests: len(requests) > seen)
        yield release
    finally:
        release()
        holder.join(20)


@pytest.mark.parametrize("heading", [heading for heading in CLIENTS if heading not in DO_NOT_WAIT])
def test_a_held_budget_is_waited_for(
    heading: str,
    client: Callable[[str], Client],
    gateway: ServedGateway,
    relay: CountingRelay,
    upstream: AnthropicUpstream,
    tmp_path: Path,
) -> None:
    token = gateway.token(f"page {heading} held", limit_microusd=HOLDER_MICROUSD + LEFT_MICROUSD)

    def release_at_the_refusal(release: Callable[[], None]) -> None:
        relay.wait_for_status(429)
        release()

    with held(gateway, upstream, token) as release:
        releasing = threading.Thread(target=release_at_the_refusal, args=(release,))
        releasing.start()
        printed = client(heading)(Asked(relay.base_url, token, tmp_path))
        releasing.join(30)
    assert HELLO in printed
    assert "tries again" in seen_by_users(heading)["429, held"]
    assert asks(relay) >= 2


@pytest.mark.parametrize(
    "heading",
    [
        pytest.param(name, marks=[] if name in DO_NOT_WAIT else [pytest.mark.long])
        for name in TRIES_WHERE_HELD
    ],
)
def test_a_budget_that_stays_held_shows_what_the_page_says(
    heading: str,
    client: Callable[[str], Client],
    gateway: ServedGateway,
    relay: CountingRelay,
    upstream: AnthropicUpstream,
    tmp_path: Path,
) -> None:
    token = gateway.token(f"page {heading} kept", limit_microusd=HOLDER_MICROUSD + LEFT_MICROUSD)
    with held(gateway, upstream, token):
        printed = in_one_line(client(heading)(Asked(relay.base_url, token, tmp_path)))
    assert_quoted(printed, seen_by_users(heading)["429, held"])
    assert asks(relay) == TRIES_WHERE_HELD[heading]


def assert_quoted(printed: str, cell: str) -> None:
    quoted = quotes(cell)
    assert quoted, cell
    for text in quoted:
        assert text in printed, printed


def test_claude_code_fetches_a_fresh_token_when_one_is_refused(
    gateway: ServedGateway, relay: CountingRelay, upstream: AnthropicUpstream, tmp_path: Path
) -> None:
    """The settings with apiKeyHelper, before a backend that first gives out a token which has expired."""
    user = "page helper"
    tokens = [gateway.token(user, age_s=7_200), gateway.token(user, limit_microusd=50_000_000)]
    login = tmp_path / ".config" / "acme" / "login"
    login.parent.mkdir(parents=True)
    login.write_text("who-i-am\n")
    settings = shown("Claude Code", "json")[1]
    with token_backend(tokens) as (address, logins):
        assert settings.count("https://backend.example.com/") == 1
        printed = page_clients.claude(
            Asked(relay.base_url, "", tmp_path), settings.replace("https://backend.example.com", address)
        )
    assert printed.strip() == HELLO
    assert logins == ["Bearer who-i-am"] * 2
    assert (asks(relay), relay.statuses.count(401)) == (2, 1)


@contextmanager
def token_backend(tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Serve the tokens, one a request, the last one for ever; yields the address and who asked."""
    logins: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/ai-token"
            token = tokens[min(len(logins), len(tokens) - 1)].encode()
            logins.append(self.headers["authorization"])
            self.send_response(200)
            self.send_header("content-length", str(len(token)))
            self.end_headers()
            self.wfile.write(token)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", logins
        server.shutdown()
        serving.join()


def test_claude_code_asks_the_model_that_its_settings_name(
    gateway_of_three: ServedGateway, openai_upstream: OpenAIUpstream, tmp_path: Path
) -> None:
    openai_upstream.reset()
    with_a_token, _, with_a_model = (json.loads(block) for block in shown("Claude Code", "json"))
    settings = {"env": with_a_token["env"] | with_a_model["env"]}
    token = gateway_of_three.token("page model", limit_microusd=50_000_000)
    asked = Asked(gateway_of_three.base_url, token, tmp_path)
    printed = page_clients.claude(asked, json.dumps(settings))
    assert HELLO in printed
    assert "assumes a context window" not in printed
    assert {request.json()["model"] for request in openai_upstream.requests} == {"gpt-5.2"}


def test_the_versions_that_the_page_names_are_those_that_run() -> None:
    page = in_one_line(PAGE.read_text("utf-8"))
    npm = json.loads(NODE_FILES[0].read_text())["dependencies"]
    named = {
        "`anthropic`": metadata.version("anthropic"),
        "`langchain-anthropic`": LANGCHAIN_LOCK.with_suffix(".in").read_text().strip().partition("==")[2],
        "Claude Code": npm["@anthropic-ai/claude-code"],
        "Continue": npm["@continuedev/cli"],
        **{f"`{name}`": npm[name] for name in ("@anthropic-ai/sdk", "ai", "@ai-sdk/anthropic")},
    }
    assert {name for name, version in named.items() if f"{name} {version}" not in page} == set()


def test_the_request_that_the_n8n_node_describes_is_answered(
    gateway: ServedGateway, upstream: AnthropicUpstream
) -> None:
    """n8n itself is not run; the page says so."""
    [workflow] = shown("n8n", "json")
    [node] = json.loads(workflow)["nodes"]
    asked = node["parameters"]
    assert asked["url"].startswith(ADDRESS)
    token = gateway.token("page n8n", limit_microusd=50_000_000)
    answer = httpx.request(
        asked["method"],
        asked["url"].replace(ADDRESS, gateway.base_url),
        headers={
            "content-type": "application/json",
            "x-api-key": token,
            **{header["name"]: header["value"] for header in asked["headerParameters"]["parameters"]},
        },
        content=asked["jsonBody"],
    )
    assert answer.json()["content"][0]["text"] == HELLO
    # What its Anthropic credential asks for when it is tried.
    models = httpx.get(f"{gateway.base_url}/v1/models", headers={"x-api-key": token})
    assert models.status_code == 200


def test_every_section_is_run_or_says_that_it_is_not() -> None:
    headings = [line[3:] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("## ")]
    not_run = [heading for heading in headings if "Not run here" in page_clients.section(heading)]
    assert not_run == ["VS Code: Claude Code", "n8n"]
    assert set(headings) == {*CLIENTS, *not_run}
    for heading in CLIENTS:
        assert list(seen_by_users(heading)) == ["401", "429, spent", "429, held"], heading
