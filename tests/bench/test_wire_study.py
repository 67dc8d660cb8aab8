"""The arithmetic of the study over the wire: what clients saw, what refusals mean, and the lines of its tables."""

import asyncio
import sys
from pathlib import Path

import orjson
import pytest

from bench.budget_study import HEAD
from bench.wire import channeling_gateway, claude_gateway, hardcap_gateway
from bench.wire.__main__ import CROWD_ANSWERS, CROWD_HEAD, Run, crowd_row, main, outcome_of, remarks, row
from bench.wire.gateway import Gateway, Ledger, Refusal
from bench.wire.generation import Truth
from bench.wire.processes import DidNotStart, first_line, running, wait_until
from bench.wire.workers import Load, Seen, press

LIMIT = 300_000_000  # 20,000 tokens at $15 a million


def _run(*, counts_input: bool = True, uncollected: int | None = 0) -> Run:
    return Run(
        "G",
        LIMIT,
        counts_input,
        {"a": Seen(answers=90, refusals=10, seconds=10.0), "b": Seen(answers=100, refusals=20, seconds=20.0)},
        {"a": Truth(90, 1_000, 20_000, 1), "b": Truth(100, 0, 19_000, 2)},
        {"a": Ledger(300_000_000, uncollected), "b": Ledger(285_000_000, uncollected)},
    )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_the_columns_of_the_study_in_virtual_time() -> None:
    line = row(_run(), Load(128, True, 1, 180.0), 1024, 20_000)
    assert dict(zip(_cells(HEAD.splitlines()[0]), _cells(line), strict=True)) == {
        "policy": "G",
        "streams": "128",
        "`max_tokens`": "1,024",
        "budget": "20,000",
        "truth over": "+1.000%",  # a: 20,000 tokens and 1,000 of input at a fifth of the price
        "settled over (n$)": "0",
        "truth - settled": "+1.000%",
        "uncollected": "0.000%",
        "used": "98.00%",  # a: 101 %, b: 95 %
        "cut": "1.5 (max 2)",
        "refusals": "15",
        "seconds": "15",
    }


def test_a_budget_in_output_tokens_is_held_against_output_alone() -> None:
    assert outcome_of(_run(counts_input=False), "a").truth == LIMIT
    assert outcome_of(_run(), "a").truth == LIMIT + 3_000_000


def test_a_gateway_that_knows_no_uncollected_gets_no_figure() -> None:
    cells = _cells(row(_run(uncollected=None), Load(1, True, 1, 180.0), 1024, 20_000))
    assert cells[7] == "-"


def test_a_ledger_over_its_limit_shows() -> None:
    run = _run()
    over = Run(run.gateway, LIMIT, True, run.seen, run.truths, {**run.ledgers, "b": Ledger(LIMIT + 5)})
    assert _cells(row(over, Load(1, True, 1, 180.0), 1024, 20_000))[5] == "5"


def test_the_crowd_of_128_costs_what_the_published_experiment_cost() -> None:
    each = CROWD_ANSWERS.input_tokens * 3_000 + (CROWD_ANSWERS.fixed_tokens or 0) * 15_000
    assert each == 9_300_000
    truth = Truth(128, 128 * 1_000, 128 * 420, 0)
    run = Run("G", 100_000_000, True, {"a": Seen(answers=128)}, {"a": truth}, {"a": Ledger(128 * each)})
    cells = dict(zip(_cells(CROWD_HEAD.splitlines()[0]), _cells(crowd_row(run, 128)), strict=True))
    assert (cells["billed by the provider"], cells["over the cap"]) == ("$1.1904", "+1090.4%")


def test_what_a_reader_must_know_is_said() -> None:
    assert remarks(_run()) == []
    run = _run()
    odd = Run("G", LIMIT, True, {"a": Seen(failures=2, unfinished=1), "b": Seen(broken=3)}, {}, run.ledgers)
    assert [remark.split(" ")[1] for remark in remarks(odd)] == ["2", "3", "1"]


@pytest.mark.parametrize("name", ["hardcap", "claude"])
def test_a_gateway_that_is_not_here_is_skipped_with_the_reason(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hardcap_gateway, "HARDCAP", tmp_path / "hardcap")
    monkeypatch.setattr(claude_gateway, "PACKAGES", tmp_path)
    monkeypatch.setattr(
        "sys.argv", ["wire", "--gateways", name, "--streams", "1", "--only", "spend", "--at-most-s", "5"]
    )
    main()
    [_, *rows, reason] = [line for line in capsys.readouterr().out.splitlines() if line]
    assert rows == [line.replace("policy", "gateway") for line in HEAD.splitlines()]
    assert reason.endswith("skipped, it is not installed here (make bench-peers)")


def test_a_program_is_ended_with_the_study_and_one_that_does_not_come_up_is_told(tmp_path: Path) -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('{}', flush=True)"
    )
    patient = [sys.executable, "-c", f"{code}; signal.pause()"]
    with running(patient, tmp_path, "a.err", environ={}) as process:
        assert first_line(process, tmp_path / "a.err") == {}
    assert process.returncode == 7
    with (
        running(
            [sys.executable, "-c", "raise SystemExit('no store')"], tmp_path, "b.err", environ={}
        ) as ended,
        pytest.raises(DidNotStart, match="no store"),
    ):
        wait_until(lambda: False, ended, tmp_path / "b.err")


HELD = {"error": {"type": "rate_limit_error", "message": "AI budget is held by requests in flight"}}
SPENT = {"error": {"type": "rate_limit_error", "details": {"error_code": "budget_exceeded"}}}


@pytest.mark.parametrize(
    ("meaning_of", "status", "content", "meaning"),
    [
        (channeling_gateway.refusal, 429, HELD, "held"),
        (channeling_gateway.refusal, 429, SPENT, "spent"),
        (channeling_gateway.refusal, 529, {}, "failed"),
        (hardcap_gateway.refusal, 429, {"error": {"type": "budget_busy"}}, "held"),
        (hardcap_gateway.refusal, 429, {"error": {"type": "budget_exceeded"}}, "spent"),
        (hardcap_gateway.refusal, 502, {}, "failed"),
        (claude_gateway.refusal, 429, {"error": {"message": "spend limit reached - resets Nov 25"}}, "spent"),
        (claude_gateway.refusal, 429, {"error": {"message": "spend limit unavailable"}}, "failed"),
        (claude_gateway.refusal, 500, {}, "failed"),
    ],
)
def test_what_a_refusal_tells_a_client(meaning_of, status: int, content: object, meaning: Refusal) -> None:  # type: ignore[no-untyped-def]
    assert meaning_of(status, orjson.dumps(content)) == meaning


async def test_a_worker_goes_on_until_it_is_spent_and_asks_again_where_others_hold_the_rest() -> None:
    script = [(200, b"whole end"), (429, b"held"), (503, b"failed"), (200, b"cut off"), (429, b"spent")]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status, body = script.pop(0)
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        gateway = Gateway(
            name="G",
            url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
            headers={"a": {}},
            bodies={"a": b""},
            ending=b"end",
            refusal=lambda status, body: body.decode(),  # type: ignore[arg-type,return-value] # the script's words
            ledger=lambda user: Ledger(0),
        )
        seen = await press(gateway, Load(1, True, 1, 60.0, retry_s=(0.0, 0.0)))
    assert script == []
    assert (seen["a"].answers, seen["a"].broken) == (2, 1)
    assert (seen["a"].refusals, seen["a"].failures, seen["a"].spent, seen["a"].unfinished) == (1, 1, 1, 0)
