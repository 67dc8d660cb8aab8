"""Bytes that Lambda unpacks for a function and its layers: its own limit is 250 MB."""

from collections.abc import Sequence
from pathlib import Path


def unzipped_megabytes(build: Path, parts: Sequence[str]) -> float:
    """Return the size of the named folders of a build, in megabytes of 10^6 bytes."""
    files = (path for part in parts for path in (build / part).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files) / 1e6
