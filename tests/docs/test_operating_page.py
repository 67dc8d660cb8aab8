"""Every command on the operators' page runs, in the order of the page, and does what the page says."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.served import CHANNELING, clean_environ, served

PAGE = ROOT / "docs" / "operating.md"


@pytest.mark.timeout(300)
def test_the_page_from_first_request_to_closed_project(tmp_path: Path) -> None:
    """One shell runs it all, since blocks use what earlier ones set; the first failing command ends it."""
    script = "\n".join(block.text for block in blocks(PAGE, "sh"))
    (tmp_path / "key.txt").write_text("sk-ant-of-the-shop")
    with AnthropicUpstream(Script()) as upstream:
        environ = clean_environ(CHANNELING_ANTHROPIC_BASE_URL=upstream.base_url)
        with served(tmp_path, environ):
            path = f"{CHANNELING.parent}:{environ['PATH']}"
            ended = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=tmp_path,
                env=environ | {"PATH": path},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=280,
                check=False,
            )
    assert ended.returncode == 0, (ended.stdout[-2_000:], ended.stderr[-2_000:])
    said = ended.stdout
    for part in (
        "Hello from the stand-in",
        '"by_model":[{"provider":"anthropic","model":"claude-haiku-4-5"',
        "anthropic takes the key of project shop.",
        "Removed. Left: ",
        "is raised by $2.5 until ",
        "Gave back $0.00002. ",
        "Every token of 'ana' issued until now is refused.",
        "Set price ",
        "Project shop is disabled, to be removed at ",
        "Project shop is active again.",
    ):
        assert part in said, part
    assert json.loads((tmp_path / "shop.json").read_text())["project_id"] == "shop"
    exported = [json.loads(line) for line in (tmp_path / "shop.jsonl").read_text().splitlines()]
    assert sorted(record["kind"] for record in exported) == ["adjustment", "raise", "request", "revocation"]
    assert (tmp_path / "shop.csv").read_text().startswith("request_id,")
