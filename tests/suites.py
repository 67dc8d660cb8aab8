"""The test suites, run one after the other: `python -m tests.suites [--long]`, which is what `make test` does.

A suite that needs a tool which is not here is left out, and the last lines say so and what would bring it in;
with CI=true that is a failure. All suites run whatever becomes of those before. The very last line is
`N passed, N failed`, and the exit code is 0 only if nothing failed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import fetched_tools
from tests.fetched_tools import ROOT, ToolMissing

# A suite past its limit is named as slow; one that passes the limit this many times over hangs, and is stopped.
_STOP_AFTER_LIMITS = 4
_LONG_LIMITS = 10


@dataclass(frozen=True)
class Suite:
    """A part of the tests: `arguments` and marker expression for pytest, `limit_s` it should not pass.

    `fetch` brings in its tools, or raises ToolMissing.
    """

    name: str
    proves: str
    limit_s: int
    arguments: tuple[str, ...]
    markers: str = ""
    fetch: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Outcome:
    """How a suite ended. `troubles` are failures outside any test; `left_out` is what would bring it in."""

    suite: Suite
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    left_out: str | None = None


# What the suite `openai` is made of, and others leave to it.
_OPENAI = (
    "tests/channeling/gateway/openai",
    "tests/channeling/providers/openai",
    "tests/stand_ins/test_openai_upstream.py",
    "tests/stand_ins/test_openai_validator.py",
    "tests/clients/test_openai_tool_loop.py",
    "tests/bench/test_translate_bench.py",
)
# The same of the suite `openrouter`.
_OPENROUTER = (
    "tests/channeling/gateway/openrouter",
    "tests/channeling/providers/openrouter",
    "tests/channeling/providers/chat_completions",
    "tests/stand_ins/test_chat_upstream.py",
    "tests/clients/test_openrouter_tool_loop.py",
)
_WITHOUT_TRANSLATED = tuple(f"--ignore={path}" for path in (*_OPENAI, *_OPENROUTER))

SUITES = (
    Suite(
        "main",
        "everything that needs Python alone",
        120,
        # Two at a time, a file each: the gateway that a file's tests share is started once.
        (
            "tests",
            "--ignore=tests/clients",
            "--ignore=tests/money",
            "--ignore=tests/operate",
            "--ignore=tests/simulation",
            *_WITHOUT_TRANSLATED,
            "-n",
            "2",
            "--dist",
            "loadfile",
        ),
        "not node and not java and not sam",
    ),
    Suite(
        "openai",
        "Anthropic's clients on OpenAI's models: translation, errors, budgets, a tool loop by the official SDK",
        60,
        (*_OPENAI, "-n", "2", "--dist", "loadfile"),
        "not node and not java and not sam",
    ),
    Suite(
        "openrouter",
        "Anthropic's clients on OpenRouter's models and other chat servers: as the suite `openai`",
        60,
        (*_OPENROUTER, "-n", "2", "--dist", "loadfile"),
        "not node and not java and not sam",
    ),
    Suite(
        "money",
        "every condition of the ledger is needed, and it survives races of threads and processes",
        200,
        ("tests/money", "tests/simulation", "-n", "2", "--dist", "worksteal"),
        "not node and not java and not sam",
    ),
    Suite(
        "python-clients",
        "the official Python SDK, the newest and an old one, on `channeling serve`",
        60,
        (
            "tests/clients",
            "--ignore=tests/clients/third_party",
            *_WITHOUT_TRANSLATED,
            "-n",
            "2",
            "--dist",
            "loadfile",
        ),
        "not node and not java and not sam",
        fetched_tools.old_python_sdk,
    ),
    Suite(
        "node-clients",
        "the official TypeScript SDK and Claude Code, on all three providers, and TypeScript in the documentation",
        60,
        ("tests/clients", "tests/docs", "-n", "2", "--dist", "loadfile"),
        "node",
        fetched_tools.node_packages,
    ),
    Suite(
        "operate",
        "the dashboard in Chromium, on `channeling serve`: what operators do, hostile names, access for everybody",
        90,
        ("tests/operate", "-n", "2", "--dist", "loadfile"),
        "not node and not java and not sam",
        lambda: (fetched_tools.chromium(), fetched_tools.axe_core()),
    ),
    Suite(
        "third-party",
        "the clients page, each client at work and refused; tools by LangChain and the AI SDK on each provider",
        60,
        ("tests/clients/third_party", "-n", "2", "--dist", "loadfile"),
        fetch=fetched_tools.clients_of_the_page,
    ),
    Suite(
        "dynamodb-local",
        "budgets, races, costs and restarts on AWS's own DynamoDB Local",
        200,
        ("tests/dynamodb_local", "-n", "2", "--dist", "loadfile"),
        "java",
        lambda: (fetched_tools.java(), fetched_tools.dynamodb_local()),
    ),
    Suite(
        "lambda",
        "the template, what `sam build` makes of it, that under AWS's emulator and ours, official SDKs",
        100,
        ("tests/docs", "tests/functions", "tests/emulator", "tests/layers", "-n", "2", "--dist", "loadfile"),
        "sam",
        lambda: (fetched_tools.sam(), fetched_tools.node_packages()),
    ),
    Suite(
        "template",
        "each way to deploy is a valid template, no rule of checkov's is broken without a reason",
        40,
        ("tests/template",),
        "sam",
        lambda: (fetched_tools.sam(), fetched_tools.checkov()),
    ),
)


def run_suites(suites: Sequence[Suite], *, long: bool, environ: Mapping[str, str]) -> int:
    """Run every suite, print what became of each, and return the exit code."""
    outcomes = [_run_suite(suite, long=long, environ=environ) for suite in suites]
    lines, exit_code = report(outcomes, all_must_run=environ.get("CI", "").lower() == "true", long=long)
    print("\n" + "\n".join(lines), flush=True)
    return exit_code


def report(outcomes: Sequence[Outcome], *, all_must_run: bool, long: bool = False) -> tuple[list[str], int]:
    """Return the last lines and the exit code. With `all_must_run` whatever did not run counts as failed."""
    lines = [f"{'suite':16}{'seconds':>8}{'limit':>7}{'passed':>8}{'failed':>8}{'skipped':>9}"]
    passed = failed = 0
    for outcome in outcomes:
        passed += outcome.passed
        failed += outcome.failed + len(outcome.troubles)
        limit_s = _limit_s(outcome.suite, long=long)
        if outcome.left_out is None:
            lines.append(
                f"{outcome.suite.name:16}{outcome.seconds:>8.1f}{limit_s:>7}"
                f"{outcome.passed:>8}{outcome.failed:>8}{len(outcome.skipped):>9}"
                + (" slow: past its limit" if outcome.seconds > limit_s else "")
            )
    not_run = [
        f"skipped in {outcome.suite.name}: {skipped}" for outcome in outcomes for skipped in outcome.skipped
    ] + [
        f"left out: {outcome.suite.name} ({outcome.suite.proves}). To bring it in: {outcome.left_out}"
        for outcome in outcomes
        if outcome.left_out is not None
    ]
    lines += [
        f"failed: {outcome.suite.name}: {trouble}" for outcome in outcomes for trouble in outcome.troubles
    ]
    lines += not_run
    if all_must_run and not_run:
        failed += len(not_run)
        lines.append(f"CI=true: all must run, so the {len(not_run)} that did not are counted as failed")
    return [*lines, f"{passed} passed, {failed} failed"], 1 if failed else 0


def _run_suite(suite: Suite, *, long: bool, environ: Mapping[str, str]) -> Outcome:
    limit_s = _limit_s(suite, long=long)
    print(f"\n== {suite.name}: {suite.proves} (limit {limit_s} s)", flush=True)
    started = time.monotonic()
    try:
        suite.fetch()
    except ToolMissing as missing:
        print(f"left out; to bring it in: {missing}", flush=True)
        return Outcome(suite, left_out=str(missing))
    fetched = time.monotonic()
    if fetched - started > 1:
        print(f"(its tools took {fetched - started:.0f} s to fetch, once)", flush=True)
    markers = [part for part in (suite.markers, "" if long else "not long") if part]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={results}", *suite.arguments]
        if markers:
            command += ["-m", " and ".join(f"({part})" for part in markers)]
        try:
            exit_code = subprocess.run(
                command, cwd=ROOT, env=environ, timeout=limit_s * _STOP_AFTER_LIMITS, check=False
            ).returncode
            trouble = None
        except subprocess.TimeoutExpired:
            exit_code, trouble = -1, f"stopped: it ran for {limit_s * _STOP_AFTER_LIMITS} s"
        return _outcome(suite, time.monotonic() - fetched, exit_code, trouble, results)


def _outcome(suite: Suite, seconds: float, exit_code: int, trouble: str | None, results: Path) -> Outcome:
    if not results.is_file():
        trouble = trouble or f"pytest ended with exit code {exit_code} and no results"
        return Outcome(suite, seconds, troubles=(trouble,))
    # Written by the pytest that this process has just run.
    cases = list(ET.parse(results).getroot().iter("testcase"))  # noqa: S314
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = tuple(
        f"{case.get('classname')}::{case.get('name')}: {element.get('message')}"
        for case in cases
        if (element := case.find("skipped")) is not None and case not in failed
    )
    if trouble is None and exit_code != 0 and not failed:
        no_tests = " (it found no tests)" if exit_code == 5 else ""
        trouble = f"pytest ended with exit code {exit_code}{no_tests}"
    return Outcome(
        suite,
        seconds,
        passed=len(cases) - len(failed) - len(skipped),
        failed=len(failed),
        skipped=skipped,
        troubles=() if trouble is None else (trouble,),
    )


def _limit_s(suite: Suite, *, long: bool) -> int:
    return suite.limit_s * (_LONG_LIMITS if long else 1)


def main() -> None:
    """Run the suites of this repository."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites", description=__doc__)
    parser.add_argument("--long", action="store_true", help="run the larger counts too")
    parser.add_argument("--only", metavar="SUITE", choices=[suite.name for suite in SUITES], action="append")
    options = parser.parse_args()
    suites = [suite for suite in SUITES if options.only is None or suite.name in options.only]
    sys.exit(run_suites(suites, long=options.long, environ=os.environ))


if __name__ == "__main__":
    main()
