"""One JSON line per thing an operator should know, in the fields that Lambda's JSON log format reads."""

import json
import sys
from datetime import UTC, datetime


def log(level: str, message: str, *, request_id: str | None = None, **fields: object) -> None:
    """Print one log line to stderr.

    Source: AWS Lambda Developer Guide, "Log and monitor Python functions": `timestamp`, `level`, `message`,
    `requestId`.
    """
    line: dict[str, object] = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "message": message,
    }
    if request_id is not None:
        line["requestId"] = request_id
    print(json.dumps(line | fields), file=sys.stderr, flush=True)
