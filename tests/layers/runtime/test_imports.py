"""The runtime layer needs nothing but Python's standard library."""

import ast
import sys
from pathlib import Path

import pytest

LAMBDA_ASGI = Path(__file__).parents[3] / "layers/runtime/lambda_asgi"


@pytest.mark.parametrize("path", sorted(LAMBDA_ASGI.glob("*.py")), ids=lambda path: path.name)
def test_every_import_is_the_standard_librarys_or_our_own(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"lambda_asgi"}
