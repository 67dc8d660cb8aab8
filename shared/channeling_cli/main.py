"""The `channeling` command."""

import sys
from collections.abc import Sequence

import typer

from channeling.budgets.operations import NoLiveWindow, OperationRefused
from channeling.errors import StoreUnavailable
from channeling.projects.cipher import CipherUnavailable
from channeling.projects.errors import (
    KeyMissing,
    PriceMissing,
    ProjectError,
    ProjectMissing,
    SecretMissing,
)
from channeling.projects.key_file_cipher import KeyFileError
from channeling.settings import SettingsError
from channeling_admin.admin_secret import AdminSecretError
from channeling_cli import (
    budget_commands,
    key_commands,
    price_commands,
    project_commands,
    secret_commands,
    token_commands,
    usage_commands,
    user_commands,
)
from channeling_cli.audit_command import audit
from channeling_cli.dashboard_command import dashboard
from channeling_cli.doctor_command import doctor
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDBFailed
from channeling_cli.event_command import event
from channeling_cli.exec_command import exec_program
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.output import print_error
from channeling_cli.serve_command import serve
from channeling_cli.whoami_command import whoami

app = typer.Typer(
    name="channeling",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A drop-in Anthropic Messages API with a hard AI budget per user.",
)
app.command("serve")(serve)
app.add_typer(project_commands.app, name="project")
app.add_typer(key_commands.app, name="key")
app.add_typer(secret_commands.app, name="secret")
app.add_typer(token_commands.app, name="token")
app.add_typer(budget_commands.app, name="budget")
app.add_typer(usage_commands.app, name="usage")
app.add_typer(user_commands.app, name="user")
app.add_typer(price_commands.app, name="price")
app.command("exec", context_settings={"allow_extra_args": True, "allow_interspersed_args": False})(
    exec_program
)
app.command("whoami")(whoami)
app.command("dashboard")(dashboard)
app.command("audit")(audit)
app.command("event")(event)
app.command("doctor")(doctor)


def run() -> None:
    """Run the command line of this process."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors go to standard error."""
    try:
        app(args=list(arguments), prog_name="channeling")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        print_error(failure.message, failure.next_step, as_json="--json" in arguments)
        return failure.exit_code
    return ExitCode.OK


def failure_of(error: Exception) -> CommandFailed | None:
    """Return what an exception means to somebody at a terminal; None for a defect of ours."""
    match error:
        case CommandFailed():
            return error
        case ProjectMissing():
            return CommandFailed(
                str(error), next_step="channeling project create makes one", exit_code=ExitCode.NOT_FOUND
            )
        case SecretMissing() | KeyMissing() | PriceMissing():
            return CommandFailed(str(error), exit_code=ExitCode.NOT_FOUND)
        case NoLiveWindow():
            return CommandFailed(str(error), next_step=_BUDGET_SHOW, exit_code=ExitCode.NOT_FOUND)
        case OperationRefused():
            return CommandFailed(str(error), exit_code=ExitCode.REFUSED)
        case ProjectError() | SettingsError() | KeyFileError() | AdminSecretError():
            return CommandFailed(str(error), exit_code=ExitCode.REFUSED)
        case CipherUnavailable():
            return CommandFailed(
                f"{error.message}: {error.reason}", next_step=_DOCTOR, exit_code=ExitCode.UNREACHABLE
            )
        case StoreUnavailable():
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            return CommandFailed(f"{error.message}{cause}", next_step=_DOCTOR, exit_code=ExitCode.UNREACHABLE)
        case EmbeddedDynamoDBFailed():
            return CommandFailed(str(error))
    return None


_BUDGET_SHOW = "channeling budget show USER lists the windows there are; --window chooses one"
_DOCTOR = "channeling doctor, with the same --stack, --region and --profile, says what is wrong"
