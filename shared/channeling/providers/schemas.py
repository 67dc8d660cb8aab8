"""JSON schemas in the form that OpenAI takes them.

A function's parameters and the format of an answer must be one object at the root, also without strict mode: 400
"schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from channeling.providers.refusal import Place, invalid

DEEPEST_SCHEMA = 100
_CHOICES = ("oneOf", "anyOf", "allOf")
_NOT_AT_ROOT = (*_CHOICES, "enum", "not", "const", "if", "then", "else")
# developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas".
_STRICT_KEYWORDS = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf"),
        *("$ref", "$defs", "definitions", "title", "description", "pattern", "format", "$schema"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"),
    }
)
# Under these keywords lie schemas by names of the sender's own, which are no keywords.
_BY_NAME = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
_SCHEMA_LISTS = frozenset({*_CHOICES, "prefixItems"})
_SCHEMAS = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains"})


def object_schema(schema: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the schema as one object at the root; raise InvalidRequest where it is nested too deeply.

    `required: null` is left out, and arrays of anything are given `items`, wherever they stand. Alternatives at the
    root become one object with all their properties; those stay required that every alternative requires.
    """
    _refuse_depth(schema, place)
    schema = _tidied(schema)
    root = {key: value for key, value in schema.items() if key not in _NOT_AT_ROOT}
    properties = dict(_properties(root))
    required = list(_required(root))
    for key in _CHOICES:
        alternatives = [branch for branch in _list(schema.get(key)) if isinstance(branch, dict)]
        for branch in alternatives:
            properties = properties | {
                name: child for name, child in _properties(branch).items() if name not in properties
            }
        required += _required_by(alternatives, all_apply=key == "allOf")
    root |= {"type": "object", "properties": properties}
    if required or "required" in root:
        root["required"] = list(dict.fromkeys(required))
    return root


def fits_strict(schema: Mapping[str, Any]) -> bool:
    """Say whether OpenAI's strict mode takes a schema: all properties required, no others, known keywords only."""
    return schema.get("type") == "object" and all(map(_fits_strict, _schemas(schema)))


def _refuse_depth(value: Any, place: Place) -> None:
    """Raise InvalidRequest for a schema that is nested deeper than DEEPEST_SCHEMA."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST_SCHEMA:
            raise invalid(place, f"the schema is nested deeper than {DEEPEST_SCHEMA} levels")
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]


def _fits_strict(schema: Mapping[str, Any]) -> bool:
    if not schema.keys() <= _STRICT_KEYWORDS:
        return False
    kind = schema.get("type")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        return True
    return schema.get("additionalProperties") is False and set(_required(schema)) == set(_properties(schema))


def _schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all schemas in it."""
    stack: list[Any] = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            yield node
            for key, value in node.items():
                if key in _BY_NAME and isinstance(value, dict):
                    stack.extend(value.values())
                elif key in _SCHEMA_LISTS or key in _SCHEMAS:
                    stack.append(value)


def _tidied(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    tidied: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "required" and value is None:
            continue
        if key in _BY_NAME and isinstance(value, dict):
            tidied[key] = {name: _tidied(child) for name, child in value.items()}
        elif key in _SCHEMA_LISTS and isinstance(value, list):
            tidied[key] = [_tidied(child) for child in value]
        else:
            tidied[key] = _tidied(value) if key in _SCHEMAS else value
    # 400 "array schema missing items".
    if tidied.get("type") == "array" and "items" not in tidied and "prefixItems" not in tidied:
        tidied["items"] = {}
    return tidied


def _required_by(branches: list[dict[str, Any]], *, all_apply: bool) -> list[str]:
    required = [_required(branch) for branch in branches]
    if all_apply or not required:
        return [name for names in required for name in names]
    return [name for name in required[0] if all(name in names for names in required[1:])]


def _properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _required(schema: Mapping[str, Any]) -> list[str]:
    return [name for name in _list(schema.get("required")) if isinstance(name, str)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
