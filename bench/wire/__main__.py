"""Budgets over the wire: Channeling and other gateways, each a process of its own, in front of one stand-in.

Two studies: users with many workers spend a budget (as bench/budget_study.py, in real time), and a crowd of streams
of one known price comes at once upon a cap. `python -m bench.wire --help`; bench/README.md explains both.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from bench.budget_study import HEAD, INPUT_RATE, OUTPUT_RATE, Outcome
from bench.wire.channeling_gateway import running_channeling
from bench.wire.claude_gateway import running_claude_gateway
from bench.wire.gateway import Gateway, Ledger, Task
from bench.wire.generation import Answers, Truth
from bench.wire.hardcap_gateway import running_hardcap
from bench.wire.peers import versions
from bench.wire.processes import DidNotStart, NotAvailable, running_provider
from bench.wire.workers import Load, Seen, press

Start = Callable[[Task], AbstractContextManager[Gateway]]
GATEWAYS: Mapping[str, Start] = {
    "elastic": lambda task: running_channeling(task, "elastic"),
    "strict": lambda task: running_channeling(task, "strict"),
    "soft": lambda task: running_channeling(task, "soft"),
    "hardcap": lambda task: running_hardcap(task, "reserve"),
    "hardcap-posthoc": lambda task: running_hardcap(task, "posthoc"),
    "claude": running_claude_gateway,
}
CROWD = ("elastic", "strict", "claude")
# A crowd's request: 1,000 tokens in and 420 out cost $0.0093 at $3 and $15 a million, and take 0.6 seconds.
CROWD_ANSWERS = Answers(
    max_tokens=1024,
    input_tokens=1_000,
    fixed_tokens=420,
    tokens_per_s=1_000.0,
    first_token_s=0.18,
    event_s=0.02,
    plain=True,
)
CROWD_PROMPT = "word " * 990
CROWD_LIMIT = 100_000_000
_SETTLED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run: by user, what clients saw, what the provider billed, what the gateway says."""

    gateway: str
    limit: int
    counts_input: bool
    seen: Mapping[str, Seen]
    truths: Mapping[str, Truth]
    ledgers: Mapping[str, Ledger]


def outcome_of(run: Run, user: str) -> Outcome:
    """Return one user's outcome as the study in virtual time has it. A gateway that keeps no such figure: 0."""
    truth, seen, ledger = run.truths.get(user, Truth()), run.seen[user], run.ledgers[user]
    billed = truth.output_tokens * OUTPUT_RATE + (truth.input_tokens * INPUT_RATE if run.counts_input else 0)
    return Outcome(
        limit=run.limit,
        truth=billed,
        settled=ledger.settled,
        uncollected=ledger.uncollected or 0,
        cut=truth.short,
        refusals=seen.refusals,
        seconds=seen.seconds,
        answers=seen.answers,
    )


def row(run: Run, load: Load, max_tokens: int, limit_tokens: int) -> str:
    """Return one line of the table: means by user, overshoot the worst. Columns as in bench/budget_study.py."""
    outcomes = [outcome_of(run, user) for user in run.seen]
    count, limit = len(outcomes), run.limit
    knows_uncollected = all(ledger.uncollected is not None for ledger in run.ledgers.values())
    uncollected = sum(one.uncollected for one in outcomes) / limit / count
    return (
        f"| {run.gateway} | {load.streams} | {max_tokens:,} | {limit_tokens:,} "
        f"| {max(one.truth - limit for one in outcomes) / limit:+.3%} "
        f"| {max(0, *(one.settled - limit for one in outcomes)):,} "
        f"| {max(one.truth - one.settled for one in outcomes) / limit:+.3%} "
        f"| {f'{uncollected:.3%}' if knows_uncollected else '-'} "
        f"| {sum(one.truth for one in outcomes) / limit / count:.2%} "
        f"| {sum(one.cut for one in outcomes) / count:.1f} (max {max(one.cut for one in outcomes)}) "
        f"| {sum(one.refusals for one in outcomes) / count:,.0f} "
        f"| {sum(one.seconds for one in outcomes) / count:.0f} |"
    )


def crowd_row(run: Run, streams: int) -> str:
    """Return one line of the crowd's table."""
    [user] = run.seen
    seen, outcome = run.seen[user], outcome_of(run, user)
    return (
        f"| {run.gateway} | {streams} | {seen.answers} | {outcome.cut} | {seen.spent} | {seen.refusals} "
        f"| ${outcome.truth / 1e9:.4f} | {(outcome.truth - run.limit) / run.limit:+.1%} "
        f"| ${outcome.settled / 1e9:.4f} | {outcome.seconds:.1f} |"
    )


