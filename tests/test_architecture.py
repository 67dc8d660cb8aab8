"""What keeps the repository in shape: a lean messages function, short files, and words of the product alone."""

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = ("shared", "layers", "functions", "emulator", "scripts")
# A file or a function that passes these is asking to be cut in two.
MAX_FILE_LINES, MAX_FUNCTION_LINES = 420, 60

# Loaded neither when the function starts nor when it opens its doors: each costs tens to hundreds of milliseconds
# of every cold start, and the dependencies layer of the function does not hold them.
NOT_IN_THE_MESSAGES_FUNCTION = {
    "anyio",
    "boto3",
    "botocore",
    "channeling_cli",
    "cryptography",
    "fastapi",
    "genai_prices",
    "httpcore",
    "httpx",
    "hypothesis",
    "moto",
    "pydantic",
    "pytest",
    "rich",
    "starlette",
    "typer",
    "uvicorn",
    "yaml",
}
START = """
import asyncio, json, sys
import app

async def start_and_stop():
    arriving, leaving = asyncio.Queue(), asyncio.Queue()
    arriving.put_nowait({"type": "lifespan.startup"})
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    running = asyncio.ensure_future(app.app(scope, arriving.get, leaving.put))
    assert (await leaving.get())["type"] == "lifespan.startup.complete"
    loaded = sorted(sys.modules)
    arriving.put_nowait({"type": "lifespan.shutdown"})
    await running
    return loaded

print(json.dumps(asyncio.run(start_and_stop())))
"""
FUNCTION_ENVIRON = {
    "PYTHONPATH": os.pathsep.join([str(ROOT / "functions/messages"), str(ROOT / "shared")]),
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "stand-in",
    "AWS_SECRET_ACCESS_KEY": "stand-in",
    "AWS_EC2_METADATA_DISABLED": "true",
    "CHANNELING_PROJECTS_TABLE": "projects",
    "CHANNELING_BUDGETS_TABLE": "budgets",
    "CHANNELING_USAGE_TABLE": "usage",
    "CHANNELING_KMS_KEY_ID": "stand-in",
}


@cache
def tracked_files() -> tuple[str, ...]:
    """Every file of the repository, as git knows them (also those that are not committed yet)."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(name for name in sorted(set(listed.splitlines())) if (ROOT / name).is_file())


@cache
def text_of(name: str) -> str:
    content = (ROOT / name).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", "replace")


def python_files() -> list[str]:
    return [name for name in tracked_files() if name.endswith(".py")]


def test_the_messages_function_loads_no_more_than_it_needs() -> None:
    """A fresh process that starts the function, as Lambda does, has loaded none of the heavy packages."""
    ran = subprocess.run(
        [sys.executable, "-c", START],
        env=FUNCTION_ENVIRON,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    loaded = {name.partition(".")[0] for name in json.loads(ran.stdout)}
    assert {"channeling", "msgspec", "httptools", "orjson"} <= loaded, "it did not start what it serves with"
    assert loaded.isdisjoint(NOT_IN_THE_MESSAGES_FUNCTION)


@pytest.mark.parametrize("name", [name for name in python_files() if name.startswith(SHIPPED)])
def test_files_are_short_enough_to_read(name: str) -> None:
    assert len(text_of(name).splitlines()) <= MAX_FILE_LINES


def test_functions_are_short_enough_to_read() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}: {length} lines"
        for name in python_files()
        for node in ast.walk(ast.parse(text_of(name)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long


def test_files_say_what_they_hold() -> None:
    """No module is named for what any module could be."""
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
    assert [name for name in python_files() if Path(name).stem in vague] == []


# Brackets keep each pattern from finding itself.
@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a path of one machine", r"(?<![\w.])/(w[o]rk|r[o]ot|h[o]me/\w+|Us[e]rs/\w+)/"),
        ("the host of a package registry", r"pyth[o]nhosted|pypi\.org/s[i]mple|\bregistry\.(n[p]mjs|y[a]rnpkg)"),
        ("an address to install from", r"--(extra-)?ind[e]x-url|--tr[u]sted-host|\"res[o]lved\": \"http"),
        ("how this was built", r"(?i)\bthe l[e]ad\b|\bthe br[i]ef\b|\bseed p[a]ge\b|\bDESIGN\.m[d]|\bfacts/[A-Z]"),
        ("a task number", r"(?i)(?<![\w-])(i[s]sue|t[a]sk|t[i]cket) #?\d{1,2}\b"),
        ("unfinished work", r"\b(T[O]DO|F[I]XME|X[X]X)\b"),
        ("a usable key", r"sk-ant-a[p]i\d\d-\w{20}|\bAK[I]A[A-Z0-9]{16}\b|sk-or-v[1]-\w{20}"),
    ],
)  # fmt: skip
def test_the_repository_speaks_of_the_product_alone(what: str, pattern: str) -> None:
    found = [
        f"{name}:{text_of(name).count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name in tracked_files()
        for match in re.finditer(pattern, text_of(name))
    ]
    assert not found, what
