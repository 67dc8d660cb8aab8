"""What Lambda says of an invocation beside its event, and what of it any code of that invocation may ask for."""

from contextvars import ContextVar
from dataclasses import dataclass

# Each invocation runs in a context of its own: under AWS_LAMBDA_MAX_CONCURRENCY many run in one process.
request_id: ContextVar[str | None] = ContextVar("lambda_request_id", default=None)
trace_id: ContextVar[str | None] = ContextVar("lambda_trace_id", default=None)


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What Lambda says of an invocation beside its event; `deadline_ms` is in milliseconds since 1970."""

    request_id: str
    deadline_ms: int
    invoked_function_arn: str
    trace_id: str | None
