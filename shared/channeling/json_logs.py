"""Logs as one JSON object a line, which CloudWatch and every other collector reads without a rule.

A record's `fields` (given as `extra={"fields": {...}}`) become keys of the line. No prompt or answer text is logged
anywhere, and neither are tokens or keys.
"""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

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
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (invocation_id := self._invocation_id()) is not None:
            line["requestId"] = invocation_id
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            # The line's own keys stay first, and stand: fields never replace them.
            line = line | fields if line.keys().isdisjoint(fields) else {**line, **fields, **line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
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
        self._json = JsonFormatter()

    def format(self, record: logging.LogRecord) -> str:
        # Fields may be all that is left of a request (`channeling usage recover`), so none is ever dropped.
        if isinstance(getattr(record, "fields", None), dict):
            return self._json.format(record)
        return super().format(record)


def log_json(level: int = logging.INFO, *, invocation_id: Callable[[], str | None] = lambda: None) -> None:
    """Send this process's logs to standard error as JSON lines: the product's from `level`, others' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(invocation_id))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("channeling").setLevel(level)
    # None of these is in a line, and to find out where a call stands takes as long as to write it
    # (Logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
