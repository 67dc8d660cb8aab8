"""Whatever the bytes, a token is either verified or refused with AuthenticationFailed, never a crash."""

from typing import Any

import jwt
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.auth.token import TokenClaims, unverified_project_id, verify_token
from channeling.errors import AuthenticationFailed
from tests.channeling.auth.token_parts import HEADER, NOW_S, SECRET, base64url, good_budget, good_claims, sign

numbers = st.one_of(
    st.integers(), st.floats(allow_nan=False), st.sampled_from([10**12, 10**12 + 1, 2**63, 10**300])
)
# Lone surrogates too: JSON can spell them, UTF-8 cannot.
texts = st.text(st.characters(exclude_categories=()), max_size=300)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
fuzz = settings(max_examples=300, deadline=None, derandomize=True)


def verified(token: str) -> TokenClaims | None:
    """Return the claims, or None for a refusal; anything else raised fails the test."""
    try:
        unverified_project_id(token)
        return verify_token(token, [SECRET], now_s=NOW_S, max_ai_microusd=10**9)
    except AuthenticationFailed as refused:
        refused.message.encode()
        return None


@fuzz
@given(st.one_of(texts, st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_text(token: str) -> None:
    assert verified(token) is None


@fuzz
@given(st.binary(), st.binary(), st.binary())
def test_any_bytes_in_three_parts(header: bytes, payload: bytes, signature: bytes) -> None:
    assert verified(f"{base64url(header)}.{base64url(payload)}.{base64url(signature)}") is None


@fuzz
@given(json_values, json_values)
def test_any_json_unsigned(header: Any, payload: Any) -> None:
    assert verified(f"{base64url(header)}.{base64url(payload)}.") is None


@fuzz
@given(json_values)
def test_any_json_signed(payload: Any) -> None:
    assert verified(sign(payload)) is None, "a random payload lacks claims"


@fuzz
@given(st.sampled_from(["sub", "iss", "iat", "exp", "nbf", "aud", "models", "budget", "other"]), json_values)
def test_any_value_in_one_claim_signed(name: str, value: Any) -> None:
    claims = verified(sign({**good_claims(), name: value}))
    assert claims is None or (1 <= len(claims.user_id) <= 256 and claims.expires_at_s > NOW_S)


@fuzz
@given(st.sampled_from(["ai", "compute", "window", "windowStart", "other"]), json_values)
def test_any_value_in_one_budget_field_signed(name: str, value: Any) -> None:
    claims = verified(sign(good_claims(budget={**good_budget(), name: value})))
    assert claims is None or 0 <= claims.budget.limit_nanousd <= 10**12


@fuzz
@given(st.integers(min_value=0), st.integers(min_value=0, max_value=127))
def test_no_single_change_passes_that_pyjwt_would_refuse(position: int, code: int) -> None:
    token = sign(good_claims(), header=HEADER)
    at = position % len(token)
    changed = token[:at] + chr(code) + token[at + 1 :]
    if verified(changed) is not None:
        assert changed == token
        jwt.decode(changed, SECRET, ["HS256"], options={"verify_exp": False, "verify_iat": False})
