"""The bench of the built function runs, and what does not depend on a quiet machine keeps to its bounds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


def test_sizes_and_memory_keep_to_their_bounds(built_for_host: Path) -> None:
    counts = ["--rounds", "0", "--streams", "20", "--at-a-time", "50", "--deltas", "10", "--imports"]
    ran = subprocess.run(
        [sys.executable, "-m", "bench.artifact", "--build", str(built_for_host), *counts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    verdicts = dict(re.findall(r"^(.*?)  +[\d.]+ +[\d.]+ (?:MB|x) +(pass|MISSED)", ran.stdout, re.MULTILINE))
    assert len(verdicts) == 5
    assert {name: verdicts[name] for name in verdicts if "gap" not in name} == {
        "messages function with its layers": "pass",
        "admin function with its layers": "pass",
        "resident after 20 streams": "pass",
        "50 streams at a time: memory a stream": "pass",
    }


def test_the_initialisation_imports_nothing_heavy(built_for_host: Path) -> None:
    """What a cold start would pay for: none of these may come back into the graph."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.artifact.imports", str(built_for_host)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.split()[-1].partition(".")[0] for line in ran.stdout.splitlines()}
    assert {"app", "channeling", "lambda_asgi", "msgspec", "httptools", "orjson"} <= imported
    heavy = {
        "starlette",
        "anyio",
        "httpx",
        "botocore",
        "boto3",
        "pydantic",
        "fastapi",
        "cryptography",
        "genai_prices",
        "h11",
    }
    assert not heavy & imported
