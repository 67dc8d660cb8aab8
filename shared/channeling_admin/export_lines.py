"""Usage records as lines of CSV or JSON, some thousand characters at a time."""

import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from channeling.usage.record import RecordKey, UsageRecord
from channeling_admin.answers import record_answer

_CHUNK_CHARACTERS = 32_768
# What spreadsheets take for the beginning of a formula (owasp.org/www-community/attacks/CSV_Injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = tuple(
    record_answer(UsageRecord(RecordKey("", ""), "", "", "day", 0, 0, request_id="", status="ok", cost=0))
)
_MONEY = ("cost_usd", "uncollected_usd")


async def json_lines(records: AsyncGenerator[UsageRecord, None]) -> AsyncIterator[str]:
    """Yield one JSON object a line."""
    chunk: list[str] = []
    length = 0
    async with aclosing(records):
        async for record in records:
            line = json.dumps(record_answer(record), ensure_ascii=False, separators=(",", ":")) + "\n"
            chunk.append(line)
            length += len(line)
            if length >= _CHUNK_CHARACTERS:
                yield "".join(chunk)
                chunk, length = [], 0
    yield "".join(chunk)


async def csv_lines(records: AsyncGenerator[UsageRecord, None]) -> AsyncIterator[str]:
    """Yield a header and one line a record (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    async with aclosing(records):
        async for record in records:
            cells = record_answer(record)
            writer.writerow([cell if name in _MONEY else _harmless(cell) for name, cell in cells.items()])
            if text.tell() >= _CHUNK_CHARACTERS:
                yield text.getvalue()
                text.seek(0)
                text.truncate()
    yield text.getvalue()


def _harmless(cell: Any) -> Any:
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell
