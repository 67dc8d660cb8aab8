"""The `channeling` command."""

import sys
from collections.abc import Sequence

from channeling_cli.commands import app_of
from channeling_cli.failure import ExitCode
from channeling_cli.output import print_error


def run() -> None:
    """Run the command line of this process."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors go to standard error."""
    app = app_of(arguments[0] if arguments else None)
    try:
        app(args=list(arguments), prog_name="channeling")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except Exception as error:
        from channeling_cli.error_messages import failure_of

        failure = failure_of(error)
        if failure is None:
            raise
        print_error(failure.message, failure.next_step, as_json="--json" in arguments)
        return failure.exit_code
    return ExitCode.OK
