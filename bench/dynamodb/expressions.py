"""DynamoDB's condition and update expressions, parsed once by their text and run on items in the typed form.

Known: comparisons, BETWEEN, AND, OR, NOT, parentheses, attribute_exists, attribute_not_exists, begins_with, size;
SET with +, - and if_not_exists, REMOVE, ADD of numbers; paths with dots and #names. All else is refused by name.
Source: Amazon DynamoDB Developer Guide, "Condition and filter expressions", "Using update expressions".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bench.dynamodb.attributes import COMPARISONS, Attribute, Item, compared, number_of, size_of
from bench.dynamodb.rejection import invalid

_TOKENS = re.compile(r"\s*(<=|>=|<>|[=<>(),.+\-]|[#:]?[A-Za-z0-9_]+)")
_KEY_CONDITION = re.compile(r"\s*([#\w]+)\s*=\s*(:\w+)(?:\s+AND\s+(.+))?\s*", re.IGNORECASE | re.DOTALL)

Names = Mapping[str, str]
Values = Mapping[str, Attribute]
Operand = Callable[[Item, Names, Values], Attribute | None]
Test = Callable[[Item, Names, Values], bool]
Path = tuple[str, ...]


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

    def apply(self, before: Item, names: Names, values: Values, keys: tuple[str, ...]) -> Item:
        """Return the item after the update; `before` stays as it is, and is what operands are read from."""
        after = dict(before)
        for change in self.changes:
            path = [_name(part, names) for part in change.path] if change.path else []
            if path[0] in keys:
                raise invalid(f"Cannot update attribute {path[0]}. This attribute is part of the key")
            parent = _parent(after, path) if len(path) > 1 else after
            if change.operand is None:
                parent.pop(path[-1], None)
                continue
            value = change.operand(before, names, values)
            if value is None:
                raise invalid(
                    "The provided expression refers to an attribute that does not exist in the item"
                )
            if change.verb == "ADD":
                added = number_of(value)
                standing = parent.get(path[-1])
                value = {"N": str(added if standing is None else number_of(standing) + added)}
            parent[path[-1]] = value
        return after


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """A parsed KeyConditionExpression: the partition's name and value, and what its items' sort keys must pass."""

    partition_name: str
    partition_value: str
    rest: Condition | None
    placeholders: frozenset[str]


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Condition:
    """Return a ConditionExpression that can be asked; raise Rejected."""
    parser = _Parser(text)
    test = parser.either()
    parser.expect_end()
    return Condition(test, frozenset(parser.placeholders))


@lru_cache(maxsize=1024)
def parse_update(text: str) -> UpdateActions:
    """Return an UpdateExpression that can be applied; raise Rejected."""
    parser = _Parser(text)
    changes = parser.changes()
    parser.expect_end()
    paths = [change.path for change in changes]
    for number, path in enumerate(paths):
        for other in paths[number + 1 :]:
            shorter = min(len(path), len(other))
            if path[:shorter] == other[:shorter]:
                raise invalid(f"Two document paths overlap with each other: {path}, {other}")
    return UpdateActions(changes, frozenset(parser.placeholders))


@lru_cache(maxsize=256)
def parse_key_condition(text: str) -> KeyCondition:
    """Return a KeyConditionExpression, its partition first; raise Rejected for any other form."""
    match = _KEY_CONDITION.fullmatch(text)
    if match is None:
        raise invalid(f"this stand-in reads no key condition like {text!r}")
    rest = None if match[3] is None else parse_condition(match[3])
    used = {part for part in (match[1], match[2]) if part[0] in "#:"}
    return KeyCondition(match[1], match[2], rest, frozenset(used | (rest.placeholders if rest else set())))


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        self._at = 0
        self.placeholders: set[str] = set()
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKENS.match(text, position)
            if match is None:
                raise invalid(f"unexpected text in an expression: {text[position : position + 20]!r}")
            self._tokens.append(match[1])
            position = match.end()

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise invalid(f"unexpected {self._tokens[self._at]!r} in an expression")

    def either(self) -> Test:
        tests = [self._both()]
        while self._took_word("OR"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else _any_of(tests)

    def _both(self) -> Test:
        tests = [self._negation()]
        while self._took_word("AND"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else _all_of(tests)

    def _negation(self) -> Test:
        if self._took_word("NOT"):
            test = self._negation()
            return lambda item, names, values: not test(item, names, values)
        if self._took("("):
            test = self.either()
            self._expect(")")
            return test
        if self._next() in ("attribute_exists", "attribute_not_exists"):
            wants = self._take() == "attribute_exists"
            self._expect("(")
            path = self._path()
            self._expect(")")
            return lambda item, names, _: (found(item, path, names) is not None) == wants
        if self._next() == "begins_with":
            return self._begins_with()
        left = self._operand()
        comparison = self._take()
        if comparison.upper() == "BETWEEN":
            return self._between(left)
        if comparison not in COMPARISONS:
            raise invalid(f"{comparison!r} is no comparison that this stand-in knows")
        return _comparison(comparison, left, self._operand())

    def _begins_with(self) -> Test:
        self._take()
        self._expect("(")
        path = self._path()
        self._expect(",")
        start = self._operand()
        self._expect(")")

        def test(item: Item, names: Names, values: Values) -> bool:
            value, beginning = found(item, path, names), start(item, names, values)
            if value is None or beginning is None or "S" not in value or "S" not in beginning:
                return False
            return bool(value["S"].startswith(beginning["S"]))

        return test

    def _between(self, middle: Operand) -> Test:
        low = self._operand()
        if not self._took_word("AND"):
            raise invalid("AND is missing after BETWEEN")
        above, below = _comparison(">=", middle, low), _comparison("<=", middle, self._operand())
        return _all_of([above, below])

    def changes(self) -> tuple[Change, ...]:
        changes: list[Change] = []
        seen: set[str] = set()
        while self._next():
            verb = self._take().upper()
            if verb not in ("SET", "REMOVE", "ADD") or verb in seen:
                raise invalid(f"{verb!r} cannot be here in an update expression of this stand-in")
            seen.add(verb)
            changes.append(self._change(verb))
            while self._took(","):
                changes.append(self._change(verb))
        if not changes:
            raise invalid("an update expression is empty")
        return tuple(changes)

    def _change(self, verb: str) -> Change:
        path = self._path()
        if verb == "REMOVE":
            return Change(verb, path, None)
        if verb == "ADD":
            return Change(verb, path, self._operand())
        self._expect("=")
        left = self._operand()
        for sign in ("+", "-"):
            if self._took(sign):
                return Change(verb, path, _sum(sign, left, self._operand()))
        return Change(verb, path, left)

    def _operand(self) -> Operand:
        token = self._next()
        if token.startswith(":"):
            self.placeholders.add(self._take())
            return lambda _, __, values: _value(token, values)
        if token in ("size", "if_not_exists") and self._following() == "(":
            self._take()
            self._expect("(")
            path = self._path()
            if token == "size":  # noqa: S105 - a function of DynamoDB
                self._expect(")")
                return lambda item, names, _: size_of(found(item, path, names))
            self._expect(",")
            otherwise = self._operand()
            self._expect(")")
            return lambda item, names, values: found(item, path, names) or otherwise(item, names, values)
        path = self._path()
        return lambda item, names, _: found(item, path, names)

    def _path(self) -> Path:
        parts = [self._name()]
        while self._took("."):
            parts.append(self._name())
        if self._next() == "(":
            raise invalid(f"{parts[-1]!r} is no function that this stand-in knows")
        return tuple(parts)

    def _name(self) -> str:
        token = self._take()
        if not re.fullmatch(r"#?[A-Za-z0-9_]+", token):
            raise invalid(f"{token!r} is no attribute name")
        if token.startswith("#"):
            self.placeholders.add(token)
        return token

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _following(self) -> str:
        return self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        if not token:
            raise invalid("an expression ends too early")
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
            raise invalid(f"{token!r} is missing before {self._next()!r}")


def _any_of(tests: list[Test]) -> Test:
    def test(item: Item, names: Names, values: Values) -> bool:
        for one in tests:  # noqa: SIM110 - a generator costs more than the tests
            if one(item, names, values):
                return True
        return False

    return test


def _all_of(tests: list[Test]) -> Test:
    def test(item: Item, names: Names, values: Values) -> bool:
        for one in tests:  # noqa: SIM110 - as above
            if not one(item, names, values):
                return False
        return True

    return test


def _comparison(sign: str, left: Operand, right: Operand) -> Test:
    def test(item: Item, names: Names, values: Values) -> bool:
        return compared(sign, left(item, names, values), right(item, names, values))

    return test


def _sum(sign: str, left: Operand, right: Operand) -> Operand:
    def total(item: Item, names: Names, values: Values) -> Attribute:
        one, other = number_of(left(item, names, values)), number_of(right(item, names, values))
        return {"N": str(one + other if sign == "+" else one - other)}

    return total


def _name(part: str, names: Names) -> str:
    if part[0] != "#":
        return part
    if part not in names:
        raise invalid(f"An expression attribute name used in the document path is not defined: {part}")
    return names[part]


def _value(placeholder: str, values: Values) -> Attribute:
    if placeholder not in values:
        raise invalid(f"An expression attribute value used in expression is not defined: {placeholder}")
    return values[placeholder]


def found(item: Item, path: Path, names: Names) -> Attribute | None:
    """Return the attribute at a path, or None."""
    value: Any = item.get(_name(path[0], names))
    for part in path[1:]:
        if value is None or "M" not in value:
            return None
        value = value["M"].get(_name(part, names))
    return value  # type: ignore[no-any-return]  # an attribute, as parsed from JSON


def _parent(item: Item, path: list[str]) -> Item:
    """Return the map that holds the last part of a path, copied on the way, so that the item before stays."""
    parent: Any = item
    for part in path[:-1]:
        inner = parent.get(part)
        if inner is None or "M" not in inner:
            raise invalid("The document path provided in the update expression is invalid for update")
        copy = dict(inner["M"])
        parent[part] = {"M": copy}
        parent = copy
    return parent  # type: ignore[no-any-return]  # a map, as was just seen
