"""What the Responses API refuses of a JSON schema: of every tool, and what `strict: true` asks for beyond that.

Sources: the guides "Function calling" and "Structured outputs", and the API's own error messages, which are quoted.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_NOT_AT_THE_ROOT = ("oneOf", "anyOf", "allOf", "enum", "not")
# Structured outputs, "Supported schemas": these keywords are not.
_NOT_WHEN_STRICT = (
    "allOf",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "patternProperties",
)
_SCHEMA_MAPS = ("properties", "$defs", "definitions")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not")


def schema_complaints(schema: Any, *, strict: bool) -> list[str]:
    """Return what is wrong with a schema, in the API's words; None is a function without parameters."""
    if schema is None:
        return []
    if not isinstance(schema, dict) or schema.get("type") != "object":
        kind = schema.get("type") if isinstance(schema, dict) else None
        return [f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."]
    found = []
    if any(key in schema for key in _NOT_AT_THE_ROOT):
        names = "/".join(f"'{name}'" for name in _NOT_AT_THE_ROOT)
        found.append(f"schema must have type 'object' and not have {names} at the top level.")
    if not isinstance(schema.get("properties"), dict):
        found.append("In context=(), object schema missing properties.")
    found += [complaint for path, inner in _walk(schema, ()) for complaint in _everywhere(path, inner)]
    if strict:
        found += [complaint for path, inner in _walk(schema, ()) for complaint in _when_strict(path, inner)]
    return found


def _walk(
    schema: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    yield path, schema
    for key in _SCHEMA_MAPS:
        inner = schema.get(key)
        if isinstance(inner, dict):
            for name, child in inner.items():
                if isinstance(child, dict):
                    yield from _walk(child, (*path, key, name))
    for key in _SCHEMA_LISTS:
        inner = schema.get(key)
        if isinstance(inner, list):
            for position, child in enumerate(inner):
                if isinstance(child, dict):
                    yield from _walk(child, (*path, key, str(position)))
    for key in _SCHEMAS:
        inner = schema.get(key)
        if isinstance(inner, dict):
            yield from _walk(inner, (*path, key))


def _everywhere(path: tuple[str, ...], schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield f"In context={path}, {required!r} is not of type 'array'"
    if schema.get("type") == "array" and "items" not in schema and "prefixItems" not in schema:
        yield f"In context={path}, array schema missing items."


def _when_strict(path: tuple[str, ...], schema: Mapping[str, Any]) -> Iterator[str]:
    for key in _NOT_WHEN_STRICT:
        if key in schema:
            yield f"In context={path}, '{key}' is not permitted."
    kinds = schema.get("type")
    if kinds != "object" and not (isinstance(kinds, list) and "object" in kinds):
        return
    if schema.get("additionalProperties") is not False:
        yield f"In context={path}, 'additionalProperties' is required to be supplied and to be false."
    missing = set(schema.get("properties") or {}) - set(schema.get("required") or [])
    if missing:
        yield (
            f"In context={path}, 'required' is required to be supplied and to be an array including every key in "
            f"properties. Missing '{min(missing)}'."
        )
