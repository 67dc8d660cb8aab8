"""The types of the official Anthropic SDK's requests: a walk over them, and values that they take.

Types are told apart as they are on the wire: by the key that they stand under and their `type` or `role`.
"""

import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta_message_create_params
from typing_extensions import is_typeddict

ROOTS = (
    message_create_params.MessageCreateParamsNonStreaming,
    message_create_params.MessageCreateParamsStreaming,
    beta_message_create_params.MessageCreateParamsNonStreaming,
    beta_message_create_params.MessageCreateParamsStreaming,
)
# Arbitrary JSON of the client's own, or carried over as JSON whole: there are no parts in it.
OPAQUE = frozenset({"input", "input_schema", "schema", "tabs", "state_changes"})
_TAGS = ("type", "role")
_UNIONS = (Union, types.UnionType)


@dataclass(slots=True)
class Type:
    """A part as the SDK types it: `classes` in the SDK, hints of its fields, the fields that it must have."""

    name: str
    classes: set[str] = field(default_factory=set)
    hints: dict[str, Any] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)

    @property
    def fields(self) -> set[str]:
        """The fields without those that say which type it is."""
        tagged = self.name.partition(": ")[1]
        return set(self.hints) - (set(_TAGS) if tagged else set())


def keys_of_requests() -> dict[str, Any]:
    """Return the type hint of every key that a request may have."""
    return {key: hint for root in ROOTS for key, hint in _hints(root).items()}


def types_under(key: str, hint: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts that may stand under a key, as name and TypedDict, without what is inside them."""
    for option in _options(hint):
        if is_typeddict(option):
            tags = [tag for name in _TAGS for tag in _tags(_hints(option).get(name))]
            for name in [f"{key}: {tag}" for tag in tags] or [key]:
                yield name, option


def add_type(known: dict[str, Type], name: str, typed: Any) -> Type:
    """Note a TypedDict under its name, with all that other classes of the same name have."""
    part = known.setdefault(name, Type(name))
    part.classes.add(f"{typed.__module__.removeprefix('anthropic.types.')}.{typed.__name__}")
    part.hints |= _hints(typed)
    part.required |= {name for name in _required(typed) if name in part.fields}
    return part


def values(hint: Any, key: str) -> list[Any]:
    """Return values of a type, different ones where it has any: they tell whether a field is looked at."""
    hint = _bare(hint)
    origin = get_origin(hint)
    if is_typeddict(hint):
        return [minimal(hint)]
    if origin in _UNIONS:
        return [value for option in get_args(hint) for value in values(option, key)]
    if origin is Literal:
        return list(get_args(hint))
    if hint is bool:
        return [False, True]
    if hint is int:
        return [5_000, 20_000]
    if hint is str:
        return [f"some {key}", f"other {key}"]
    if hint in (dict, object) or origin is dict:
        return [{}, {"a": {"type": "string"}}]
    return [[], *([value] for value in values(get_args(hint)[0], key))][::-1] if _is_array(origin) else []


def minimal(typed: Any) -> dict[str, Any]:
    """Return a value of a TypedDict with the fields that it must have."""
    hints = _hints(typed)
    return {name: values(hints[name], name)[0] for name in sorted(_required(typed))}


def _hints(typed: Any) -> dict[str, Any]:
    return typing.get_type_hints(typed, include_extras=True)


def _required(typed: Any) -> set[str]:
    # Not `__required_keys__`: the SDK's annotations are strings, in which that does not see `Required`.
    return {name for name, hint in _hints(typed).items() if get_origin(hint) is Required}


def _bare(hint: Any) -> Any:
    while get_origin(hint) in (Required, NotRequired, Annotated):
        hint = get_args(hint)[0]
    return hint


def _options(hint: Any) -> Iterator[Any]:
    """Yield what a hint allows, through unions and into arrays."""
    hint = _bare(hint)
    origin = get_origin(hint)
    if origin in _UNIONS or _is_array(origin):
        for option in get_args(hint):
            yield from _options(option)
    else:
        yield hint


def _is_array(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Iterable) and not issubclass(origin, dict)


def _tags(hint: Any) -> tuple[str, ...]:
    return tuple(
        tag for option in _options(hint) if get_origin(option) is Literal for tag in get_args(option)
    )
