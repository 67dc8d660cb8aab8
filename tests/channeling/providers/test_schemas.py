"""Schemas become ones that OpenAI takes, and only those that fit its strict mode are called strict."""

import copy
from typing import Any

import pytest

from channeling.errors import InvalidRequest
from channeling.providers.schemas import DEEPEST_SCHEMA, fits_strict, object_schema
from tests.stand_ins.openai_schemas import schema_complaints

A, B = {"a": {"type": "string"}}, {"b": {"type": "integer"}}
CLOSED = {"type": "object", "properties": A, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object", "required": None}, {"type": "object", "properties": {}}),
        ({"type": ["object", "null"], "properties": A}, {"type": "object", "properties": A}),
        (
            {"type": "object", "properties": {"required": None}},
            {"type": "object", "properties": {"required": None}},
        ),
        (
            {"anyOf": [{"properties": A, "required": ["a"]}, {"properties": A | B, "required": ["a", "b"]}]},
            {"type": "object", "properties": A | B, "required": ["a"]},
        ),
        (
            {"properties": A, "required": ["a"], "oneOf": [{"properties": B, "required": ["b"]}]},
            {"type": "object", "properties": A | B, "required": ["a", "b"]},
        ),
        (
            {"allOf": [{"properties": A, "required": ["a"]}, {"properties": B, "required": ["b"]}]},
            {"type": "object", "properties": A | B, "required": ["a", "b"]},
        ),
        ({"type": "object", "properties": A, "enum": [1], "not": {}}, {"type": "object", "properties": A}),
        (
            {"properties": {"list": {"type": "array"}, "nested": {"anyOf": [{"type": "array"}]}}},
            {
                "type": "object",
                "properties": {
                    "list": {"type": "array", "items": {}},
                    "nested": {"anyOf": [{"type": "array", "items": {}}]},
                },
            },
        ),
        # What only looks like a schema stays as it is.
        (
            {"properties": {"a": {"default": {"type": "array", "required": None}}}},
            {"type": "object", "properties": {"a": {"default": {"type": "array", "required": None}}}},
        ),
        (CLOSED, CLOSED),
        (
            {"anyOf": "x", "properties": 3, "required": [1]},
            {"type": "object", "properties": {}, "required": []},
        ),
    ],
)
def test_one_object_at_the_root(given: dict[str, Any], made: dict[str, Any]) -> None:
    """The API has nothing against it, and the schema that was given is not changed."""
    before = copy.deepcopy(given)
    assert object_schema(given, ("tools", 0)) == made
    assert given == before
    assert schema_complaints(made, strict=False) == []


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        (CLOSED, True),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "additionalProperties": True}, False),
        ({"type": "object", "properties": {}}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": {**CLOSED, "required": []}}}}, False),
        ({**CLOSED, "properties": {"a": {"type": ["object", "null"], "properties": {}}}}, False),
        ({**CLOSED, "$defs": {"x": {"type": "object", "properties": A}}}, False),
        ({**CLOSED, "properties": {"a": {"oneOf": [{"type": "string"}]}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "string", "default": "x"}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "string", "pattern": "x", "description": "y"}}}, True),
        ({"type": "string"}, False),
    ],
)
def test_what_fits_strict_mode(schema: dict[str, Any], fits: bool) -> None:
    """What fits is taken by the API's strict mode."""
    assert fits_strict(schema) is fits
    if fits:
        assert schema_complaints(schema, strict=True) == []


def test_depth_has_an_end() -> None:
    """A schema nested without end is refused before anything walks it by recursion."""
    schema: dict[str, Any] = {}
    for _ in range(DEEPEST_SCHEMA * 100):
        schema = {"items": schema}
    with pytest.raises(InvalidRequest, match=r"tools\.0\.input_schema: the schema is nested deeper than 100"):
        object_schema(schema, ("tools", 0, "input_schema"))
