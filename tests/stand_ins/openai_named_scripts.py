"""The scripts that the stand-in for the Responses API knows by name.

For a stand-in in another process: chosen with the model `gpt-stand-in-NAME` (or the header `openai-stand-in`).
"""

from collections.abc import Mapping

from tests.stand_ins.openai_script import FunctionCall, Message, Reasoning, Script, WebSearch, error_script

LONG_TEXT = "word " * 2_000
OVERLOADED = error_script(
    503, "server_is_overloaded", "The server is currently overloaded.", kind="service_unavailable_error"
)
# The wording of the API's own errors, as public reports quote them.
QUOTA = "You exceeded your current quota, please check your plan and billing details."
RATE_LIMIT = (
    "Rate limit reached for gpt-5.2 in organization org-Vb3xT0kD9fQ2 on tokens per min (TPM): Limit 30000."
)
CONTEXT = "Your input exceeds the context window of this model. Please adjust your input and try again."

NAMED_SCRIPTS: Mapping[str, tuple[Script, ...]] = {
    "text": (Script(),),
    "long": (Script((Message(LONG_TEXT),)),),
    "paced": (Script((Message(LONG_TEXT),), gated=True),),
    "thinking": (Script((Reasoning(("Let me think about that.",)), Message("Done thinking."))),),
    "hidden-thinking": (Script((Reasoning(), Message("Done thinking.")), reasoning_tokens=64),),
    "tool": (
        Script(
            (
                Reasoning(("I should look.",)),
                Message("I will look.", phase="commentary"),
                FunctionCall("get_weather", {"city": "K\u00f8benhavn", "days": 3}),
                FunctionCall("get_time"),
            ),
        ),
    ),
    "interleaved": (
        Script(
            (
                FunctionCall("get_weather", {"city": "K\u00f8benhavn", "days": 3}),
                FunctionCall("get_time", {"zone": "Europe/Copenhagen"}),
                Message("And a word beside."),
            ),
            interleaved=True,
        ),
    ),
    "whole-arguments": (Script((FunctionCall("get_weather", {"city": "Oslo"}, whole=True),)),),
    "refusal": (Script((Message(refusal="I cannot help with that."),)),),
    "content-filter": (Script((Message("So far so"),), incomplete="content_filter"),),
    "failed": (Script(failure=("server_error", "The server had an error.")),),
    "web-search": (
        Script(
            (
                WebSearch("channeling", ("https://example.com/a", "https://example.com/b")),
                Message("It is so.", citations=(("https://example.com/a", "A page"),)),
            ),
        ),
    ),
    "cached": (Script(input_tokens=2_307, cached_tokens=2_000, cache_write_tokens=300),),
    "byte-by-byte": (Script(bytes_per_write=1),),
    "crlf": (Script(line_end=b"\r\n", bytes_per_write=7),),
    "nasty": (Script(comments=True, bogus=True, done=True, line_end=b"\r\n", bytes_per_write=3),),
    "silent": (Script(ending="hang", records_before_ending=5),),
    "never-answers": (Script(answers=False),),
    "dies": (Script((Message(LONG_TEXT),), ending="reset", records_before_ending=40),),
    "clean-eof": (Script(ending="eof"),),
    "garbage": (Script(ending="garbage", records_before_ending=5),),
    "error-event": (Script(ending="error", records_before_ending=5),),
    "html": (Script(body=b"<html><body>It works!</body></html>", content_type="text/html"),),
    "empty": (Script(body=b"", content_type="text/plain"),),
    "gzip": (Script(compress=True),),
    "401": (
        error_script(
            401,
            "invalid_api_key",
            "Incorrect API key provided: sk-proj-****. You can find your API key at https://platform.openai.com.",
            kind="invalid_request_error",
        ),
    ),
    "403": (
        error_script(
            403, "unsupported_country_region_territory", "Country not supported", kind="request_forbidden"
        ),
    ),
    "404": (
        error_script(
            404, "model_not_found", "The model `gpt-nowhere` does not exist.", kind="invalid_request_error"
        ),
    ),
    "quota": (error_script(429, "insufficient_quota", QUOTA, kind="insufficient_quota"),),
    "429": (error_script(429, "rate_limit_exceeded", RATE_LIMIT, ("retry-after", "17"), kind="tokens"),),
    "context": (error_script(400, "context_length_exceeded", CONTEXT, kind="invalid_request_error"),),
    "policy": (
        error_script(
            400,
            "invalid_prompt",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            kind="invalid_request_error",
        ),
    ),
    "500": (error_script(500, None, "The server had an error while processing", kind="server_error"),),
    "502": (Script(status=502, body=b"<html>bad gateway</html>", content_type="text/html", checks=False),),
    "503": (OVERLOADED,),
    "busy-once": (OVERLOADED, Script()),
}
