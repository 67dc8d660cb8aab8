"""What a client is told of tokens adds up to what is billed, and an estimate is about right."""

from channeling.providers.answer_stream import Emitted
from channeling.providers.client_usage import client_usage, estimated_output_tokens
from channeling.usage.token_counts import TokenCounts


def test_what_the_client_is_told() -> None:
    assert client_usage(TokenCounts(500, 4000, 300, 200, 90, 64, web_search_requests=2)) == {
        "input_tokens": 500,
        "cache_creation_input_tokens": 500,
        "cache_read_input_tokens": 4000,
        "output_tokens": 90,
        "output_tokens_details": {"thinking_tokens": 64},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }
    assert "server_tool_use" not in client_usage(TokenCounts())


def test_an_estimate_is_about_right() -> None:
    assert estimated_output_tokens(Emitted(ascii_bytes=9, non_ascii_chars=2)) == 5
    assert estimated_output_tokens(Emitted()) == 0
