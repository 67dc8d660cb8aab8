"""A tool loop by LangChain, once with whole answers and once with streamed ones: run by snippet_runner.py.

Prints what each loop came to as JSON: {"calls": what the tool was called with, "text": of its last answer,
"output_tokens": of all its answers}.
"""

import json
import os

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool


@tool
def weather(city: str) -> str:
    """Say the weather of a city."""
    calls.append(city)
    return "12 °C, 漢字"


calls: list[str] = []
model = ChatAnthropic(
    model=os.environ["MODEL"],
    base_url=os.environ["URL"],
    api_key=os.environ["TOKEN"],
    max_tokens=4_000,
    thinking={"type": "enabled", "budget_tokens": 1_024},
    max_retries=0,
).bind_tools([weather])


def whole(messages: list[BaseMessage]) -> AIMessage:
    return model.invoke(messages)


def streamed(messages: list[BaseMessage]) -> AIMessage:
    chunks = list(model.stream(messages))
    return sum(chunks[1:], start=chunks[0])


for ask in (whole, streamed):
    calls.clear()
    messages: list[BaseMessage] = [HumanMessage("What is the weather in København?")]
    output_tokens = 0
    while True:
        answer = ask(messages)
        messages.append(answer)
        output_tokens += answer.usage_metadata["output_tokens"]
        if not answer.tool_calls:
            break
        messages += [weather.invoke(call) for call in answer.tool_calls]
    print(json.dumps({"calls": calls, "text": answer.text, "output_tokens": output_tokens}))
