"""A failure in the form that the Lambda Runtime API takes."""

import json
import re
import traceback
from dataclasses import dataclass

# Error types and bodies travel in HTTP headers and trailers too, so all three are bounded.
MESSAGE_CHARACTERS_MAX = 1_000
STACK_FRAMES_MAX = 20


@dataclass(frozen=True, slots=True)
class FunctionError:
    """What went wrong: a type such as `Runtime.NoResponse`, a sentence, and where (one line per frame)."""

    error_type: str
    message: str
    stack_trace: tuple[str, ...] = ()

    @classmethod
    def from_exception(cls, error: BaseException) -> "FunctionError":
        """Return the failure that an exception stands for, without source lines or values of variables."""
        frames = traceback.extract_tb(error.__traceback__)[-STACK_FRAMES_MAX:]
        # A header value: class names may hold any letter that Python accepts.
        error_type = re.sub(r"[^A-Za-z0-9_.]", "_", type(error).__name__)
        return cls(
            error_type=error_type[:200],
            message=str(error)[:MESSAGE_CHARACTERS_MAX],
            stack_trace=tuple(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
        )

    def to_json(self) -> bytes:
        """Return the error object.

        Source: AWS Lambda Developer Guide, "Using the Lambda runtime API", invocation error.
        """
        body = {
            "errorType": self.error_type,
            "errorMessage": self.message,
            "stackTrace": list(self.stack_trace),
        }
        return json.dumps(body).encode()
