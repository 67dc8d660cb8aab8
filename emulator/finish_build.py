"""Makes what `sam build` made smaller and quicker to start: `python -m emulator.finish_build .aws-sam/build`.

Left out: what no function reads (tests, stubs, scripts, an installer's lists) and, of botocore's descriptions of
400 services, those that a layer's `aws-services.txt` does not name. Put in: compiled bytecode. Lambda's code
folders are read-only, so a cold start without it compiles every module it imports.

Run by the Python that the functions run on (3.13), which is SAM's own; it needs nothing but the standard library.
"""

import compileall
import py_compile
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

SERVICES_FILE = "aws-services.txt"
# Of an installed package's metadata: what importlib.metadata reads, and the licences. The rest is an installer's.
_KEPT_METADATA = (
    "METADATA",
    "entry_points.txt",
    "licenses",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
)
_UNREAD_FOLDERS = ("tests", "bin", "__pycache__")
_UNREAD_SUFFIXES = (".pyi", ".pyx", ".pxd", ".c", ".h", ".exe")


class UnfinishedBuild(Exception):
    """The folder holds no build, or one that cannot be finished; the message says why."""


def finish(build: Path) -> None:
    """Finish every function and layer in a build's folder; raise UnfinishedBuild."""
    if not (build / "template.yaml").is_file():
        raise UnfinishedBuild(f"{build} holds nothing that `sam build` made")
    for folder in sorted(path for path in build.iterdir() if path.is_dir()):
        packages = folder / "python"
        if packages.is_dir():
            _cut_botocore(packages)
            _strip(packages)
        is_layer = packages.is_dir() or (folder / "bootstrap").is_file()
        _compile(folder, "/opt" if is_layer else "/var/task")


def _cut_botocore(packages: Path) -> None:
    """Leave botocore the data of the services that are named, without what only people and mocks read."""
    data = packages / "botocore/data"
    if not data.is_dir():
        return
    listed = packages / SERVICES_FILE
    if not listed.is_file():
        raise UnfinishedBuild(f"{packages} has botocore, and no {SERVICES_FILE} to say for which services")
    services = listed.read_text().split()
    missing = [service for service in services if not (data / service).is_dir()]
    if missing:
        raise UnfinishedBuild(f"botocore knows no service called {', '.join(missing)}")
    for path in data.iterdir():
        if path.is_dir() and path.name not in services:
            shutil.rmtree(path)
    for path in data.rglob("examples-*"):
        path.unlink()


def _strip(packages: Path) -> None:
    for path in packages.iterdir():
        if path.suffix == ".dist-info":
            for entry in path.iterdir():
                if entry.name not in _KEPT_METADATA:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        elif path.suffix == ".data" and path.is_dir():
            shutil.rmtree(path)
        elif path.name in ("requirements.txt", SERVICES_FILE):
            path.unlink()
    for path in sorted(packages.rglob("*"), reverse=True):
        if (
            path.is_dir()
            and path.name in _UNREAD_FOLDERS
            and path.parent.parent in (packages, packages.parent)
        ):
            shutil.rmtree(path)
        elif path.is_file() and path.suffix in _UNREAD_SUFFIXES:
            path.unlink()


def _compile(folder: Path, where: str) -> None:
    """Compile every module, for the place where Lambda unpacks it; the bytecode is never checked against it."""
    done = compileall.compile_dir(
        folder,
        quiet=1,
        force=True,
        stripdir=str(folder),
        prependdir=where,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise UnfinishedBuild(f"{folder.name} holds code that does not compile")


def main(arguments: Sequence[str]) -> int:
    """Finish a build; return the exit code."""
    try:
        [build] = arguments
        finish(Path(build))
    except UnfinishedBuild as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
