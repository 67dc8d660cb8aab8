"""The `channeling` command."""

import errno
import os
import sys
from collections.abc import Sequence

from channeling_cli.failure import ExitCode
from channeling_cli.output import print_error


def run() -> None:
    """Run the command line of this process."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors go to standard error."""
    try:
        if not _has_served(arguments):
            _run_with_typer(arguments)
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


def _run_with_typer(arguments: Sequence[str]) -> None:
    from channeling_cli.commands import app_of

    app_of(arguments[0] if arguments else None)(args=list(arguments), prog_name="channeling")


def _has_served(arguments: Sequence[str]) -> bool:
    """Serve where that is asked for plainly, and return whether it was: a server stays, and Typer with it."""
    if not arguments or arguments[0] != "serve":
        return False
    from channeling_cli.serve_options import plain_serve_options

    options = plain_serve_options(arguments[1:], os.environ)
    if options is None:
        return False
    from channeling_cli.serve_gateway import serve_gateway

    # What Typer makes of these two, which end any of its commands.
    try:
        serve_gateway(options)
    except KeyboardInterrupt:
        sys.exit(128 + 2)
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        # The reader of this output is gone; Python would meet the same once more as it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    return True
