"""Whether a JSON value is exactly what a TypedDict says: no unknown field, none missing, none of another type.

pydantic reads an `Iterable` lazily and ignores unknown keys unless each class is told otherwise, so this walks the
types itself. `True` is no integer and no number here, as it is none in JSON. A value that a generated package keeps
a place for though it does not know it (`UnrecognizedStr` of `openrouter`) is none of the type here.
"""

import types
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

_LISTS = (list, Iterable, Sequence)


def complaints(value: object, expected: Any, path: str = "") -> list[str]:
    """Return what is wrong with a JSON value, each as `path: what`; nothing where it is of the expected type."""
    expected = _unwrapped(expected)
    origin = get_origin(expected)
    if origin in (Union, types.UnionType):
        return _union_complaints(value, get_args(expected), path)
    if origin is Literal:
        choices = get_args(expected)
        is_one = any(type(value) is type(choice) and value == choice for choice in choices)
        return [] if is_one else [f"{path}: {value!r} is none of {list(choices)}"]
    if origin in _LISTS:
        return _list_complaints(value, get_args(expected), path)
    if origin is dict:
        return _dict_complaints(value, get_args(expected), path)
    if is_typeddict(expected):
        return list(_typed_dict_complaints(value, expected, path))
    return [] if _is_plain(value, expected) else [f"{path}: {_shown(value)} is no {expected}"]


@cache
def _unwrapped(expected: Any) -> Any:
    """Return what a type alias stands for, and what an annotated type is without its annotations."""
    while True:
        origin = get_origin(expected)
        if isinstance(expected, TypeAliasType):
            expected = expected.__value__
        elif isinstance(origin, TypeAliasType):
            expected = origin.__value__[get_args(expected)]
        elif origin is Annotated:
            expected = get_args(expected)[0]
        else:
            return expected


def _is_plain(value: object, expected: Any) -> bool:
    if expected in (object, Any):
        return True
    if expected is type(None):
        return value is None
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if expected in (str, int, bool):
        return type(value) is expected
    if isinstance(expected, type) and expected.__name__.startswith("Unrecognized"):
        return False
    raise NotImplementedError(f"no rule for {expected}")


def _union_complaints(value: object, choices: tuple[Any, ...], path: str) -> list[str]:
    """Report on the choice that the value comes nearest to: of its `type`, with the fewest complaints."""
    choices = tuple(inner for choice in choices for inner in _choices_in(choice))
    candidates = tuple(choice for choice in choices if _is_of_kind(value, choice)) or choices
    if isinstance(value, dict) and "type" in value:
        candidates = (
            tuple(choice for choice in candidates if value["type"] in _types_of(choice)) or candidates
        )
    found = [complaints(value, choice, path) for choice in candidates]
    return min(found, key=len)


def _choices_in(choice: Any) -> tuple[Any, ...]:
    """Return a choice, or the choices in it where it is itself a union by another name."""
    choice = _unwrapped(choice)
    if get_origin(choice) in (Union, types.UnionType):
        return tuple(inner for part in get_args(choice) for inner in _choices_in(part))
    return (choice,)


def _is_of_kind(value: object, choice: Any) -> bool:
    """Whether both are objects, or both arrays."""
    if isinstance(value, dict):
        return is_typeddict(choice) or get_origin(choice) is dict
    return isinstance(value, list) and get_origin(choice) in _LISTS


@cache
def _types_of(choice: Any) -> tuple[object, ...]:
    """Return what the `type` field of a TypedDict may be."""
    if not is_typeddict(choice):
        return ()
    hint = _hints(choice).get("type")
    if get_origin(hint) in (Required, NotRequired):
        hint = get_args(hint)[0]
    hint = _unwrapped(hint)
    return get_args(hint) if get_origin(hint) is Literal else ()


def _list_complaints(value: object, arguments: tuple[Any, ...], path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: {_shown(value)} is no array"]
    return [
        complaint
        for position, element in enumerate(value)
        for complaint in complaints(element, arguments[0], f"{path}[{position}]")
    ]


def _dict_complaints(value: object, arguments: tuple[Any, ...], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {_shown(value)} is no object"]
    return [
        complaint
        for key, element in value.items()
        for complaint in complaints(element, arguments[1], f"{path}.{key}")
    ]


def _typed_dict_complaints(value: object, expected: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {_shown(value)} is no {expected.__name__}"
        return
    # A field whose name Python keeps for itself is spelt with an underscore behind it.
    hints = {key.rstrip("_"): hint for key, hint in _hints(expected).items()}
    required = {key.rstrip("_") for key in expected.__required_keys__}
    for key in value.keys() - hints.keys():
        yield f"{path}.{key}: {expected.__name__} has no such field"
    for key, hint in hints.items():
        # Where annotations are kept as text, `__required_keys__` has those of NotRequired too.
        is_required = get_origin(hint) is Required or (
            key in required and get_origin(hint) is not NotRequired
        )
        if key in value:
            inner = get_args(hint)[0] if get_origin(hint) in (Required, NotRequired) else hint
            yield from complaints(value[key], inner, f"{path}.{key}")
        elif is_required:
            yield f"{path}: {expected.__name__} must have {key}"


@cache
def _hints(typed_dict: Any) -> dict[str, Any]:
    return get_type_hints(typed_dict, include_extras=True)


def _shown(value: object) -> str:
    return repr(value)[:80]
