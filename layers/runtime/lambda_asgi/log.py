"""Log lines as Lambda's two log formats read them, each with the id of its request.

Source: AWS Lambda Developer Guide, "Log and monitor Python functions" and "Log-level filtering": JSON lines with
`timestamp` (RFC 3339), `level`, `message`, `logger`, `requestId`, and of an exception `errorType`, `errorMessage`,
`stackTrace` and `location`; text lines with level, time and request id between tabs.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime

from lambda_asgi import invocation_context

_LOGGER = logging.getLogger("lambda_asgi")
# What every record has; anything else was given as `extra`, and becomes a field.
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Lambda's names for levels that Python calls otherwise.
_LEVELS = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; a value that JSON cannot hold is written as text, never lost."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": _time_of(record),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if (request_id := invocation_context.request_id.get()) is not None:
            line["requestId"] = request_id
        if record.exc_info and record.exc_info[0] is not None:
            line["errorType"] = record.exc_info[0].__name__
            line["errorMessage"] = str(record.exc_info[1])
            line["stackTrace"] = traceback.format_tb(record.exc_info[2])
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        line |= {name: value for name, value in _fields_of(record).items() if name not in line}
        try:
            return json.dumps(line, default=str, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return json.dumps({name: str(value) for name, value in line.items()})


class TextFormatter(logging.Formatter):
    """Formats a record as AWS's own Python client does, with fields as JSON behind the message."""

    def format(self, record: logging.LogRecord) -> str:
        request_id = invocation_context.request_id.get() or ""
        line = f"[{record.levelname}]\t{_time_of(record)}\t{request_id}\t{record.getMessage()}"
        if fields := _fields_of(record):
            line += f"\t{json.dumps(fields, default=str)}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        # Lambda cuts a log stream at line feeds, but keeps carriage returns within one event.
        return line.replace("\n", "\r")


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg] # generic in the type stubs alone before Python 3.14
    """Writes to what standard error is at that moment, which programs and tests exchange."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure_logging(environ: Mapping[str, str]) -> None:
    """Send this process's logs to standard error, in the format and from the level that the function is set to.

    An app that sets up logging itself (`logging.basicConfig(force=True)`) has its own way; this runtime's lines
    stay as they are. Reads AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL (AWS Lambda Developer Guide, "Defined
    runtime environment variables"). A level that is none is as good as none.
    """
    is_text = environ.get("AWS_LAMBDA_LOG_FORMAT", "JSON").upper() == "TEXT"
    handler = _Stderr(sys.stderr)
    handler.setFormatter(TextFormatter() if is_text else JsonFormatter())
    named = environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = logging.getLevelNamesMapping().get(_LEVELS.get(named, named))
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(handler)
        if level is not None:
            root.setLevel(level)
    _LOGGER.handlers = [handler]
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.INFO if level is None else level)


def log(level: str, message: str, **fields: object) -> None:
    """Write one of this runtime's own lines; `fields` become keys of it."""
    _LOGGER.log(logging.getLevelNamesMapping()[level], "%s", message, extra=fields)


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}


def _time_of(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
