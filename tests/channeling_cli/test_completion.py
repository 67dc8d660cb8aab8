"""Shells complete commands and options: what the installed script asks of the program, it answers."""

import subprocess

import pytest

from tests.stand_ins.served import CHANNELING, clean_environ


def complete(line: str, **variables: str) -> str:
    ended = subprocess.run(
        [CHANNELING],
        env=clean_environ(_CHANNELING_COMPLETE="complete_bash", COMP_WORDS=line, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.parametrize(
    ("line", "word", "offered"),
    [
        ("channeling us", 1, {"usage", "user"}),
        ("channeling usage ", 2, {"show", "tail", "export", "recover"}),
        ("channeling price set --inp", 3, {"--input"}),
        ("channeling token mint --window ", 4, {"hour", "day", "week", "month"}),
    ],
)
def test_bash_is_offered_what_can_follow(line: str, word: int, offered: set[str]) -> None:
    assert set(complete(line, COMP_CWORD=str(word)).split()) == offered


def test_the_script_can_be_seen_before_it_is_installed() -> None:
    """It is the script of the shell that asks; the `exit` keeps bash from becoming the program."""
    ended = subprocess.run(
        ["bash", "-c", '"$0" --show-completion bash; exit $?', CHANNELING],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0
    assert "_CHANNELING_COMPLETE=complete_bash" in ended.stdout
