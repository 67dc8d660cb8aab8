"""The official Python SDK's asyncio client, driven by commands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
from commands import Command, dumped, note_request, note_response, serve


async def _note_request(request: Any) -> None:
    note_request(request)


async def _note_response(response: Any) -> None:
    note_response(response)


def client_of(command: Command) -> anthropic.AsyncAnthropic:
    hooks: dict[str, list[Callable[..., Any]]] = {"request": [_note_request], "response": [_note_response]}
    http_client = anthropic.DefaultAsyncHttpxClient(event_hooks=hooks)
    return anthropic.AsyncAnthropic(http_client=http_client, **command.client_options())


async def create(command: Command) -> None:
    async with client_of(command) as client:
        message = await client.messages.create(**command.request)
        command.result |= {"message": dumped(message), "request_id": message._request_id}


async def events(command: Command) -> None:
    command.result["events"] = []
    async with client_of(command) as client:
        async for event in await client.messages.create(stream=True, **command.request):
            command.result["events"].append(dumped(event))


async def helper(command: Command) -> None:
    async with client_of(command) as client:
        command.result["message"] = dumped(await _streamed(client, command, command.request))


async def text_stream(command: Command) -> None:
    command.result["texts"] = []
    async with client_of(command) as client, client.messages.stream(**command.request) as stream:
        async for text in stream.text_stream:
            command.result["texts"].append(text)
        command.result["message"] = dumped(await stream.get_final_message())


async def two_turns(command: Command) -> None:
    async with client_of(command) as client:
        first = await client.messages.create(**command.request)
        second = await client.messages.create(**_with_next_turn(command, first))
        command.result |= {"message": dumped(first), "second": dumped(second)}


async def two_turns_streamed(command: Command) -> None:
    async with client_of(command) as client:
        first = await _streamed(client, command, command.request)
        second = await _streamed(client, command, _with_next_turn(command, first))
        command.result |= {"message": dumped(first), "second": dumped(second)}


async def beta_create(command: Command) -> None:
    async with client_of(command) as client:
        command.result["message"] = dumped(await client.beta.messages.create(**command.request))


async def count_tokens(command: Command) -> None:
    async with client_of(command) as client:
        counted = await client.messages.count_tokens(**command.request)
        command.result["input_tokens"] = counted.input_tokens


async def beta_count_tokens(command: Command) -> None:
    async with client_of(command) as client:
        counted = await client.beta.messages.count_tokens(**command.request)
        command.result["input_tokens"] = counted.input_tokens


async def models(command: Command) -> None:
    async with client_of(command) as client:
        ids = [model.id async for model in client.models.list(limit=command.options["limit"])]
        first = await client.models.retrieve(ids[0])
        command.result |= {"ids": ids, "first": first.id}
        await client.models.retrieve("claude-nowhere")


async def concurrent(command: Command) -> None:
    async with client_of(command) as client:
        streams = [_streamed(client, command, command.request) for _ in range(command.options["count"])]
        command.result["messages"] = [dumped(message) for message in await asyncio.gather(*streams)]


async def leave(command: Command) -> None:
    command.result["texts"] = []
    async with client_of(command) as client, client.messages.stream(**command.request) as stream:
        async for text in stream.text_stream:
            command.result["texts"].append(text)
            if len(command.result["texts"]) == command.options["after_texts"]:
                break


async def _streamed(client: anthropic.AsyncAnthropic, command: Command, request: dict[str, Any]) -> Any:
    async with client.messages.stream(**request) as stream:
        async for event in stream:
            if event.type == "input_json":
                command.result.setdefault("partial_json", []).append(event.partial_json)
            elif event.type == "thinking":
                command.result.setdefault("thinking", []).append(event.thinking)
        return await stream.get_final_message()


def _with_next_turn(command: Command, answer: Any) -> dict[str, Any]:
    answered = {"role": "assistant", "content": answer.content}
    turns = [*command.request["messages"], answered, command.options["next_turn"]]
    return {**command.request, "messages": turns}


def blocking(operation: Callable[[Command], Awaitable[None]]) -> Callable[[Command], None]:
    async def run(command: Command) -> None:
        await operation(command)

    return lambda command: asyncio.run(run(command))


if __name__ == "__main__":
    OPERATIONS = (
        create, events, helper, text_stream, two_turns, two_turns_streamed, beta_create, count_tokens,
        beta_count_tokens, models, concurrent, leave,
    )  # fmt: skip
    serve({operation.__name__: blocking(operation) for operation in OPERATIONS})
