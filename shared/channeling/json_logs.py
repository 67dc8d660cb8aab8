"""Logs as one JSON object a line, which CloudWatch and every other collector reads without a rule.

A record's `fields` (given as `extra={"fields": {...}}`) become keys of the line. No prompt or answer text is logged
anywhere, and neither are tokens or keys.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import orjson
from msgspec import Struct
from msgspec.structs import asdict


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: timestamp, level, logger, message, its fields, and an exception's traceback.

    `invocation_id` returns the id that Lambda has given the invocation under way, by which its own lines are found.
    """

    def __init__(self, invocation_id: Callable[[], str | None] = lambda: None) -> None:
        super().__init__()
        self._invocation_id = invocation_id

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", None)
        exception = self.formatException(record.exc_info) if record.exc_info else None
        return self.line(
            record.name,
            record.levelname,
            record.getMessage(),
            fields if isinstance(fields, dict) else {},
            at_s=record.created,
            exception=exception,
        )

    def line(
        self,
        logger: str,
        level: str,
        message: str,
        fields: dict[str, object],
        *,
        at_s: float,
        exception: str | None = None,
    ) -> str:
        """Return one line without its end; `at_s` is in seconds since the epoch."""
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "logger": logger,
            "message": message,
        }
        if (invocation_id := self._invocation_id()) is not None:
            line["requestId"] = invocation_id
        # The line's own keys stay first, and stand: fields never replace them.
        line = line | fields if line.keys().isdisjoint(fields) else {**line, **fields, **line}
        if exception is not None:
            line["exception"] = exception
        try:
            return orjson.dumps(line, default=_plain).decode()
        except TypeError:
            # A number over 64 bits, half of a surrogate pair, a name that is no text: no reason to lose a line.
            plain = {str(name): value for name, value in line.items()}
            return json.dumps(plain, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    return asdict(value) if isinstance(value, Struct) else str(value)


class ReadableFormatter(logging.Formatter):
    """Formats a record for a terminal: as text, and where it has fields as the JSON line of `JsonFormatter`."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self.json = JsonFormatter()

    def format(self, record: logging.LogRecord) -> str:
        # Fields may be all that is left of a request (`channeling usage recover`), so none is ever dropped.
        if isinstance(getattr(record, "fields", None), dict):
            return self.json.format(record)
        return super().format(record)


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes a line for each record; those that are fields alone it can be given without a record."""

    def __init__(self, stream: TextIO, formatter: JsonFormatter | ReadableFormatter) -> None:
        super().__init__(stream)
        self.setFormatter(formatter)
        self._json = formatter if isinstance(formatter, JsonFormatter) else formatter.json

    def write_fields(self, logger: str, level: str, message: str, fields: dict[str, object]) -> None:
        """Write what a record of these would be written as."""
        line = self._json.line(logger, level, message, fields, at_s=time.time())
        self.acquire()
        try:
            self.stream.write(line + self.terminator)
            self.flush()
        finally:
            self.release()


def info_with_fields(logger: logging.Logger, message: str, fields: dict[str, object]) -> None:
    """Log as `logger.info(message, extra={"fields": fields})` does; in half the time where one `LineHandler` alone
    hears it, as in everything that serves. For a logger that is enabled for it: every request is logged."""
    handlers: list[logging.Handler] = []
    hears: logging.Logger | None = logger
    while hears is not None:
        handlers += hears.handlers
        if hears.filters:
            break
        hears = hears.parent if hears.propagate else None
    if hears is None and len(handlers) == 1 and type(handlers[0]) is LineHandler and not handlers[0].filters:
        try:
            handlers[0].write_fields(logger.name, "INFO", message, fields)
        except Exception:  # no stream, or a closed one: as with `logging`, no request fails for its line
            logger.info(message, extra={"fields": fields})
    else:
        logger.info(message, extra={"fields": fields})


def log_json(level: int = logging.INFO, *, invocation_id: Callable[[], str | None] = lambda: None) -> None:
    """Send this process's logs to standard error as JSON lines: the product's from `level`, others' warnings."""
    log_lines(LineHandler(sys.stderr, JsonFormatter(invocation_id)), level)


def log_lines(handler: LineHandler, level: int) -> None:
    """Send this process's logs to one handler: the product's from `level`, others' warnings."""
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("channeling").setLevel(level)
    # None of these is in a line, and to find out where a call stands takes as long as to write it
    # (Logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
