"""The official Python SDK's blocking client, driven by commands."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
from commands import Command, dumped, note_request, note_response, serve


def client_of(command: Command) -> anthropic.Anthropic:
    hooks: dict[str, list[Callable[..., Any]]] = {"request": [note_request], "response": [note_response]}
    http_client = anthropic.DefaultHttpxClient(event_hooks=hooks)
    return anthropic.Anthropic(http_client=http_client, **command.client_options())


def create(command: Command) -> None:
    with client_of(command) as client:
        message = client.messages.create(**command.request)
        command.result |= {"message": dumped(message), "request_id": message._request_id}


def events(command: Command) -> None:
    command.result["events"] = []
    with client_of(command) as client:
        for event in client.messages.create(stream=True, **command.request):
            command.result["events"].append(dumped(event))


def helper(command: Command) -> None:
    with client_of(command) as client:
        command.result["message"] = dumped(_streamed(client, command, command.request))


def text_stream(command: Command) -> None:
    command.result["texts"] = []
    with client_of(command) as client, client.messages.stream(**command.request) as stream:
        for text in stream.text_stream:
            command.result["texts"].append(text)
        command.result["message"] = dumped(stream.get_final_message())


def two_turns(command: Command) -> None:
    with client_of(command) as client:
        first = client.messages.create(**command.request)
        second = client.messages.create(**_with_next_turn(command, first))
        command.result |= {"message": dumped(first), "second": dumped(second)}


def two_turns_streamed(command: Command) -> None:
    with client_of(command) as client:
        first = _streamed(client, command, command.request)
        second = _streamed(client, command, _with_next_turn(command, first))
        command.result |= {"message": dumped(first), "second": dumped(second)}


def beta_create(command: Command) -> None:
    with client_of(command) as client:
        command.result["message"] = dumped(client.beta.messages.create(**command.request))


def count_tokens(command: Command) -> None:
    with client_of(command) as client:
        command.result["input_tokens"] = client.messages.count_tokens(**command.request).input_tokens


def beta_count_tokens(command: Command) -> None:
    with client_of(command) as client:
        command.result["input_tokens"] = client.beta.messages.count_tokens(**command.request).input_tokens


def models(command: Command) -> None:
    with client_of(command) as client:
        ids = [model.id for model in client.models.list(limit=command.options["limit"])]
        command.result |= {"ids": ids, "first": client.models.retrieve(ids[0]).id}
        client.models.retrieve("claude-nowhere")


def concurrent(command: Command) -> None:
    count = command.options["count"]
    with client_of(command) as client, ThreadPoolExecutor(count) as threads:
        streams = [threads.submit(_streamed, client, command, command.request) for _ in range(count)]
        command.result["messages"] = [dumped(stream.result()) for stream in streams]


def leave(command: Command) -> None:
    command.result["texts"] = []
    with client_of(command) as client, client.messages.stream(**command.request) as stream:
        for text in stream.text_stream:
            command.result["texts"].append(text)
            if len(command.result["texts"]) == command.options["after_texts"]:
                break


def _streamed(client: anthropic.Anthropic, command: Command, request: dict[str, Any]) -> Any:
    with client.messages.stream(**request) as stream:
        for event in stream:
            if event.type == "input_json":
                command.result.setdefault("partial_json", []).append(event.partial_json)
            elif event.type == "thinking":
                command.result.setdefault("thinking", []).append(event.thinking)
        return stream.get_final_message()


def _with_next_turn(command: Command, answer: Any) -> dict[str, Any]:
    answered = {"role": "assistant", "content": answer.content}
    turns = [*command.request["messages"], answered, command.options["next_turn"]]
    return {**command.request, "messages": turns}


if __name__ == "__main__":
    OPERATIONS = (
        create, events, helper, text_stream, two_turns, two_turns_streamed, beta_create, count_tokens,
        beta_count_tokens, models, concurrent, leave,
    )  # fmt: skip
    serve({operation.__name__: operation for operation in OPERATIONS})
