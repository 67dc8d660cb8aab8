"""`make invoke` refuses, in one sentence and before anything is started, a file that is no event."""

from pathlib import Path

import pytest

from emulator import invoke


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"a": "' + b"x" * (6 * 2**20) + b'"}', "over Lambda's 6 MB"),
    ],
    ids=["missing", "empty", "cut off", "not UTF-8", "deep", "array", "huge"],
)
def test_a_file_that_is_no_event_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    message: str,
) -> None:
    def never() -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(invoke, "installed_sam", never)
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)
    assert invoke.main([str(path)]) == 1
    assert message in capsys.readouterr().err
