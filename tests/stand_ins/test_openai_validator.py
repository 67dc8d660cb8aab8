"""The stand-in for the Responses API refuses what the real one does, by the official types and by its own rules."""

from typing import Any

import pytest

from tests.stand_ins.openai_models import rules_of
from tests.stand_ins.openai_schemas import schema_complaints
from tests.stand_ins.openai_validator import assert_taken, counting_refusals, refusals
from tests.stand_ins.typed_dict_check import complaints

OBJECT = {"type": "object", "properties": {}}
HELLO = {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}


def request(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-5.2", "input": list(items) or [HELLO], **fields}


def tool(name: str = "look", strict: Any = False, **schema: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "strict": strict, "parameters": {**OBJECT, **schema}}


TAKEN = {
    "a string": {"model": "gpt-5.2", "input": "Hello"},
    "a stream": request(stream=True, stream_options={"include_obfuscation": False}),
    "a tool loop": request(HELLO, REASONING, CALL, OUTPUT, tools=[tool()], tool_choice="auto"),
    "parallel calls": request(
        HELLO,
        REASONING,
        CALL,
        {**CALL, "call_id": "call_2"},
        {**OUTPUT, "call_id": "call_2", "output": [{"type": "input_image", "image_url": "https://x/y.png"}]},
        OUTPUT,
    ),
    "an assistant's turn": request(
        HELLO, {"role": "assistant", "content": "Hi", "phase": "final_answer"}, HELLO
    ),
    "a document": request(
        {
            "role": "user",
            "content": [
                {
                    "type": "input_file",
                    "filename": "a.pdf",
                    "file_data": "data:application/pdf;base64,JVBERi0=",
                }
            ],
        }
    ),
    "a strict tool": request(
        tools=[
            tool(
                strict=True,
                properties={"a": {"type": "string"}},
                required=["a"],
                additionalProperties=False,
            )
        ],
        tool_choice={"type": "function", "name": "look"},
    ),
    "no reasoning, so a temperature": request(reasoning={"effort": "none"}, temperature=0.5),
    "a model that does not reason": request(model="gpt-4.1", temperature=0.5, top_p=0.9),
    "a web search": request(tools=[{"type": "web_search"}], tool_choice="required"),
}

# What is wrong, as (param, a part of the message).
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown field": (request(stop=["x"]), "stop", "no such field"),
    "a field deep down": (
        request({"role": "user", "content": [{"type": "input_text", "text": "a", "cache_control": {}}]}),
        "input[0].content[0].cache_control",
        "no such field",
    ),
    "a number as text": (request(max_output_tokens="100"), "max_output_tokens", "is no"),
    "true as a number": (request(max_output_tokens=True), "max_output_tokens", "is no"),
    "no model": ({"input": [HELLO], "model": None}, "model", "is no"),
    "a model left out": ({"input": "Hello"}, "model", "Missing required parameter"),
    "strict left out": (
        request(tools=[{"type": "function", "name": "look", "parameters": OBJECT}]),
        "tools[0]",
        "must have strict",
    ),
    "nothing to answer": ({"model": "gpt-5.2", "input": []}, "None", "must be provided"),
    "few tokens": (request(max_output_tokens=15), "max_output_tokens", "Expected a value >= 16, but got 15"),
    "many tokens": (
        request(model="gpt-4o", max_output_tokens=32_000),
        "max_output_tokens",
        "too large: 32000",
    ),
    "a long call id": (
        request(HELLO, {**CALL, "call_id": "c" * 65}, {**OUTPUT, "call_id": "c" * 65}),
        "input[1].call_id",
        "maximum length 64, but got a string with length 65",
    ),
    "a call id of other characters": (
        request(HELLO, {**CALL, "call_id": "list:0"}, {**OUTPUT, "call_id": "list:0"}),
        "input[1].call_id",
        "does not match pattern",
    ),
    "a long tool name": (request(tools=[tool("t" * 65)]), "tools[0].name", "string too long"),
    "a tool name of other characters": (request(tools=[tool("a.b")]), "tools[0].name", "match pattern"),
    "two tools of one name": (request(tools=[tool(), tool()]), "tools[1]", "Duplicate"),
    "a call without its output": (
        request(HELLO, CALL, HELLO),
        "input",
        "No tool output found for function call",
    ),
    "an output without its call": (request(HELLO, OUTPUT), "input", "No tool call found"),
    "an output before its call": (request(HELLO, OUTPUT, CALL), "input", "No tool call found"),
    "two outputs of one call": (request(HELLO, CALL, OUTPUT, OUTPUT), "input", "No tool call found"),
    "one id for two calls": (request(HELLO, CALL, OUTPUT, CALL, OUTPUT), "input", "Duplicate function call"),
    "a call with the id of its item": (
        request(HELLO, {**CALL, "id": "fc_1"}, OUTPUT),
        "input",
        "without its required 'reasoning' item",
    ),
    "a message with the id of its item": (
        request(
            HELLO,
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
            },
        ),
        "input",
        "Item 'msg_1' of type 'message'",
    ),
    "an assistant that says input": (
        request({"role": "assistant", "content": [{"type": "input_text", "text": "Hi"}]}),
        "input[0].content[0]",
        "Supported values are: 'output_text' and 'refusal'",
    ),
    "reasoning without ciphertext": (
        request(HELLO, {**REASONING, "encrypted_content": None}, CALL, OUTPUT),
        "input",
        "Items are not persisted",
    ),
    "reasoning of nobody": (
        request(HELLO, {**REASONING, "id": "rs_2"}, CALL, OUTPUT),
        "input[1]",
        "could not be verified",
    ),
    "reasoning that was altered": (
        request(HELLO, {**REASONING, "encrypted_content": "gAAB"}, CALL, OUTPUT),
        "input[1]",
        "could not be verified",
    ),
    "reasoning at the end": (request(HELLO, REASONING), "input", "without its required following item"),
    "reasoning before the user": (request(REASONING, HELLO), "input", "without its required following item"),
    "a picture that is none": (
        request(
            {"role": "user", "content": [{"type": "input_image", "detail": "auto", "image_url": "aGk="}]}
        ),
        "input[0].content[0].image_url",
        "Expected a valid URL",
    ),
    "a file without a name": (
        request(
            {
                "role": "user",
                "content": [{"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0="}],
            }
        ),
        "input[0].content[0].filename",
        "Missing required parameter",
    ),
    "a tool that must be called and is not there": (
        request(tools=[tool()], tool_choice={"type": "function", "name": "other"}),
        "tool_choice",
        "not found in 'tools'",
    ),
    "a choice of nothing": (request(tool_choice="required"), "tool_choice", "must be specified with 'tools'"),
    "a temperature": (request(temperature=1), "temperature", "Unsupported parameter"),
    "a top_p": (request(top_p=0.5), "top_p", "Unsupported parameter"),
    "reasoning of a model without": (
        request(model="gpt-4o", reasoning={"effort": "low"}),
        "reasoning.effort",
        "Unsupported parameter",
    ),
    "ciphertext of a model without": (
        request(model="gpt-4o", include=["reasoning.encrypted_content"]),
        "include",
        "Encrypted content is not supported",
    ),
    "an effort that it does not know": (
        request(reasoning={"effort": "max"}),
        "reasoning.effort",
        "Supported values are: 'none', 'low', 'medium', 'high', 'xhigh'",
    ),
    "a long user": (request(safety_identifier="u" * 65), "safety_identifier", "string too long"),
    "a long cache key": (request(prompt_cache_key="u" * 65), "prompt_cache_key", "string too long"),
    "options of no stream": (
        request(stream_options={"include_obfuscation": False}),
        "stream_options",
        "only allowed when 'stream'",
    ),
    "a format with a long name": (
        request(text={"format": {"type": "json_schema", "name": "n" * 65, "schema": OBJECT}}),
        "text.format.name",
        "string too long",
    ),
    "a strict format that is loose": (
        request(text={"format": {"type": "json_schema", "name": "n", "schema": OBJECT, "strict": True}}),
        "text.format.schema",
        "'additionalProperties' is required",
    ),
    "a strict tool with an optional": (
        request(tools=[tool(strict=True, properties={"a": {"type": "string"}}, additionalProperties=False)]),
        "tools[0].parameters",
        "Missing 'a'",
    ),
    "strict by default": (
        request(tools=[tool(strict=None)]),
        "tools[0].parameters",
        "'additionalProperties' is required",
    ),
    "required: null": (request(tools=[tool(required=None)]), "tools[0].parameters", "not of type 'array'"),
    "a choice at the root": (
        request(tools=[tool(anyOf=[OBJECT])]),
        "tools[0].parameters",
        "at the top level",
    ),
    "a schema that is no object": (
        request(tools=[{**tool(), "parameters": {"type": "string"}}]),
        "tools[0].parameters",
        "got 'type: \"string\"'",
    ),
    "an array of anything": (
        request(tools=[tool(properties={"a": {"type": "array"}})]),
        "tools[0].parameters",
        "In context=('properties', 'a'), array schema missing items",
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_good_requests_are_taken(name: str) -> None:
    assert_taken(TAKEN[name], issued_reasoning={"rs_1": "gAAA"})


@pytest.mark.parametrize("name", REFUSED)
def test_bad_requests_are_refused_in_the_words_of_the_api(name: str) -> None:
    body, param, message = REFUSED[name]
    found = refusals(body, issued_reasoning={"rs_1": "gAAA"})
    assert str(found[0].param) == param, found
    assert message in found[0].message
    with pytest.raises(AssertionError, match="None" if param == "None" else r"."):
        assert_taken(body, issued_reasoning={"rs_1": "gAAA"})


def test_a_body_that_is_no_object_is_refused() -> None:
    assert [refusal.of_types for refusal in refusals(["x"])] == [True]


def test_reasoning_that_nobody_kept_account_of_is_not_judged() -> None:
    assert refusals(request(HELLO, REASONING, CALL, OUTPUT)) == []


def test_a_refusal_has_the_shape_of_the_api() -> None:
    (refusal,) = refusals(request(max_output_tokens=1))
    assert refusal.body()["error"] == {
        "message": "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 "
        "instead.",
        "type": "invalid_request_error",
        "param": "max_output_tokens",
        "code": "integer_below_min_value",
    }


def test_a_count_takes_less_than_an_answer() -> None:
    assert counting_refusals({"model": "gpt-5.2", "input": [HELLO], "tools": [tool()]}) == []
    (refusal,) = counting_refusals(request(max_output_tokens=100))
    assert refusal.param == "max_output_tokens"
    (refusal,) = counting_refusals(request(HELLO, CALL))
    assert "No tool output found" in refusal.message


def test_strict_is_asked_of_every_object_of_a_schema() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    schema = {
        **OBJECT,
        "properties": {"a": {"anyOf": [inner, {"type": "null"}]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert schema_complaints(schema, strict=False) == []
    first, second = schema_complaints(schema, strict=True)
    assert "('properties', 'a', 'anyOf', '0'), 'additionalProperties'" in first
    assert "Missing 'b'" in second


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("gpt-5-pro", ("high",)),
        ("gpt-5-2025-08-07", ("minimal", "low", "medium", "high")),
        ("gpt-5.1-codex", ("none", "low", "medium", "high")),
        ("gpt-5.2", ("none", "low", "medium", "high", "xhigh")),
        ("gpt-5.6-sol", ("none", "low", "medium", "high", "xhigh", "max")),
        ("o4-mini", ("low", "medium", "high")),
        ("gpt-5-chat-latest", ()),
        ("gpt-4o-mini", ()),
    ],
)
def test_efforts_are_those_of_the_model(model: str, efforts: tuple[str, ...]) -> None:
    assert rules_of(model).efforts == efforts


def test_a_type_without_a_rule_is_not_taken_for_right() -> None:
    with pytest.raises(NotImplementedError):
        complaints(b"x", bytes)
