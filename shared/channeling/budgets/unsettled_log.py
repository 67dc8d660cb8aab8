"""The log line of a request that could not be settled: what it says, and the request read back from it. Pure.

The line is all that is left of such a request, so it carries the whole usage record, with the whole bill as `cost`,
and the limit that the request was admitted under.
"""

import re
from collections.abc import Mapping
from typing import Any, get_args

from msgspec import Struct

from channeling.budgets.correction import key_of_adjustment
from channeling.budgets.hold_id import hold_started_s
from channeling.budgets.item import BudgetKey
from channeling.usage.record import RecordKey, Status, UsageRecord, record_fields
from channeling.usage.token_counts import TokenCounts
from channeling.window_kind import WindowKind

NOT_SETTLED = "not settled: the store did not answer"

MAX_COST_NANOUSD = 1_000_000 * 1_000_000_000
_MAX_WHOLE_NUMBER = 2**53
_MAX_USER_ID_CHARACTERS = 256  # as in tokens
_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HOLD_ID = re.compile(r"[0-9a-z]{14}", re.ASCII)
_MODEL_TEXTS = ("provider", "model_asked", "model_used", "price_source", "stop_reason")
_TEXTS = ("project_id", "user_id", "request_id", *_MODEL_TEXTS)
_NUMBERS = ("window_start_s", "started_ms", "cost")
_FLAGS = ("streamed", "estimated", "clamped", "cut")
# What the record of a request that was not settled never says anything else in.
_ALWAYS = {"uncollected": 0, "kind": "request", "actor": "", "reason": ""}


class LineInvalid(ValueError):
    """A line from which no request can be rebuilt; the message says why."""


class Unsettled(Struct, frozen=True):
    """A request whose end the store does not know. `record.cost` is the whole bill, in nanodollars.

    `limit` is what it was admitted under, None without a ceiling; 0 where the line does not say, so that nothing
    above the hold is taken.
    """

    record: UsageRecord
    limit: int | None

    @property
    def hold_id(self) -> str:
        """The id of the request's hold."""
        return self.record.key.sk.partition("#")[0]

    @property
    def budget_key(self) -> BudgetKey:
        """Whose budget it is."""
        return BudgetKey(self.record.project_id, self.record.user_id, self.record.window_kind)


def unsettled_fields(record: UsageRecord, limit: int | None) -> dict[str, object]:
    """Return what the log line carries beside its message."""
    return record_fields(record) | {"limit": limit}


def parse_unsettled(line: Mapping[str, Any]) -> Unsettled:
    """Return the request of a log line; raise LineInvalid. Keys that no record has are passed over."""
    values: dict[str, Any] = {name: _text(line, name) for name in _TEXTS}
    values |= {name: _number(line, name) for name in _NUMBERS}
    values |= {name: _flag(line, name) for name in _FLAGS}
    values["window_kind"] = _word(line, "window_kind", get_args(WindowKind))
    values["status"] = _word(line, "status", tuple(set(get_args(Status)) - {"reclaimed"}))
    # A wall clock that was set back in between makes these negative.
    values["duration_ms"] = _number(line, "duration_ms", least=-_MAX_WHOLE_NUMBER)
    values["first_token_ms"] = (
        None
        if line.get("first_token_ms") is None
        else _number(line, "first_token_ms", least=-_MAX_WHOLE_NUMBER)
    )
    values["counts"] = _counts(line.get("counts"))
    _check_rest(line)
    record = UsageRecord(key=_key(line, values), **values)
    limit = line.get("limit", 0)
    return Unsettled(record, None if limit is None else _whole("limit", limit))


def _key(line: Mapping[str, Any], values: Mapping[str, Any]) -> RecordKey:
    """The key that the record's own facts make, which must be the one on the line."""
    stated = line.get("key")
    if not isinstance(stated, dict) or not isinstance(stated.get("sk"), str):
        raise LineInvalid("it has no key")
    hold_id = stated["sk"].partition("#")[0]
    if not _HOLD_ID.fullmatch(hold_id):
        raise LineInvalid("its key names no hold")
    if not _PROJECT_ID.fullmatch(values["project_id"]):
        raise LineInvalid("project_id is none that a project can have")
    if not 1 <= len(values["user_id"]) <= _MAX_USER_ID_CHARACTERS:
        raise LineInvalid(f"user_id has 1 to {_MAX_USER_ID_CHARACTERS} characters")
    if values["cost"] > MAX_COST_NANOUSD:
        raise LineInvalid("cost is above a million dollars")
    owner = BudgetKey(values["project_id"], values["user_id"], values["window_kind"])
    key = key_of_adjustment(owner, hold_id)
    if stated != {"pk": key.pk, "sk": key.sk}:
        raise LineInvalid("its key is not that of its project, user, window and hold")
    if values["started_ms"] // 1000 != hold_started_s(hold_id):
        raise LineInvalid("started_ms is not when its hold began")
    return key


def _check_rest(line: Mapping[str, Any]) -> None:
    for name, value in _ALWAYS.items():
        if line.get(name, value) != value:
            raise LineInvalid(f"{name} is not {value!r}")


def _counts(stated: object) -> TokenCounts:
    if not isinstance(stated, dict):
        raise LineInvalid("counts is missing or no object")
    known = set(TokenCounts.__struct_fields__)
    unknown = sorted(str(name) for name in stated if name not in known)
    if unknown:
        raise LineInvalid(f"counts has {unknown[0][:64]!r}, which this version does not know")
    return TokenCounts(**{name: _whole(f"counts.{name}", count) for name, count in stated.items()})


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    if not isinstance(value, str):
        raise LineInvalid(f"{name} is missing or no text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise LineInvalid(f"{name} is no valid text") from error
    return value


def _number(line: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    if name not in line:
        raise LineInvalid(f"{name} is missing")
    return _whole(name, line[name], least=least)


def _whole(name: str, value: object, *, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MAX_WHOLE_NUMBER:
        raise LineInvalid(f"{name} is no whole number of at least {least}")
    return value


def _flag(line: Mapping[str, Any], name: str) -> bool:
    value = line.get(name)
    if not isinstance(value, bool):
        raise LineInvalid(f"{name} is neither true nor false")
    return value


def _word(line: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    value = line.get(name)
    if not isinstance(value, str) or value not in words:
        raise LineInvalid(f"{name} is none of {', '.join(sorted(words))}")
    return value
