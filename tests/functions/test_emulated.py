"""The built function answers real events under AWS's own Runtime Interface Emulator, budgets and all."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from channeling_cli.event_command import filled_event
from emulator.answer import Answer, FunctionFailed
from emulator.artifact import Artifact
from emulator.invoke import EVENTS, all_events
from emulator.local_gateway import local_gateway
from emulator.rie import running_emulator
from tests.stand_ins.anthropic_script import LONG_TEXT, Text
from tests.stand_ins.anthropic_script import Script as AnthropicScript
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.openai_script import Message, Reasoning, Script
from tests.stand_ins.openai_upstream import OpenAIUpstream
from tests.stand_ins.strict_reader import read_strictly

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def invoked(built_for_host: Path) -> str:
    """What `make invoke EVENT=…` prints for a streamed message."""
    environ = {
        name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))
    }
    recipe = subprocess.run(
        ["make", "--dry-run", "invoke", "EVENT=events/message_stream.json"],
        cwd=ROOT,
        env={name: value for name, value in environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert recipe.endswith("python -m emulator.invoke events/message_stream.json\n")
    ran = subprocess.run(
        [sys.executable, *recipe.split()[-3:], "--build", str(built_for_host)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def ask(artifact: Artifact) -> Iterator[Ask]:
    """Invoke the function with an event of the events folder: `ask("message", body={…})`."""
    with asking(artifact, {}) as ask:
        yield ask


@contextmanager
def asking(artifact: Artifact, environ: dict[str, str], *, limit_microusd: int = 5_000_000) -> Iterator[Ask]:
    """Run the function on a store and an upstream of its own, with what `environ` says of providers."""
    with (
        tempfile.TemporaryFile() as log,
        local_gateway(environ, limit_microusd=limit_microusd) as gateway,
        running_emulator(artifact, gateway.environ, log=log) as emulator,
    ):

        def invoke(
            name: str, *, body: dict[str, Any] | None = None, token: str = gateway.token, **more: Any
        ) -> Answer:
            event = json.loads(filled_event((ROOT / f"events/{name}.json").read_text(), token)) | more
            if body is not None:
                event["body"] = json.dumps(json.loads(event["body"]) | body)
                event["headers"]["content-length"] = str(len(event["body"]))
            return emulator.invoke(json.dumps(event).encode())

        yield invoke


def test_make_invoke_prints_status_headers_and_a_whole_stream(invoked: str) -> None:
    head, _, body = invoked.partition("\n\n")
    status, *headers = head.splitlines()
    assert status == "HTTP 200"
    assert "content-type: text/event-stream; charset=utf-8" in headers
    assert any(line.startswith("x-channeling-budget-remaining: 4.") for line in headers)
    kinds = [line.removeprefix("event: ") for line in body.splitlines() if line.startswith("event: ")]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]


# What each event is answered with, and a part of the body.
ANSWERS: dict[str, tuple[int, str]] = {
    "budget": (200, '"remaining"'),
    "count_tokens": (200, '"input_tokens"'),
    "health": (200, ""),
    "message": (200, '"type":"message"'),
    "message_cut_off": (400, "invalid_request_error"),
    "message_in_base64": (200, '"type":"message"'),
    "message_stream": (200, "event: message_stop"),
    "message_without_token": (401, "authentication_error"),
    "model": (200, '"claude-sonnet-4-5"'),
    "models": (200, '"has_more"'),
    "other_callers/http_api": (200, '"type":"message"'),
    "other_callers/rest_api": (200, "event: message_stop"),
    "preflight": (405, ""),
    "unknown_path": (404, "not_found_error"),
    "usage": (200, '"by_model"'),
}
REFUSED = {"other_callers/plain_invocation": "Runtime.MalformedEvent"}


def test_each_event_has_its_answer(ask: Ask) -> None:
    names = {str(path.relative_to(EVENTS).with_suffix("")) for path in all_events()}
    assert names == ANSWERS.keys() | REFUSED.keys()
    # The demo upstream writes at a model's pace.
    short = ("message", "message_stream", "other_callers/http_api", "other_callers/rest_api")
    answers = {name: ask(name, body={"max_tokens": 8} if name in short else None) for name in ANSWERS}
    assert {
        name: (each.status, ANSWERS[name][1] in each.body.decode()) for name, each in answers.items()
    } == {name: (status, True) for name, (status, _) in ANSWERS.items()}
    for name, error_type in REFUSED.items():
        with pytest.raises(FunctionFailed) as failed:
            ask(name)
        assert failed.value.error["errorType"] == error_type


def test_messages_are_charged_and_nothing_stays_held(ask: Ask) -> None:
    before = json.loads(ask("budget").body)
    assert (before["limit"], before["held"]) == ("5", "0")
    whole = ask("message", body={"max_tokens": 8})
    assert whole.status == 200
    assert json.loads(whole.body)["usage"]["output_tokens"] <= 8
    once = json.loads(ask("budget").body)
    assert float(once["settled"]) > float(before["settled"])
    streamed = ask("message_stream", body={"max_tokens": 8})
    assert streamed.body.endswith(b'data: {"type":"message_stop"}\n\n')
    twice = json.loads(ask("budget").body)
    assert float(twice["settled"]) > float(once["settled"])
    assert twice["held"] == "0"


def test_the_other_endpoints_answer(ask: Ask) -> None:
    assert ask("health").status == 200
    assert json.loads(ask("count_tokens").body)["input_tokens"] > 0
    models = json.loads(ask("models").body)
    assert len(models["data"]) == 5


def test_a_forged_token_is_refused_in_anthropics_shape(ask: Ask) -> None:
    refused = ask("message", token="x.y.z")
    assert refused.status == 401
    assert json.loads(refused.body)["error"]["type"] == "authentication_error"
    assert refused.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("event", ["message", "message_stream"])
def test_an_openai_model_answers(artifact: Artifact, event: str) -> None:
    """The function has all that the translation needs; the answer is charged as OpenAI reports it."""
    script = Script((Reasoning(("Hm.",)), Message("One two three.")), input_tokens=100)
    with OpenAIUpstream(script) as upstream:
        keys = {"OPENAI_API_KEY": "sk-project", "CHANNELING_OPENAI_BASE_URL": upstream.sdk_base_url}
        with asking(artifact, keys) as ask:
            answer = ask(event, body={"model": "gpt-5.2", "thinking": {"type": "adaptive"}})
            settled = json.loads(ask("budget").body)["settled"]
        upstream.assert_nothing_refused()
    assert answer.status == 200
    message = read_strictly(answer.body).message if event == "message_stream" else json.loads(answer.body)
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["content"][1]["text"] == "One two three."
    assert float(settled) == pytest.approx((100 * 1.75 + message["usage"]["output_tokens"] * 14) / 1_000_000)


def test_a_stream_is_cut_in_good_order_where_its_budget_ends(artifact: Artifact) -> None:
    """Elastic holds work on Lambda too: more is held while it writes, and it ends well where none is left."""
    script = AnthropicScript(blocks=(Text(LONG_TEXT),), usage={"input_tokens": 100}, ending="hang")
    with AnthropicUpstream(script) as upstream:
        keys = {"ANTHROPIC_API_KEY": "sk-ant-project", "CHANNELING_ANTHROPIC_BASE_URL": upstream.base_url}
        with asking(artifact, keys, limit_microusd=25_000) as ask:
            answer = ask("message_stream", body={"model": "claude-sonnet-4-5", "max_tokens": 32_000})
            budget = json.loads(ask("budget").body)
        assert upstream.requests[0].client_left
    assert answer.status == 200
    message = read_strictly(answer.body).message
    assert message["stop_reason"] == "max_tokens"
    # More than the 1,024 tokens that it was admitted at, $0.0154, and no more than there was.
    assert 0.0155 < float(budget["settled"]) <= 0.025
    assert budget["held"] == "0"


def test_an_event_that_is_no_http_request_is_refused_by_name(ask: Ask) -> None:
    with pytest.raises(FunctionFailed) as failed:
        ask("health", requestContext={})
    assert failed.value.error["errorType"] == "Runtime.MalformedEvent"
    assert ask("health").status == 200


def test_a_function_without_its_tables_says_so_at_initialisation(artifact: Artifact) -> None:
    with (
        tempfile.TemporaryFile() as log,
        running_emulator(artifact, {"CHANNELING_KMS_KEY_ID": "alias/x"}, log=log) as emulator,
    ):
        with pytest.raises(FunctionFailed):
            emulator.invoke((ROOT / "events/health.json").read_bytes())
        log.seek(0)
        printed = log.read().decode()
    assert "initialisation failed: CHANNELING_PROJECTS_TABLE is not set" in printed
