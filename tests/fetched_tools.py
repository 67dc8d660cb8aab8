"""Tools that some suites need and Python's installer does not bring: found on this machine, or fetched into .tools.

Each function returns where the tool is or sees to it that it is there; ToolMissing says what would bring it in.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emulator import sam_cli
from tests.clients import installations

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".tools"
NODE_LEAST_MAJOR = 20
# The npm package that bundles AWS's own jar of DynamoDB Local.
_DYNAMODB_LOCAL = "amplify-dynamodb-simulator@2.9.30"
_DYNAMODB_LOCAL_SHA512 = (
    "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
)
_JAR = "DynamoDBLocal.jar"
_AXE_CORE = "axe-core@4.14.1"
_AXE_CORE_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_AXE_SCRIPT = "axe.min.js"
_FETCH_TIMEOUT_S = 300


class ToolMissing(Exception):
    """A tool is not on this machine; the message says what would bring it in."""


def node() -> str:
    """Return the path of a Node.js that is new enough and has npm beside it."""
    advice = f"install Node.js {NODE_LEAST_MAJOR} or newer, and npm"
    path = shutil.which("node")
    if path is None or shutil.which("npm") is None:
        raise ToolMissing(advice)
    version = _output_of([path, "--version"])
    found = re.match(r"v(\d+)\.", version)
    if found is None or int(found[1]) < NODE_LEAST_MAJOR:
        raise ToolMissing(f"{advice} (here is {version.strip() or 'one that does not run'})")
    return path


def java() -> str:
    """Return the path of a Java that runs."""
    path = shutil.which("java")
    if path is None or not _output_of([path, "-version"]):
        raise ToolMissing("install Java 17 or newer (Debian: default-jre-headless)")
    return path


def dynamodb_local(tools: Path = TOOLS) -> Path:
    """Return the folder that holds AWS's DynamoDB Local, fetched on first use and checked against its digest."""
    what = "DynamoDB Local"
    return _npm_package(tools, _DYNAMODB_LOCAL, _DYNAMODB_LOCAL_SHA512, f"emulator/{_JAR}", what) / "emulator"


def axe_core(tools: Path = TOOLS) -> Path:
    """Return the script of axe-core, which looks for what keeps people from using a page; fetched on first use."""
    return _npm_package(tools, _AXE_CORE, _AXE_CORE_SHA512, _AXE_SCRIPT, "axe-core") / _AXE_SCRIPT


def chromium() -> str:
    """Return the path of a Chromium of the system."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path is not None:
            return path
    raise ToolMissing("install Chromium (Debian: chromium)")


def sam() -> None:
    """Install the AWS SAM CLI into .tools, unless it is there: it needs a Python 3.13."""
    try:
        sam_cli.installed_sam()
    except sam_cli.SamMissing as missing:
        raise ToolMissing(str(missing)) from missing


def checkov(tools: Path = TOOLS) -> Path:
    """Return the command of checkov, in an environment of its own, installed on first use as it is locked."""
    folder, lock = tools / "checkov", ROOT / "requirements/checkov.lock"
    stamp, wanted = folder / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == wanted):
        tools.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], tools)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Compiling all of it takes longer than all that is run of it.
        _run([*pip, "--no-compile", "--require-hashes", "-r", str(lock)], tools)
        stamp.write_text(wanted)
    return folder / "bin/checkov"


def node_packages() -> None:
    """Install the npm packages of the client tests into .tools, unless they are there."""
    node()
    _installed(installations.install_node_modules)


def old_python_sdk() -> None:
    """Install the old Python SDK of the client tests into .tools, unless it is there."""
    _installed(installations.install_old_anthropic)


def clients_of_the_page() -> None:
    """Install what the clients page speaks of into .tools, unless it is there: npm packages and LangChain."""
    node_packages()
    _installed(installations.install_langchain)


def _installed(install: Callable[[], None]) -> None:
    try:
        install()
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolMissing(f"make the installation of its packages work: {error}") from error


def _npm_package(tools: Path, package: str, sha512: str, file: str, what: str) -> Path:
    """Return the folder of an npm package that has `file`, fetched on first use and checked against its digest."""
    folder = tools / package.replace("@", "-")
    if not (folder / file).is_file():
        if shutil.which("npm") is None:
            raise ToolMissing(f"install npm, which fetches {what} once")
        with _made_whole(folder) as making:
            _run(["npm", "pack", "--silent", package], making)
            [archive] = making.glob("*.tgz")
            if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != sha512:
                raise ToolMissing(f"have npm send the {package} whose digest is pinned; it sent another")
            # The command: `tarfile` has no safe filter before Python 3.11.4. The digest vouches for the content.
            _run(["tar", "-xzf", archive.name, "--strip-components=1"], making)
            archive.unlink()
    return folder


def _output_of(command: Sequence[str]) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout + ran.stderr


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        last_lines = " ".join((error.stderr or error.stdout).strip().splitlines()[-3:])
        raise ToolMissing(f"make `{' '.join(command)}` work; it said: {last_lines}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolMissing(f"make `{' '.join(command)}` work: {error}") from error


@contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    """Fill a folder beside `folder`, which takes its place only when all went well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as making:
        filled = Path(making) / folder.name
        filled.mkdir()
        yield filled
        shutil.rmtree(folder, ignore_errors=True)
        filled.replace(folder)
