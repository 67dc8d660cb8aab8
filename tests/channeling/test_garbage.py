"""The process that answers messages on Lambda collects garbage rarely, and never looks at what it imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {
    "PYTHONPATH": os.pathsep.join([str(ROOT / "functions/messages"), str(ROOT / "shared")]),
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "CHANNELING_PROJECTS_TABLE": "projects",
    "CHANNELING_BUDGETS_TABLE": "budgets",
    "CHANNELING_USAGE_TABLE": "usage",
    "CHANNELING_KMS_KEY_ID": "stand-in",
}
CODE = """
import gc, json
before = gc.get_threshold()
import app
looked_at = {id(one) for one in gc.get_objects()}
print(json.dumps([before, gc.get_threshold(), gc.get_freeze_count(), id(app.app.__dict__) in looked_at]))
"""


def test_what_was_imported_is_not_looked_at_again() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CODE], env=ENVIRON, capture_output=True, check=True, timeout=60
    )
    before, after, frozen, is_looked_at = json.loads(ran.stdout)
    assert after == [20_000, *before[1:]]
    assert frozen > 10_000
    assert not is_looked_at
