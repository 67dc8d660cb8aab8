"""What each error of the product means to somebody at a terminal. Imported when there is one."""

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
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDBFailed
from channeling_cli.failure import CommandFailed, ExitCode


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
