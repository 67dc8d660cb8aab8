"""OpenRouter is told of the client's app where the client names one, and of nothing else that it sends."""

import pytest

from channeling.providers.openrouter.attribution import attribution_headers

OWN = [("x-openrouter-title", "Channeling")]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], OWN),
        ([("referer", "https://a.example"), ("authorization", "Bearer x"), ("x-app", "cli")], OWN),
        ([("HTTP-Referer", "https://a.example")], [("http-referer", "https://a.example")]),
        ([("X-Title", "An app")], [("x-title", "An app")]),
        ([("X-OpenRouter-Title", "")], OWN),
        ([("X-OpenRouter-Title", "x" * 201)], OWN),
        ([("X-OpenRouter-Title", "a\r\nb: c")], OWN),
        ([("X-OpenRouter-Title", "K\u00f8b")], OWN),
    ],
)
def test_headers(said: list[tuple[str, str]], told: list[tuple[str, str]]) -> None:
    """A value that is no plain text of a moderate length is left out."""
    assert attribution_headers(said) == told
