"""`make build` makes a deployable artifact: for Lambda's processor, whole, and with nothing in it by mistake."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.artifact.sizes import unzipped_megabytes
from emulator.artifact import (
    ADMIN_FUNCTION,
    ADMIN_LAYERS,
    FUNCTION,
    LAYERS,
    RECONCILE_FUNCTION,
    RECONCILE_LAYERS,
    one_build_at_a_time,
)
from tests.functions.cloudformation_yaml import read_template

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam/build"


@pytest.fixture(scope="module")
def build() -> Path:
    """What `make build` makes."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with one_build_at_a_time():
        ran = subprocess.run(
            ["make", "build"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "is a valid SAM Template" in ran.stdout
    return BUILD


def test_compiled_packages_are_lambdas(build: Path) -> None:
    compiled = [path.name for path in build.rglob("*.so")]
    assert compiled
    assert all("cpython-313-aarch64-linux-gnu" in name for name in compiled)


def test_everything_lies_where_lambda_looks(build: Path) -> None:
    assert (build / FUNCTION / "app.py").is_file()
    runtime, packages, core = (build / layer for layer in LAYERS)
    assert os.access(runtime / "bootstrap", os.X_OK)
    assert (runtime / "lambda_asgi/__main__.py").is_file()
    assert (packages / "python/starlette").is_dir()
    assert (core / "python/channeling/app.py").is_file()
    assert (core / "python/channeling/pricing/default_prices.json").is_file()
    assert (build / "AdminFunction/app.py").is_file()
    assert (build / "AdminLayer/python/channeling_admin/app.py").is_file()
    assert (build / "AdminDependenciesLayer/python/fastapi").is_dir()


def test_nothing_is_in_it_by_mistake(build: Path) -> None:
    names = {path.name for path in build.rglob("*")}
    assert not {"channeling_cli", "boto3", "cryptography", "moto", "tests", "requirements.txt"} & names
    of_messages = {path.name for layer in LAYERS for path in (build / layer).rglob("*")}
    assert not {"channeling_admin", "fastapi", "pydantic"} & of_messages
    assert not [name for name in names if name.endswith((".key", ".env", ".pyi"))]


@pytest.mark.parametrize(
    ("function", "layers"),
    [(FUNCTION, LAYERS), (RECONCILE_FUNCTION, RECONCILE_LAYERS), (ADMIN_FUNCTION, ADMIN_LAYERS)],
)
def test_functions_are_laid_out_here_with_the_layers_of_the_template(
    function: str, layers: Sequence[str]
) -> None:
    properties = read_template(ROOT / "template.yaml")["Resources"][function]["Properties"]
    assert [layer["Ref"] for layer in properties["Layers"]] == list(layers)


def test_every_module_is_compiled_for_lambdas_python_and_nothing_else_is(build: Path) -> None:
    compiled = set(build.rglob("*.pyc"))
    wanted = {path.parent / f"__pycache__/{path.stem}.cpython-313.pyc" for path in build.rglob("*.py")}
    assert compiled == wanted
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\0\0\0"}  # by hash, never checked


@pytest.mark.parametrize(
    ("parts", "most_mb"),
    [
        ((FUNCTION, *LAYERS), 25),
        ((ADMIN_FUNCTION, *ADMIN_LAYERS), 45),
    ],
)
def test_functions_with_their_layers_are_small(build: Path, parts: Sequence[str], most_mb: int) -> None:
    assert unzipped_megabytes(build, parts) <= most_mb


def test_botocore_has_the_services_that_are_used(build: Path) -> None:
    data = build / "AdminDependenciesLayer/python/botocore/data"
    services = (ROOT / "layers/admin-deps/aws-services.txt").read_text().split()
    assert sorted(path.name for path in data.iterdir() if path.is_dir()) == services