CROWD_HEAD = (
    "| gateway | streams at once | answered | of them shortened | refused: spent | refused: held, then retried "
    "| billed by the provider | over the cap | charged | seconds |\n|" + "---|" * 10
)


def remarks(run: Run) -> list[str]:
    """Return what a reader must know before believing the run's line; mostly nothing."""
    kinds = {
        "answers that were neither a stream nor a budget refusal": sum(s.failures for s in run.seen.values()),
        "streams without a proper ending": sum(s.broken for s in run.seen.values()),
        "workers stopped by the study's own time limit": sum(s.unfinished for s in run.seen.values()),
    }
    return [f"{run.gateway}: {count} {what}" for what, count in kinds.items() if count]


def carry_out(name: str, answers: Answers, prompt: str, users: int, limit: int, load: Load) -> Run:
    """Start the stand-in and a gateway, press, and hold the ledger against the truth; raise NotAvailable."""
    names = tuple(f"user-{number}" for number in range(users))
    # Configurations, logs and the stores of peers: nothing stays, and no run sees the one before.
    with tempfile.TemporaryDirectory(prefix="wire-study-") as home:
        folder = Path(home)
        with running_provider(asdict(answers), load.seed, folder) as provider_url:
            task = Task(provider_url, folder, names, limit, limit // OUTPUT_RATE, answers.max_tokens, prompt)
            with GATEWAYS[name](task) as gateway:
                seen = asyncio.run(press(gateway, load))
                truths = _truths(provider_url)
                ledgers = {user: gateway.ledger(user) for user in names}
                return Run(gateway.name, limit, gateway.counts_input, seen, truths, ledgers)


def _truths(provider_url: str) -> dict[str, Truth]:
    """Return the truth once nothing is generated any more."""
    deadline_s = time.monotonic() + _SETTLED_WITHIN_S
    while True:
        with urllib.request.urlopen(f"{provider_url}/truth", timeout=10) as answer:  # noqa: S310 - loopback
            truths = {user: Truth(**fields) for user, fields in orjson.loads(answer.read()).items()}
        if not any(truth.running for truth in truths.values()):
            # A moment more for the gateways' own last write, which comes after the stream's last byte.
            time.sleep(1.0)
            return truths
        if time.monotonic() > deadline_s:
            raise RuntimeError("the provider is still generating although every client has left")
        time.sleep(0.1)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _attempt(carry: Callable[[], Run], write: Callable[[Run], str]) -> None:
    try:
        run = carry()
    except NotAvailable as reason:
        _say(f"\n{reason}\n")
        return
    except DidNotStart as error:
        _say(f"\na gateway did not start: {error}\n")
        return
    _say(write(run))
    for remark in remarks(run):
        sys.stderr.write(f"note: {remark}\n")


def machine() -> str:
    """Return what the figures were measured on."""
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} before; {', '.join(versions())}"
    )


def main() -> None:
    """Run the studies and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.wire", description=__doc__)
    parser.add_argument("--gateways", nargs="*", choices=[*GATEWAYS], default=[*GATEWAYS])
    parser.add_argument("--streams", type=int, nargs="*", default=[16, 128])
    parser.add_argument("--users", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--budget-tokens", type=int, default=20_000)
    parser.add_argument(
        "--plain", action="store_true", help="every token a word of 4 characters, none hidden"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-most-s", type=float, default=180.0, help="the longest a run may take")
    parser.add_argument("--only", choices=["spend", "crowd"], help="one of the two studies")
    options = parser.parse_args()
    _say(f"{machine()}\n")
    if options.only != "crowd":
        _say(HEAD.replace("policy", "gateway", 1))
        answers = Answers(options.max_tokens, plain=options.plain)
        limit = options.budget_tokens * OUTPUT_RATE
        for name in options.gateways:
            for streams in options.streams:
                load = Load(streams, True, options.seed, options.at_most_s)
                _attempt(
                    lambda: carry_out(name, answers, "Hello", options.users, limit, load),  # noqa: B023
                    lambda run: row(run, load, options.max_tokens, options.budget_tokens),  # noqa: B023
                )
    if options.only != "spend":
        _say(f"\n{CROWD_HEAD}")
        for name in [name for name in CROWD if name in options.gateways]:
            load = Load(128, False, options.seed, options.at_most_s)
            _attempt(
                lambda: carry_out(name, CROWD_ANSWERS, CROWD_PROMPT, 1, CROWD_LIMIT, load),  # noqa: B023
                lambda run: crowd_row(run, load.streams),  # noqa: B023
            )


if __name__ == "__main__":
    main()
