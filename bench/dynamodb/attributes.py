"""Attribute values in DynamoDB's typed form (`{"N": "1"}`): their order, their arithmetic, their size."""

import base64
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from bench.dynamodb.rejection import invalid

Attribute = dict[str, Any]
Item = dict[str, Attribute]
Number = int | Decimal

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compared(sign: str, left: Attribute | None, right: Attribute | None) -> bool:
    """Return whether a comparison holds; one with what is not there, or of another type, is only ever unequal."""
    if left is None or right is None:
        return sign == "<>"
    ((kind, one),) = left.items()
    ((other_kind, other),) = right.items()
    if kind != other_kind:
        return sign == "<>"
    if kind == "N":
        return COMPARISONS[sign](number(one), number(other))
    if kind == "S":
        return COMPARISONS[sign](one, other)  # by code points, which is by UTF-8 bytes
    if kind == "B":
        return COMPARISONS[sign](base64.b64decode(one), base64.b64decode(other))
    if kind in ("BOOL", "NULL"):
        return COMPARISONS[sign](one, other) if sign in ("=", "<>") else False
    raise invalid(f"this stand-in compares no values of type {kind}")


def number(text: str) -> Number:
    """Return a number that an attribute holds."""
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


def number_of(attribute: Attribute | None) -> Number:
    """Return an operand of an arithmetic; raise Rejected where it is no number."""
    if attribute is None or "N" not in attribute:
        raise invalid(
            "The provided expression refers to an attribute that does not exist in the item"
            if attribute is None
            else "An operand in the update expression has an incorrect data type"
        )
    return number(attribute["N"])


def size_of(attribute: Attribute | None) -> Attribute | None:
    """Return what the function size() gives for an attribute."""
    if attribute is None:
        return None
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return {"N": str(len(value.encode()))}
        case "B":
            return {"N": str(len(base64.b64decode(value)))}
        case "L" | "M" | "SS" | "NS" | "BS":
            return {"N": str(len(value))}
    return None
