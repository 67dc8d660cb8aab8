"""How a command ends when it cannot do what was asked: one sentence, what to do next, and an exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `channeling`; 2 is the command line parser's own."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    UNHEALTHY = 6


class CommandFailed(Exception):
    """What is wrong, and what to do next."""

    def __init__(self, message: str, *, next_step: str = "", exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.exit_code = exit_code
