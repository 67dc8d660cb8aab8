"""A tool loop by Anthropic's own SDKs: it asks, answers the calls with what it was given, until there are none."""

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic

from tests.clients.conftest import present
from tests.clients.installations import node_modules
from tests.clients.served_gateway import ServedGateway

Loop = Callable[[ServedGateway, str, bool, dict[str, Any]], list[dict[str, Any]]]
"""From the gateway, a token, whether to stream, and the first request to the answers in their order."""

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode()
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
RESULTS: dict[str, Any] = {
    "mcp__weather_service__get_the_weather_of_a_city_for_the_coming_days_in_detail": "12 °C, 漢字",
    "take_screenshot": [{"type": "text", "text": "The screen:"}, PICTURE],
    "write_note": "noted",
}
WEATHER, SCREENSHOT, NOTE = RESULTS
REQUEST: dict[str, Any] = {
    "max_tokens": 8_000,
    "thinking": {"type": "enabled", "budget_tokens": 4_000},
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [
        {"name": name, "description": "A tool", "input_schema": {"type": "object", "properties": {}}}
        for name in RESULTS
    ],
    "messages": [{"role": "user", "content": "What is the weather, and what is on the screen?"}],
}


def python_loop(
    gateway: ServedGateway, token: str, streamed: bool, request: dict[str, Any]
) -> list[dict[str, Any]]:
    answers, messages = [], list(request["messages"])
    with anthropic.Anthropic(api_key=token, base_url=gateway.base_url, max_retries=0) as sdk:
        while True:
            asked = {**request, "messages": messages}
            if streamed:
                with sdk.messages.stream(**asked) as stream:
                    answer = stream.get_final_message()
            else:
                answer = sdk.messages.create(**asked)
            answers.append(answer.model_dump(mode="json", exclude_unset=True))
            if answer.stop_reason != "tool_use":
                return answers
            messages += with_results(answer.content)


def async_python_loop(
    gateway: ServedGateway, token: str, streamed: bool, request: dict[str, Any]
) -> list[dict[str, Any]]:
    async def loop() -> list[dict[str, Any]]:
        answers, messages = [], list(request["messages"])
        async with anthropic.AsyncAnthropic(api_key=token, base_url=gateway.base_url, max_retries=0) as sdk:
            while True:
                asked = {**request, "messages": messages}
                if streamed:
                    async with sdk.messages.stream(**asked) as stream:
                        answer = await stream.get_final_message()
                else:
                    answer = await sdk.messages.create(**asked)
                answers.append(answer.model_dump(mode="json", exclude_unset=True))
                if answer.stop_reason != "tool_use":
                    return answers
                messages += with_results(answer.content)

    return asyncio.run(loop())


def with_results(content: list[Any]) -> list[dict[str, Any]]:
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.name]}
        for block in content
        if block.type == "tool_use"
    ]
    return [{"role": "assistant", "content": content}, {"role": "user", "content": results}]


def typescript_loop(
    gateway: ServedGateway, token: str, streamed: bool, request: dict[str, Any]
) -> list[dict[str, Any]]:
    modules = present(node_modules(), "the TypeScript SDK")
    asked = {
        "base_url": gateway.base_url,
        "token": token,
        "request": request,
        "results": RESULTS,
        "streamed": streamed,
    }
    ran = subprocess.run(
        ["node", str(Path(__file__).parent / "node" / "tool_loop.mjs"), str(modules)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers
