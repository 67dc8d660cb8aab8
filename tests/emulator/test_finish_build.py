"""A finished build has bytecode for Lambda's folders, the botocore that is used, and nothing that nobody reads."""

import importlib.util
import marshal
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from emulator.finish_build import UnfinishedBuild, finish, main

ROOT = Path(__file__).parents[2]
_UNCHECKED_HASH = b"\x01\0\0\0"  # PEP 552: the flags, with the source's check switched off


def _files(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("value = 1\n")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    _files(tmp_path, "template.yaml", "Function/app.py", "Runtime/bootstrap", "Runtime/lambda_asgi/asgi.py")
    data = [f"botocore/data/{name}" for name in ("endpoints.json", "dynamodb/1/service-2.json.gz")]
    unread = [
        *("pkg/tests/test_pkg.py", "pkg/__pycache__/old.pyc", "pkg/fast.pyi", "bin/pkg", "requirements.txt"),
        *("pkg-1.dist-info/RECORD", "pkg-1.data/purelib/x", "botocore/data/ec2/1/service-2.json.gz"),
        "botocore/data/dynamodb/1/examples-1.json",
    ]
    kept = ["pkg/__init__.py", "pkg/py.typed", "pkg/sub/tests/__init__.py", "pkg-1.dist-info/METADATA", *data]
    _files(tmp_path / "Layer/python", *unread, *kept, "pkg-1.dist-info/licenses/LICENSE", "pkg/fast.so")
    (tmp_path / "Layer/python/aws-services.txt").write_text("dynamodb\n")
    return tmp_path


def test_what_is_read_stays_and_the_rest_goes(build: Path) -> None:
    finish(build)
    packages = build / "Layer/python"
    left = {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()}
    assert {name for name in left if not name.endswith(".pyc")} == {
        "botocore/data/dynamodb/1/service-2.json.gz",
        "botocore/data/endpoints.json",
        "pkg/__init__.py",
        "pkg/fast.so",
        "pkg/py.typed",
        # Deep inside a package a folder of that name may be anything.
        "pkg/sub/tests/__init__.py",
        "pkg-1.dist-info/METADATA",
        "pkg-1.dist-info/licenses/LICENSE",
    }


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("Function/app.py", "/var/task/app.py"),
        ("Runtime/lambda_asgi/asgi.py", "/opt/lambda_asgi/asgi.py"),
        ("Layer/python/pkg/__init__.py", "/opt/python/pkg/__init__.py"),
    ],
)
def test_bytecode_is_for_lambdas_folders_and_never_checked(build: Path, source: str, where: str) -> None:
    finish(build)
    compiled = Path(importlib.util.cache_from_source(str(build / source))).read_bytes()
    assert compiled[:4] == importlib.util.MAGIC_NUMBER
    assert compiled[4:8] == _UNCHECKED_HASH
    code = marshal.loads(compiled[16:])  # noqa: S302 - compiled here
    assert isinstance(code, CodeType)
    assert code.co_filename == where


def test_finishing_twice_changes_nothing(build: Path) -> None:
    finish(build)
    once = {path: path.read_bytes() for path in build.rglob("*") if path.is_file()}
    (build / "Layer/python/aws-services.txt").write_text("dynamodb\n")
    finish(build)
    assert {path: path.read_bytes() for path in build.rglob("*") if path.is_file()} == once


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda build: (build / "template.yaml").unlink(), "holds nothing that `sam build` made"),
        (lambda build: (build / "Layer/python/aws-services.txt").unlink(), "no aws-services.txt"),
        (
            lambda build: (build / "Layer/python/aws-services.txt").write_text("dynamodb dynamo"),
            "no service called dynamo",
        ),
        (lambda build: (build / "Function/app.py").write_text("def"), "does not compile"),
    ],
)
def test_what_cannot_be_finished_is_said(build: Path, change: object, message: str) -> None:
    assert callable(change)
    change(build)
    with pytest.raises(UnfinishedBuild, match=message):
        finish(build)


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "holds nothing" in capsys.readouterr().err


def test_it_needs_nothing_but_the_standard_library() -> None:
    look = (
        "import sys; before = set(sys.modules); import emulator.finish_build;"
        "print({n.partition('.')[0] for n in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {look}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "{'emulator'}"
