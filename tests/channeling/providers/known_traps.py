"""The known traps of translating gateways: 133 situations, by number, in which one was seen to fail.

A golden case that bears a number proves it on its route; others are proved by tests of what is no translation.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
NUMBERS = range(1, 134)


def golden_numbers(provider: str) -> set[int]:
    """Return the numbers that golden cases of a provider bear."""
    names = [path.name for path in (ROOT / "tests" / "golden" / provider).iterdir()]
    return {int(found[1]) for name in names if (found := re.match(r"trap_(\d{3})_", name))}


def is_there(proof: str) -> bool:
    """Say whether a test (`file::test`) is there: one that was renamed or taken away proves nothing any longer."""
    file, _, name = proof.partition("::")
    path = ROOT / file
    return path.exists() and bool(
        re.search(rf"^(async )?def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    )
