"""DynamoDB's condition and update expressions, parsed once by their text and run on plain items.

What is here is what the product's stores use: comparisons, AND, OR, NOT, parentheses, attribute_exists,
attribute_not_exists, size; SET with + and -, REMOVE, ADD; document paths with #names. Anything else is refused.
Source: Amazon DynamoDB Developer Guide, "Condition and filter expressions" and "Using update expressions"; a test
runs generated operations here and on moto.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from channeling.dynamodb import Item, Value

_TOKENS = re.compile(r"\s*(<=|>=|<>|[=<>(),.+\-]|[#:]?[A-Za-z0-9_]+)")
_MISSING: Any = object()  # what a path has where no attribute is

Names = Mapping[str, str]
Values = Mapping[str, Value]
Operand = Callable[[Item, Names, Values], Any]
Test = Callable[[Item, Names, Values], bool]
Path = tuple[str, ...]

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class ExpressionInvalid(Exception):
    """DynamoDB would answer ValidationException; the message says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """One action of an UpdateExpression. `operand` is None for REMOVE."""

    verb: str
    path: Path
    operand: Operand | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed ConditionExpression, with the placeholders that it uses."""

    test: Test
    placeholders: frozenset[str]


@dataclass(frozen=True, slots=True)
class UpdateActions:
    """A parsed UpdateExpression, with the placeholders that it uses."""

    changes: tuple[Change, ...]
    placeholders: frozenset[str]

    def apply(self, before: Item, names: Names, values: Values) -> Item:
        """Return the item after the update; `before` stays as it is, and is what operands are read from."""
        after = copied(before)
        for change in self.changes:
            path = [_name(part, names) for part in change.path]
            if change.operand is None:
                _parent(after, path).pop(path[-1], None)
                continue
            value = change.operand(before, names, values)
            if value is _MISSING:
                raise ExpressionInvalid("an operand of the update expression is not in the item")
            parent = _parent(after, path)
            if change.verb == "ADD":
                value = _number(value) + _number(parent.get(path[-1], 0))
            parent[path[-1]] = _copied(value)
        return after


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Condition:
    """Return a ConditionExpression that can be asked; raise ExpressionInvalid."""
    parser = _Parser(text)
    test = parser.either()
    parser.expect_end()
    return Condition(test, frozenset(parser.placeholders))


@lru_cache(maxsize=1024)
def parse_update(text: str) -> UpdateActions:
    """Return an UpdateExpression that can be applied; raise ExpressionInvalid."""
    parser = _Parser(text)
    changes = parser.changes()
    parser.expect_end()
    paths = [change.path for change in changes]
    for number, path in enumerate(paths):
        for other in paths[number + 1 :]:
            if path[: len(other)] == other[: len(path)]:
                raise ExpressionInvalid(f"two paths of an update overlap: {path}, {other}")
    return UpdateActions(changes, frozenset(parser.placeholders))


def copied(item: Item) -> Item:
    """Return an item that shares nothing with this one."""
    copy: Item = _copied(item)
    return copy


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        self._at = 0
        self.placeholders: set[str] = set()
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKENS.match(text, position)
            if match is None:
                raise ExpressionInvalid(
                    f"unexpected text in an expression: {text[position : position + 20]!r}"
                )
            self._tokens.append(match[1])
            position = match.end()

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise ExpressionInvalid(f"unexpected {self._tokens[self._at]!r} in an expression")

    def either(self) -> Test:
        tests = [self._both()]
        while self._took_word("OR"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda *of: any(test(*of) for test in tests)

    def _both(self) -> Test:
        tests = [self._negation()]
        while self._took_word("AND"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else lambda *of: all(test(*of) for test in tests)

    def _negation(self) -> Test:
        if self._took_word("NOT"):
            test = self._negation()
            return lambda *of: not test(*of)
        if self._took("("):
            test = self.either()
            self._expect(")")
            return test
        if self._next() in ("attribute_exists", "attribute_not_exists"):
            wants = self._take() == "attribute_exists"
            self._expect("(")
            path = self._path()
            self._expect(")")
            return lambda item, names, _: (_found(item, path, names) is not _MISSING) == wants
        left = self._operand()
        comparison = self._take()
        if comparison not in _COMPARISONS:
            raise ExpressionInvalid(f"{comparison!r} is no comparison")
        return _comparison(comparison, left, self._operand())

    def changes(self) -> tuple[Change, ...]:
        changes: list[Change] = []
        seen: set[str] = set()
        while self._next():
            verb = self._take().upper()
            if verb not in ("SET", "REMOVE", "ADD") or verb in seen:
                raise ExpressionInvalid(f"{verb!r} cannot be here in an update expression")
            seen.add(verb)
            changes.append(self._change(verb))
            while self._took(","):
                changes.append(self._change(verb))
        if not changes:
            raise ExpressionInvalid("an update expression is empty")
        return tuple(changes)

    def _change(self, verb: str) -> Change:
        path = self._path()
        if verb == "REMOVE":
            return Change(verb, path, None)
        if verb == "ADD":
            return Change(verb, path, self._operand())
        self._expect("=")
        left = self._operand()
        for sign, work in (("+", operator.add), ("-", operator.sub)):
            if self._took(sign):
                return Change(verb, path, _sum(work, left, self._operand()))
        return Change(verb, path, left)

    def _operand(self) -> Operand:
        token = self._next()
        if token.startswith(":"):
            self.placeholders.add(self._take())
            return lambda _, __, values: _value(token, values)
        if self._next() == "size":
            self._take()
            self._expect("(")
            path = self._path()
            self._expect(")")
            return lambda item, names, _: _size(_found(item, path, names))
        path = self._path()
        return lambda item, names, _: _found(item, path, names)

    def _path(self) -> Path:
        parts = [self._name()]
        while self._took("."):
            parts.append(self._name())
        return tuple(parts)

    def _name(self) -> str:
        token = self._take()
        if not re.fullmatch(r"#?[A-Za-z0-9_]+", token):
            raise ExpressionInvalid(f"{token!r} is no attribute name")
        if token.startswith("#"):
            self.placeholders.add(token)
        return token

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        if not token:
            raise ExpressionInvalid("an expression ends too early")
        self._at += 1
        return token

    def _took(self, token: str) -> bool:
        if self._next() != token:
            return False
        self._at += 1
        return True

    def _took_word(self, word: str) -> bool:
        if self._next().upper() != word:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._took(token):
            raise ExpressionInvalid(f"{token!r} is missing before {self._next()!r}")


def _comparison(sign: str, left: Operand, right: Operand) -> Test:
    compare = _COMPARISONS[sign]

    def test(item: Item, names: Names, values: Values) -> bool:
        one, other = left(item, names, values), right(item, names, values)
        if one is _MISSING or other is _MISSING:
            return sign == "<>"
        if type(one) is not type(other):
            return sign == "<>"
        if sign not in ("=", "<>") and not isinstance(one, int | str | bytes):
            return False
        return compare(one, other)

    return test


def _sum(work: Callable[[int, int], int], left: Operand, right: Operand) -> Operand:
    def total(item: Item, names: Names, values: Values) -> int:
        return work(_number(left(item, names, values)), _number(right(item, names, values)))

    return total


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionInvalid("an operand of + or - is no number in the item")
    return value


def _size(value: Any) -> Any:
    return len(value) if isinstance(value, str | bytes | list | dict) else _MISSING


def _name(part: str, names: Names) -> str:
    if not part.startswith("#"):
        return part
    if part not in names:
        raise ExpressionInvalid(f"the name {part} is not given")
    return names[part]


def _value(placeholder: str, values: Values) -> Value:
    if placeholder not in values:
        raise ExpressionInvalid(f"the value {placeholder} is not given")
    return values[placeholder]


def _found(item: Item, path: Path, names: Names) -> Any:
    value: Any = item
    for part in path:
        if not isinstance(value, dict):
            return _MISSING
        value = value.get(_name(part, names), _MISSING)
    return value


def _parent(item: Item, path: list[str]) -> Item:
    parent: Any = item
    for part in path[:-1]:
        parent = parent.get(part)
        if not isinstance(parent, dict):
            raise ExpressionInvalid("a document path of an update leads nowhere in the item")
    return parent  # type: ignore[no-any-return]  # a dict, as was just seen


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(element) for name, element in value.items()}
    if isinstance(value, list):
        return [_copied(element) for element in value]
    return value
