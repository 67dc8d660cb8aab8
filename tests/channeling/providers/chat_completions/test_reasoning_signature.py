"""Reasoning comes out of a signature as it went in; what was not sealed here never comes out at all."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.chat_completions.reasoning_signature import SealedReasoning, seal, unseal
from channeling.providers.openai import reasoning_signature as openai_signature
from channeling.providers.thinking_signature import is_foreign_thinking

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: TEXTS | st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
DETAILS = st.lists(st.dictionaries(TEXTS, JSON, max_size=4), min_size=1, max_size=4).map(tuple)
ENCRYPTED = {"type": "reasoning.encrypted", "data": "gAAA:x_-=", "format": "google-gemini-v1", "index": 0}
SEALED = SealedReasoning("google/gemini-3-pro", (ENCRYPTED, {"type": "reasoning.text", "text": "K\u00f8b"}))


@given(TEXTS, DETAILS, TEXTS)
def test_details_come_back_as_they_were(model: str, details: tuple[dict[str, Any], ...], text: str) -> None:
    reasoning = SealedReasoning(model, details, text)
    assert unseal(seal(reasoning)) == reasoning


@given(TEXTS, TEXTS.filter(bool), st.sampled_from(["reasoning", "reasoning_content"]))
def test_text_comes_back_with_its_name(model: str, text: str, text_key: Any) -> None:
    reasoning = SealedReasoning(model, text=text, text_key=text_key)
    assert unseal(seal(reasoning)) == reasoning


def test_keys_keep_their_order() -> None:
    """What goes up again is the same bytes: prompts are cached by them."""
    unsealed = unseal(seal(SEALED))
    assert unsealed is not None
    assert orjson.dumps(unsealed.details) == orjson.dumps(SEALED.details)


def test_the_form_is_stable() -> None:
    """Signatures live in clients' histories: what this version wrote has to be read by every later one."""
    sealed = seal(SealedReasoning("a/b", ({"type": "reasoning.text", "text": "x"},)))
    assert sealed == (
        "channeling:openrouter:1:"
        "eyJtb2RlbCI6ImEvYiIsImRldGFpbHMiOlt7InR5cGUiOiJyZWFzb25pbmcudGV4dCIsInRleHQiOiJ4In1dfQ=="
    )


def test_no_other_provider_is_given_it() -> None:
    assert is_foreign_thinking({"type": "thinking", "thinking": "", "signature": seal(SEALED)})
    assert is_foreign_thinking({"type": "redacted_thinking", "data": seal(SEALED)})
    assert openai_signature.unseal(seal(SEALED)) is None


def signed(document: bytes) -> str:
    return f"channeling:openrouter:1:{base64.urlsafe_b64encode(document).decode()}"


@pytest.mark.parametrize(
    "signature",
    [
        None,
        7,
        [],
        "",
        "ErUBCkYIBRgCIkDa",
        "channeling:",
        "channeling:openrouter:1:",
        seal(SEALED).replace(":1:", ":2:"),
        seal(SEALED).replace("openrouter", "openai"),
        seal(SEALED)[:40],
        seal(SEALED)[1:],
        signed(b'{"details":[{}]}'),
        signed(b'{"model":7,"details":[{}]}'),
        signed(b'{"model":"a","details":[]}'),
        signed(b'{"model":"a","details":[{},7]}'),
        signed(b'{"model":"a","details":{}}'),
        signed(b'{"model":"a","reasoning":""}'),
        signed(b'{"model":"a","reasoning":7}'),
        signed(b'{"model":"a"}'),
        signed(b'["a"]'),
        signed(b"{" * 10_000),
        signed(b"\xff\xfe"),
        "channeling:openrouter:1:\u00e9\u00e9",
        "channeling:openrouter:1:a",
        "channeling:openrouter:1:eyJtb2 RlbCI6",
        "channeling:openrouter:1:\ud800",
    ],
)
def test_anything_else_is_none(signature: Any) -> None:
    assert unseal(signature) is None


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for signature in (text, "channeling:openrouter:1:" + text, seal(SEALED) + text):
        unseal(signature)
