"""Minted tokens are the ones that verification accepts, in chucky-sdk's shape; anything else is refused."""

import secrets
from datetime import datetime
from typing import Any

import jwt
import pytest

from channeling.auth.budget_claim import BudgetClaim
from channeling.auth.mint import mint_token, new_hmac_secret
from channeling.auth.token import verify_token
from tests.channeling.auth import chucky_issuer as chucky
from tests.channeling.auth.token_parts import NOW_S, PROJECT_ID, SECRET

GOOD: dict[str, Any] = {
    "user_id": "user-123",
    "project_id": PROJECT_ID,
    "secret": SECRET,
    "limit_microusd": 5_000_000,
    "window": "day",
    "window_start_s": 1_788_220_800,  # 2026-09-01T00:00:00Z
    "now_s": NOW_S,
}


def test_a_minted_token_verifies() -> None:
    claims = verify_token(mint_token(**GOOD), [SECRET], now_s=NOW_S)
    assert (claims.user_id, claims.project_id, claims.models) == ("user-123", PROJECT_ID, None)
    assert claims.budget == BudgetClaim(5_000_000_000, "day", 1_788_220_800)
    assert (claims.issued_at_ms, claims.expires_at_s) == (1_790_000_000_000, 1_790_003_600)


def test_the_shape_is_chuckys() -> None:
    budget = chucky.create_budget(5, 0, "day", datetime(2026, 9, 1))
    theirs = chucky.decode_token(chucky.create_token("user-123", PROJECT_ID, SECRET, budget))
    ours = chucky.decode_token(mint_token(**GOOD))
    times = {"iat": 0, "exp": 0}
    assert ours["header"] == theirs["header"]
    assert {**ours["payload"], **times} == {**theirs["payload"], **times}
    assert chucky.verify_token(mint_token(**GOOD), SECRET)


def test_models_and_lifetime() -> None:
    token = mint_token(**GOOD, models=["claude-*", "gpt-5"], lifetime_s=1)
    claims = verify_token(token, [SECRET], now_s=NOW_S)
    assert claims.models == ("claude-*", "gpt-5")
    assert claims.expires_at_s == 1_790_000_001
    options = {"verify_exp": False, "verify_iat": False}
    assert "models" not in jwt.decode(mint_token(**GOOD), SECRET, ["HS256"], options=options)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user_id": ""}, "sub"),
        ({"user_id": "\ud800"}, "sub"),
        ({"project_id": "a#b"}, "iss"),
        ({"secret": ""}, "secret is empty"),
        ({"limit_microusd": -1}, "budget.ai"),
        ({"limit_microusd": 10**12 + 1}, "budget.ai"),
        ({"limit_microusd": 1.5}, "budget.ai"),
        ({"limit_microusd": True}, "budget.ai"),
        ({"window": "year"}, "budget.window"),
        ({"window_start_s": -1}, "window's start"),
        ({"window_start_s": 10**18}, "window's start"),
        ({"lifetime_s": 0}, "lifetime"),
        ({"lifetime_s": 10**15}, "exp"),
        ({"models": [""]}, "models"),
        ({"models": ["m" * 256] * 100}, "8 KB"),
    ],
)
def test_refuses_to_mint(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace(".", r"\.")) as refused:
        mint_token(**{**GOOD, **changes})
    assert SECRET not in str(refused.value)


def test_new_secrets() -> None:
    assert new_hmac_secret(lambda size: bytes(range(size))) == "hk_live_000102030405060708090a0b0c0d0e0f"
    assert new_hmac_secret(secrets.token_bytes) != new_hmac_secret(secrets.token_bytes)


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        new_hmac_secret(lambda size: b"short")
