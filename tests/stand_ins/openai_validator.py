"""Whether the Responses API would take a request: the official package's types, then the API's known refusals.

The types are those of `openai` 3.54.0 (`types/responses/response_create_params.py`), to the letter: a field that
they do not have is refused, as the API does ("Unknown parameter"). The refusals beyond them are the API's own, each
seen in public reports; their wording is what clients and gateways match on.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openai.types.responses import input_token_count_params, response_create_params

from tests.stand_ins.openai_models import ModelRules, rules_of
from tests.stand_ins.openai_schemas import schema_complaints
from tests.stand_ins.typed_dict_check import complaints

LONGEST_ID = 64
LONGEST_NAME = 64
# The published bound of safety_identifier is 128; peers were refused beyond 64, and prompt_cache_key is bound so.
LONGEST_KEY = 64
LONGEST_TEXT = 10_485_760
LEAST_OUTPUT_TOKENS = 16
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_OUTPUT_ITEMS = frozenset({"message", "function_call", "web_search_call", "reasoning"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the API: HTTP status, `code`, `param` and message. `of_types`: the body is no such request."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400
    of_types: bool = False

    def body(self) -> dict[str, Any]:
        """Return the error as the API sends it."""
        error = {"message": self.message, "type": "invalid_request_error"}
        return {"error": {**error, "param": self.param, "code": self.code}}


def refusals(body: Any, *, issued_reasoning: Mapping[str, str] | None = None) -> list[Refusal]:
    """Return all that is wrong with the body of POST /v1/responses.

    `issued_reasoning` are the reasoning items that the API has given out, ciphertext by id; None: not known.
    """
    if not isinstance(body, dict):
        return [Refusal("We could not parse the JSON body of your request.", of_types=True)]
    streamed = body.get("stream") is True
    expected = (
        response_create_params.ResponseCreateParamsStreaming
        if streamed
        else response_create_params.ResponseCreateParamsNonStreaming
    )
    found = _of_types(body, expected)
    if found:
        return found
    if "model" not in body:
        return [Refusal("Missing required parameter: 'model'.", "model", "missing_required_parameter")]
    return [
        *_input(body.get("input"), issued_reasoning),
        *_tools(body),
        *_parameters(body),
    ]


def counting_refusals(body: Any) -> list[Refusal]:
    """Return all that is wrong with the body of POST /v1/responses/input_tokens."""
    found = _of_types(body, input_token_count_params.InputTokenCountParams)
    if found:
        return found
    return [*_input(body.get("input"), None), *_tools(body)]


def assert_taken(body: Any, *, issued_reasoning: Mapping[str, str] | None = None) -> None:
    """Raise AssertionError, saying all that the API would refuse."""
    found = refusals(body, issued_reasoning=issued_reasoning)
    assert not found, "\n".join(f"{refusal.param}: {refusal.message}" for refusal in found)


def _of_types(body: Any, expected: Any) -> list[Refusal]:
    return [
        Refusal(f"Invalid request: {complaint}", param=complaint.partition(":")[0].lstrip("."), of_types=True)
        for complaint in complaints(body, expected)
    ]


# What stands in `input`.


def _input(items: Any, issued_reasoning: Mapping[str, str] | None) -> Iterator[Refusal]:
    if not items:
        yield Refusal(
            "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation_id' must be provided.",
            code="missing_required_parameter",
        )
    if not isinstance(items, list):
        return
    for position, item in enumerate(items):
        where = f"input[{position}]"
        match item.get("type", "message"):
            case "message":
                yield from _message(item, where)
            case "function_call":
                yield from _function_call(item, where)
            case "function_call_output":
                yield from _call_id(item.get("call_id"), where)
                yield from _content(item["output"], f"{where}.output", of_model=False)
            case "reasoning":
                yield from _reasoning(items, position, issued_reasoning)
    yield from _pairs(items)


def _message(item: Mapping[str, Any], where: str) -> Iterator[Refusal]:
    if "id" in item:
        # It would have to come with the reasoning item that it was made after.
        yield Refusal(
            f"Item '{item['id']}' of type 'message' was provided without its required 'reasoning' item.",
            param="input",
        )
    yield from _content(item["content"], f"{where}.content", of_model=item["role"] == "assistant")


def _content(content: Any, where: str, *, of_model: bool) -> Iterator[Refusal]:
    if isinstance(content, str):
        content = [{"type": "input_text" if not of_model else "output_text", "text": content}]
    for position, part in enumerate(content):
        at = f"{where}[{position}]"
        if of_model != (part["type"] in ("output_text", "refusal")):
            supported = (
                "'output_text' and 'refusal'" if of_model else "'input_text', 'input_image', 'input_file'"
            )
            yield Refusal(
                f"Invalid value: '{part['type']}'. Supported values are: {supported}.",
                param=at,
                code="invalid_value",
            )
            continue
        yield from _part(part, at)


def _part(part: Mapping[str, Any], at: str) -> Iterator[Refusal]:
    match part["type"]:
        case "input_text" | "output_text":
            if len(part["text"]) > LONGEST_TEXT:
                yield _too_long(f"{at}.text", LONGEST_TEXT, len(part["text"]))
        case "input_image":
            url = part.get("image_url")
            if (url is None) == (part.get("file_id") is None):
                yield Refusal(
                    "Give one of image_url and file_id.", param=at, code="missing_required_parameter"
                )
            elif url is not None and not re.match(r"https?://|data:image/(png|jpeg|gif|webp);base64,\S", url):
                message = (
                    f"Invalid '{at}.image_url'. Expected a valid URL, or a base64-encoded data URL with an image "
                    "MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got a value without it."
                )
                yield Refusal(message, param=f"{at}.image_url", code="invalid_value")
        case "input_file":
            given = [name for name in ("file_data", "file_id", "file_url") if part.get(name) is not None]
            if len(given) != 1:
                yield Refusal(f"Mutually exclusive parameters: {given}.", param=at)
            elif given == ["file_data"]:
                if not re.match(r"data:[\w.+-]+/[\w.+-]+;base64,\S", part["file_data"]):
                    message = (
                        f"Invalid '{at}.file_data'. Expected a base64-encoded data URL with a MIME type."
                    )
                    yield Refusal(message, param=f"{at}.file_data", code="invalid_value")
                if not part.get("filename"):
                    yield Refusal(f"Missing required parameter: '{at}.filename'.", param=f"{at}.filename")


def _function_call(item: Mapping[str, Any], where: str) -> Iterator[Refusal]:
    yield from _call_id(item["call_id"], where)
    yield from _name(item["name"], f"{where}.name")
    if "id" in item:
        yield Refusal(
            f"Item '{item['id']}' of type 'function_call' was provided without its required 'reasoning' item.",
            param="input",
        )


def _call_id(call_id: str | None, where: str) -> Iterator[Refusal]:
    if not call_id:
        yield Refusal(f"Missing required parameter: '{where}.call_id'.", param=f"{where}.call_id")
    elif len(call_id) > LONGEST_ID:
        yield _too_long(f"{where}.call_id", LONGEST_ID, len(call_id))
    elif not _NAME.fullmatch(call_id):
        yield _not_a_name(f"{where}.call_id")


def _name(name: str, where: str) -> Iterator[Refusal]:
    if len(name) > LONGEST_NAME:
        yield _too_long(where, LONGEST_NAME, len(name))
    elif not _NAME.fullmatch(name):
        yield _not_a_name(where)


def _reasoning(
    items: list[dict[str, Any]], position: int, issued: Mapping[str, str] | None
) -> Iterator[Refusal]:
    item, where = items[position], f"input[{position}]"
    if not item.get("encrypted_content"):
        message = (
            f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false. Try "
            "again with `store` set to true, or remove this item from your input."
        )
        yield Refusal(message, param="input", status=404)
    elif issued is not None and issued.get(item["id"]) != item["encrypted_content"]:
        message = (
            f"The encrypted content for item {item['id']} could not be verified. Reason: Encrypted content could "
            "not be decrypted or parsed."
        )
        yield Refusal(message, param=where, code="invalid_encrypted_content")
    rest = items[position + 1 :]
    following = next((after for after in rest if after.get("type") != "reasoning"), None)
    is_output = following is not None and (
        following.get("role") == "assistant" or following.get("type") in _OUTPUT_ITEMS - {"message"}
    )
    if not is_output:
        yield Refusal(
            f"Item '{item['id']}' of type 'reasoning' was provided without its required following item.",
            param="input",
        )


def _pairs(items: list[dict[str, Any]]) -> Iterator[Refusal]:
    """Each call has one output after it, and each output its call before it."""
    open_calls: set[str] = set()
    called: set[str] = set()
    for item in items:
        call_id = item.get("call_id")
        if item.get("type") == "function_call":
            if call_id in called:
                yield Refusal(f"Duplicate function call with call_id {call_id}.", param="input")
            called.add(call_id)
            open_calls.add(call_id)
        elif item.get("type") == "function_call_output":
            if call_id not in open_calls:
                yield Refusal(
                    f"No tool call found for function call output with call_id {call_id}.", param="input"
                )
            open_calls.discard(call_id)
    for call_id in open_calls:
        yield Refusal(f"No tool output found for function call {call_id}.", param="input")


# Tools and the other parameters.


def _tools(body: Mapping[str, Any]) -> Iterator[Refusal]:
    tools: list[dict[str, Any]] = body.get("tools") or []
    names: set[str] = set()
    for position, tool in enumerate(tools):
        if tool["type"] != "function":
            continue
        where = f"tools[{position}]"
        yield from _name(tool["name"], f"{where}.name")
        if tool["name"] in names:
            yield Refusal(f"Duplicate tool name '{tool['name']}'.", param=where)
        names.add(tool["name"])
        for complaint in schema_complaints(tool["parameters"], strict=tool["strict"] is not False):
            yield Refusal(
                f"Invalid schema for function '{tool['name']}': {complaint}",
                param=f"{where}.parameters",
                code="invalid_function_parameters",
            )
    choice = body.get("tool_choice")
    if choice == "required" and not tools:
        yield Refusal("Tool choice 'required' must be specified with 'tools' parameter.", param="tool_choice")
    if isinstance(choice, dict) and choice["type"] == "function" and choice["name"] not in names:
        yield Refusal(
            f"Tool choice 'function' not found in 'tools' parameter: {choice['name']}.", param="tool_choice"
        )


def _parameters(body: Mapping[str, Any]) -> Iterator[Refusal]:
    yield from _output_tokens(body.get("max_output_tokens"), rules_of(body["model"]))
    for key in ("safety_identifier", "prompt_cache_key"):
        if len(body.get(key) or "") > LONGEST_KEY:
            yield _too_long(key, LONGEST_KEY, len(body[key]))
    if body.get("stream_options") is not None and body.get("stream") is not True:
        yield Refusal(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    yield from _text_format((body.get("text") or {}).get("format"))
    yield from _of_the_model(body, rules_of(body["model"]))


def _output_tokens(asked: int | None, rules: ModelRules) -> Iterator[Refusal]:
    if asked is None:
        return
    if asked < LEAST_OUTPUT_TOKENS:
        message = (
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
            f"{LEAST_OUTPUT_TOKENS}, but got {asked} instead."
        )
        yield Refusal(message, param="max_output_tokens", code="integer_below_min_value")
    if asked > rules.max_output_tokens:
        message = (
            f"max_output_tokens is too large: {asked}. This model supports at most {rules.max_output_tokens} "
            f"completion tokens, whereas you provided {asked}."
        )
        yield Refusal(message, param="max_output_tokens", code="invalid_value")


def _text_format(asked: Mapping[str, Any] | None) -> Iterator[Refusal]:
    if asked is None or asked["type"] != "json_schema":
        return
    yield from _name(asked["name"], "text.format.name")
    for complaint in schema_complaints(asked["schema"], strict=asked.get("strict") is True):
        yield Refusal(
            f"Invalid schema for response_format '{asked['name']}': {complaint}",
            param="text.format.schema",
            code="invalid_json_schema",
        )


def _of_the_model(body: Mapping[str, Any], rules: ModelRules) -> Iterator[Refusal]:
    reasoning = body.get("reasoning") or {}
    effort = reasoning.get("effort")
    if not rules.reasons:
        for key in ("effort", "summary"):
            if reasoning.get(key) is not None:
                yield _unsupported(f"reasoning.{key}")
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            yield Refusal("Encrypted content is not supported with this model.", param="include")
        return
    if effort is not None and effort not in rules.efforts:
        supported = ", ".join(f"'{name}'" for name in rules.efforts)
        message = (
            f"Unsupported value: '{effort}' is not supported with the '{body['model']}' model. Supported values "
            f"are: {supported}."
        )
        yield Refusal(message, param="reasoning.effort", code="unsupported_value")
    if effort != "none":
        for key in ("temperature", "top_p"):
            if body.get(key) is not None:
                yield _unsupported(key)


def _unsupported(key: str) -> Refusal:
    return Refusal(
        f"Unsupported parameter: '{key}' is not supported with this model.",
        param=key,
        code="unsupported_parameter",
    )


def _too_long(where: str, longest: int, length: int) -> Refusal:
    message = (
        f"Invalid '{where}': string too long. Expected a string with maximum length {longest}, but got a string "
        f"with length {length} instead."
    )
    return Refusal(message, param=where, code="string_above_max_length")


def _not_a_name(where: str) -> Refusal:
    message = (
        f"Invalid '{where}': string does not match pattern. Expected a string that matches the pattern "
        "'^[a-zA-Z0-9_-]+$'."
    )
    return Refusal(message, param=where, code="invalid_value")
