"""What `channeling serve` is told plainly is read as Typer reads it; all else is left to Typer."""

from pathlib import Path

import pytest
import typer.main

from channeling.settings import MAX_REQUEST_S_LIMIT
from channeling_cli import serve_gateway
from channeling_cli.commands import app_of
from channeling_cli.main import main
from channeling_cli.serve_options import ServeOptions, plain_serve_options

PLAIN = [
    ((), {}),
    (("--host", "0.0.0.0"), {}),
    (("--host=::1", "--port=0"), {}),
    (("--port", "65535", "--json"), {}),
    (("--json", "--json", "--port", "1", "--port", "2"), {}),
    (("--port", "0080"), {}),
    (("--max-request-seconds", "1"), {}),
    ((f"--max-request-seconds={MAX_REQUEST_S_LIMIT}", "--data", "a b"), {}),
    (("--data=some/folder=x",), {"CHANNELING_HOME": "/elsewhere"}),
    ((), {"CHANNELING_HOME": "/elsewhere"}),
    ((), {"CHANNELING_HOME": ""}),
    ((), {"CHANNELING_HOME": " "}),
    ((), {"CHANNELING_DEMO_BUDGET_USD": " 0.25 "}),
    ((), {"CHANNELING_DEMO_BUDGET_USD": ""}),
]
LEFT_TO_TYPER = [
    (("--help",), {}),
    (("-h",), {}),
    (("extra",), {}),
    (("--", "--json"), {}),
    (("--json=1",), {}),
    (("--jso",), {}),
    (("--port",), {}),
    (("--port", ""), {}),
    (("--port=",), {}),
    (("--port", "-1"), {}),
    (("--port", "65536"), {}),
    (("--port", "1_0"), {}),
    (("--port", "٣"), {}),  # a digit that is not ASCII's
    (("--port", "9" * 5_000), {}),
    (("--max-request-seconds", "0"), {}),
    (("--max-request-seconds", str(MAX_REQUEST_S_LIMIT + 1)), {}),
    (("--data", "--json"), {}),
    (("--unknown", "x"), {}),
    ((), {"CHANNELING_DEMO_BUDGET_USD": "much"}),
    ((), {"_CHANNELING_COMPLETE": "complete_bash"}),
]


@pytest.fixture
def served_with(monkeypatch: pytest.MonkeyPatch, no_aws: None) -> list[ServeOptions]:
    """With what a server would be started, where one is."""
    started: list[ServeOptions] = []
    monkeypatch.setattr(serve_gateway, "serve_gateway", started.append)
    return started


@pytest.mark.parametrize(("arguments", "variables"), PLAIN)
def test_what_is_plain_is_read_as_typer_reads_it(
    served_with: list[ServeOptions],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["serve", *arguments]) == 0
    with pytest.raises(SystemExit) as ended:
        app_of("serve")(args=["serve", *arguments], prog_name="channeling")
    assert ended.value.code == 0
    by_main, by_typer = served_with
    assert by_main == by_typer == plain_serve_options(arguments, variables)


@pytest.mark.parametrize(("arguments", "variables"), LEFT_TO_TYPER)
def test_what_is_not_plain_is_left_to_typer(arguments: tuple[str, ...], variables: dict[str, str]) -> None:
    assert plain_serve_options(arguments, variables) is None


def test_every_option_has_a_plain_form() -> None:
    command = typer.main.get_command(app_of("serve")).commands["serve"]  # type: ignore[attr-defined] # a group
    options = {name for parameter in command.params for name in parameter.opts}
    plain = {word.partition("=")[0] for arguments, _ in PLAIN for word in arguments if word[:2] == "--"}
    assert options - {"--help"} == plain


def test_what_typer_alone_understands_is_served_too(served_with: list[ServeOptions]) -> None:
    assert main(["serve", "--port", " 81 "]) == 0
    assert served_with == [ServeOptions("127.0.0.1", 81, None, None, False, 5_000_000)]


def test_a_budget_that_is_none_is_a_usage_error_that_names_its_variable(
    served_with: list[ServeOptions],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CHANNELING_DEMO_BUDGET_USD", "much")
    assert main(["serve", "--data", str(tmp_path)]) == 2
    assert "CHANNELING_DEMO_BUDGET_USD" in capsys.readouterr().err
    assert served_with == []


def test_ctrl_c_before_it_serves_ends_as_with_typer(monkeypatch: pytest.MonkeyPatch, no_aws: None) -> None:
    def interrupted(_: ServeOptions) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serve_gateway, "serve_gateway", interrupted)
    assert main(["serve"]) == main(["serve", "--port", " 81 "]) == 130
