"""`make build` makes a deployable artifact: for Lambda's processor, whole, and with nothing in it by mistake."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from emulator.artifact import FUNCTION, LAYERS
from emulator.sam_cli import HOME, sam_environ

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam/build"
_TRANSLATE = """
import json, sys
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
template = yaml_parse(open(sys.argv[1]).read())
for resource in template["Resources"].values():
    for name in {"CodeUri", "ContentUri"} & set(resource["Properties"]):
        resource["Properties"][name] = "s3://bucket/key"  # what `sam deploy` puts there
print(json.dumps(Translator({}, Parser()).translate(template, {})["Resources"]))
"""


@pytest.fixture(scope="module")
def build() -> Path:
    """What `make build` makes."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
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
    assert not {"__pycache__", "channeling_cli", "boto3", "cryptography", "moto"} & names
    of_messages = {path.name for layer in LAYERS for path in (build / layer).rglob("*")}
    assert not {"channeling_admin", "fastapi", "pydantic", "mangum"} & of_messages
    assert not [name for name in names if name.endswith((".pyc", ".key", ".env"))]


def test_a_public_url_gets_both_permissions_and_the_role_no_others(build: Path) -> None:
    ran = subprocess.run(
        [str(HOME / "bin/python"), "-c", _TRANSLATE, str(build / "template.yaml")],
        env=sam_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    resources = json.loads(ran.stdout)
    permissions = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Permission"
        and resource["Properties"]["FunctionName"] == {"Ref": FUNCTION}
    ]
    assert sorted(permission["Action"] for permission in permissions) == [
        "lambda:InvokeFunction",
        "lambda:InvokeFunctionUrl",
    ]
    [through_url] = [
        permission for permission in permissions if permission["Action"] == "lambda:InvokeFunction"
    ]
    assert through_url["InvokedViaFunctionUrl"] is True
    assert [name for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"] == [
        "MessagesRole",
        "ReconcileRole",
        "AdminRole",
    ]
