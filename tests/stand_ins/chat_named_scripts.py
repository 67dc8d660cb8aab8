"""The scripts that the stand-in for chat completions knows by name.

For a stand-in in another process: chosen with the model `stand-in/NAME` (or the header `chat-stand-in`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.stand_ins.chat_script import Reasoning, Refusal, Script, Text, ToolCall, error_script

LONG_TEXT = "word " * 2_000
WEATHER = ToolCall("get_weather", {"city": "K\u00f8benhavn", "days": 3})
TIME = ToolCall("get_time")
# What vendors behind OpenRouter send: Gemini a summary, and a ciphertext with the id of the first call, Claude a
# signed text, others plain text.
GEMINI_CALL = "tool_0_get_weather"
GEMINI_DETAILS: tuple[Mapping[str, Any], ...] = (
    {
        "type": "reasoning.summary",
        "summary": "Let me look that up.",
        "format": "google-gemini-v1",
        "id": "gemini-0",
    },
    {
        "type": "reasoning.encrypted",
        "data": "CuMBAdHtim9f8x==",
        "format": "google-gemini-v1",
        "id": GEMINI_CALL,
    },
)
CLAUDE_DETAILS: tuple[Mapping[str, Any], ...] = (
    {
        "type": "reasoning.text",
        "text": "Let me think about that.",
        "signature": "EqQBCkYIBxgCKkDstandin/of+claude==",
        "format": "anthropic-claude-v1",
        "id": "claude-0",
    },
)
# The body of a free model's 429, as public reports quote it.
FREE_429 = error_script(
    429,
    "Provider returned error",
    metadata={
        "raw": "deepseek/deepseek-chat-v3.1:free is temporarily rate-limited upstream. Please retry shortly.",
        "provider_name": "Chutes",
        "retry_after_seconds": 17,
    },
)
# The platform's own limit, whose headers stand in the body (openrouter.ai/docs/api-reference/limits).
DAILY_429 = error_script(
    429,
    "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
    metadata={
        "headers": {
            "X-RateLimit-Limit": "50",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "4102444800000",
        }
    },
)
CONTEXT = (
    "This endpoint's maximum context length is 131072 tokens. However, you requested about 141083 tokens "
    "(140083 of text input, 1000 in the output). Please reduce the length of either one."
)

NAMED_SCRIPTS: Mapping[str, tuple[Script, ...]] = {
    "text": (Script(cost=0.000_123_456_7),),
    "long": (Script((Text(LONG_TEXT),)),),
    "paced": (Script((Text(LONG_TEXT),), gated=True),),
    "thinking": (Script((Reasoning("Let me think about that."), Text("Done thinking.")), cost=0.001),),
    "deepseek": (
        Script((Reasoning("Let me think.", key="reasoning_content"), Text("Done.")), vendor="plain"),
    ),
    "gemini": (
        Script((Reasoning(details=GEMINI_DETAILS), replace(WEATHER, call_id=GEMINI_CALL), TIME), cost=0.002),
    ),
    "claude": (Script((Reasoning(details=CLAUDE_DETAILS), Text("Done thinking.")), cost=0.003),),
    "tool": (Script((Reasoning("I should look."), Text("I will look."), WEATHER, TIME), cost=0.000_5),),
    "interleaved": (
        Script((WEATHER, ToolCall("get_time", {"zone": "Europe/Copenhagen"})), interleaved=True),
    ),
    "whole-arguments": (Script((ToolCall("get_weather", {"city": "Oslo"}, whole=True),)),),
    "no-arguments": (Script((ToolCall("get_time", ""), ToolCall("get_date", None))),),
    "bad-ids": (
        Script(
            (
                ToolCall("get_weather", {"city": "Oslo"}, "functions.get_weather:0"),
                ToolCall("get_time", {}, ""),
            )
        ),
    ),
    "says-stop": (Script((WEATHER,), finish_reason="stop"),),
    "phantom-tools": (Script(finish_reason="tool_calls"),),
    "refusal": (Script((Refusal("I cannot help with that."),)),),
    "content-filter": (Script((Text("So far so"),), finish_reason="content_filter"),),
    "no-usage": (Script(usage_in="nowhere"),),
    "usage-everywhere": (Script(usage_in="every", cost=0.000_25),),
    "stop-string": (Script((Text("One two"),), stop_string="three", vendor="plain"),),
    "searched": (Script(web_searches=2, cost=0.020_004),),
    "own-key": (Script(cost=0.000_05, upstream_cost=0.001),),
    "cached": (Script(input_tokens=2_307, cached_tokens=2_000, cache_write_tokens=300, cost=0.000_9),),
    "plain": (Script(vendor="plain"),),
    "byte-by-byte": (Script(bytes_per_write=1),),
    "crlf": (Script(line_end=b"\r\n", bytes_per_write=7),),
    "nasty": (
        Script((Text("A word."), WEATHER), nasty=True, line_end=b"\r\n", bytes_per_write=3, cost=0.000_1),
    ),
    "silent": (Script(ending="hang", chunks_before_ending=3),),
    "never-answers": (Script(answers=False),),
    "dies": (Script((Text(LONG_TEXT),), ending="reset", chunks_before_ending=40),),
    "clean-eof": (Script(ending="eof", done=False),),
    "garbage": (Script(ending="garbage", chunks_before_ending=3),),
    "error-chunk": (Script(ending="error", chunks_before_ending=3),),
    "error-first": (Script(ending="error", chunks_before_ending=0),),
    "html": (Script(body=b"<html><body>It works!</body></html>", content_type="text/html"),),
    "empty": (Script(body=b"", content_type="text/plain"),),
    "gzip": (Script(compress=True),),
    "401": (error_script(401, "No auth credentials found"),),
    "402": (
        error_script(402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits"),
    ),
    "403": (
        error_script(
            403,
            "Input was flagged",
            metadata={"reasons": ["violence"], "flagged_input": "Hel...", "provider_name": "OpenAI"},
        ),
    ),
    "404": (error_script(404, "No endpoints found for nobody/nothing."),),
    "408": (error_script(408, "Request timed out"),),
    "429": (FREE_429,),
    "daily": (DAILY_429,),
    "429-header": (error_script(429, "Rate limit exceeded", ("retry-after", "11")),),
    "context": (error_script(400, CONTEXT),),
    "raw": (
        error_script(
            400,
            "Provider returned error",
            metadata={
                "raw": '{"error":{"message":"tools.0: unsupported schema","type":"invalid_request_error"}}',
                "provider_name": "Mistral",
            },
        ),
    ),
    "500": (error_script(500, "Internal Server Error"),),
    "502": (Script(status=502, body=b"<html>bad gateway</html>", content_type="text/html", checks=False),),
    "503": (error_script(503, "No available model provider meets your routing requirements"),),
    "529": (error_script(529, "Provider returned error", metadata={"raw": "Overloaded"}),),
    "busy-once": (error_script(529, "Overloaded"), Script()),
}
