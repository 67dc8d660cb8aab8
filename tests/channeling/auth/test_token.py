"""A token passes exactly when an active secret signed it, it is valid now, and every claim is well formed."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jwt
import pytest

from channeling.auth.budget_claim import BudgetClaim
from channeling.auth.token import (
    TokenClaims,
    unknown_project_or_secret,
    unverified_project_id,
    verify_token,
)
from channeling.errors import AuthenticationFailed
from tests.channeling.auth import chucky_issuer as chucky
from tests.channeling.auth.token_parts import (
    HEADER,
    NOW_S,
    OTHER_SECRET,
    PROJECT_ID,
    SECRET,
    good_budget,
    good_claims,
    sign,
)

WINDOW_START_S = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
ISSUED_S = 1_790_000_000


def verify(token: str, *secrets: str, now_s: float = NOW_S) -> TokenClaims:
    return verify_token(token, secrets or (SECRET,), now_s=now_s)


def refusal(token: str, *secrets: str, now_s: float = NOW_S) -> str:
    with pytest.raises(AuthenticationFailed) as refused:
        verify(token, *secrets, now_s=now_s)
    return refused.value.message


def test_a_good_token_in_full() -> None:
    assert verify(sign(good_claims(models=["claude-*", "gpt-5"]))) == TokenClaims(
        user_id="user-123",
        project_id=PROJECT_ID,
        issued_at_ms=ISSUED_S * 1_000,
        expires_at_s=ISSUED_S + 3_600,
        budget=BudgetClaim(5_000_000_000, "day", WINDOW_START_S),
        models=("claude-*", "gpt-5"),
    )


@pytest.mark.parametrize(
    ("window_start", "start_s"),
    [
        pytest.param(datetime(2026, 9, 1), WINDOW_START_S, id="naive"),
        pytest.param(datetime(2026, 9, 1, microsecond=123_456), WINDOW_START_S, id="naive with fraction"),
        pytest.param(datetime(2026, 9, 1, tzinfo=UTC), WINDOW_START_S, id="aware"),
        pytest.param(
            datetime(2026, 9, 1, microsecond=1, tzinfo=UTC), WINDOW_START_S, id="aware with fraction"
        ),
        pytest.param(
            datetime(2026, 9, 1, tzinfo=timezone(timedelta(hours=-5))),
            WINDOW_START_S + 5 * 3_600,
            id="New York",
        ),
    ],
)
def test_chucky_tokens_pass(window_start: datetime, start_s: int) -> None:
    budget = chucky.create_budget(ai_dollars=5, compute_hours=1, window="week", window_start=window_start)
    token = chucky.create_token("user-123", PROJECT_ID, SECRET, budget)
    now_s = float(chucky.decode_token(token)["payload"]["iat"])
    assert unverified_project_id(token) == PROJECT_ID
    claims = verify(token, now_s=now_s)
    assert claims.budget == BudgetClaim(5_000_000_000, "week", start_s)
    assert (claims.user_id, claims.issued_at_ms) == ("user-123", int(now_s) * 1_000)
    assert claims.expires_at_s == int(now_s) + 3_600


# chucky-sdk 0.2.0 calls datetime.utcnow(), deprecated from Python 3.12 on.
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_chucky_default_window_start_is_now() -> None:
    token = chucky.create_token("u", PROJECT_ID, SECRET, chucky.create_budget(1, 0))
    issued_s = chucky.decode_token(token)["payload"]["iat"]
    assert abs(verify(token, now_s=issued_s).budget.window_start_s - issued_s) <= 1


def test_pyjwt_tokens_pass() -> None:
    assert verify(jwt.encode(good_claims(), SECRET, "HS256")).user_id == "user-123"


def test_either_of_two_active_secrets_is_enough() -> None:
    for secret in (SECRET, OTHER_SECRET):
        assert verify(sign(good_claims(), secret=secret), SECRET, OTHER_SECRET).user_id == "user-123"
    assert "not signed" in refusal(sign(good_claims()), OTHER_SECRET)


def test_wrong_secret_and_unknown_project_read_the_same() -> None:
    expected = unknown_project_or_secret().message
    forged = sign(good_claims(), secret=OTHER_SECRET)
    assert refusal(forged) == expected
    with pytest.raises(AuthenticationFailed) as refused:
        verify_token(forged, [], now_s=NOW_S)
    assert refused.value.message == expected
    assert refusal(sign(good_claims(iss="other_project"), secret=OTHER_SECRET)) == expected
    assert refusal(sign(good_claims(), secret=""), "") == expected, "an empty secret is none"


def test_no_claim_is_looked_at_before_the_signature() -> None:
    spoiled = good_claims(sub=None, exp=1, budget=[])
    assert refusal(sign(spoiled, secret=OTHER_SECRET)) == unknown_project_or_secret().message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"exp": ISSUED_S}, "expired", id="expired"),
        pytest.param({"exp": ISSUED_S + 0.9}, "expired", id="expired within this second"),
        pytest.param({"exp": None}, "exp must be", id="no exp"),
        pytest.param({"exp": str(ISSUED_S + 60)}, "exp must be", id="exp a text"),
        pytest.param({"exp": True}, "exp must be", id="exp a boolean"),
        pytest.param({"exp": (ISSUED_S + 3_600) * 1_000}, "seconds since 1970", id="exp in milliseconds"),
        pytest.param({"exp": 10**400}, "exp must be", id="exp huge"),
        pytest.param({"iat": None}, "iat must be", id="no iat"),
        pytest.param({"iat": -1}, "iat must be", id="iat negative"),
        pytest.param({"iat": [ISSUED_S]}, "iat must be", id="iat a list"),
        pytest.param({"iat": ISSUED_S + 61}, "in the future", id="iat 61 s ahead"),
        pytest.param({"nbf": ISSUED_S + 61}, "not valid yet", id="nbf ahead"),
        pytest.param({"nbf": "soon"}, "nbf must be", id="nbf a text"),
        pytest.param({"aud": "another-service"}, "audience", id="meant for another"),
        pytest.param({"sub": None}, "sub must be", id="no sub"),
        pytest.param({"sub": ""}, "sub must be", id="sub empty"),
        pytest.param({"sub": 123}, "sub must be", id="sub a number"),
        pytest.param({"sub": "u" * 257}, "sub must be", id="sub of 257 characters"),
        pytest.param({"sub": "\ud800"}, "sub must be", id="sub a lone surrogate"),
        pytest.param({"sub": "a\nb"}, "sub must be", id="sub with a line end"),
        pytest.param({"sub": "a\x9bb"}, "sub must be", id="sub with a terminal escape"),
        pytest.param({"iss": None}, "iss must be", id="no iss"),
        pytest.param({"iss": "a#b"}, "iss must be", id="iss with a separator"),
        pytest.param({"iss": "p" * 65}, "iss must be", id="iss too long"),
        pytest.param({"iss": "proj\n"}, "iss must be", id="iss with a line end"),
        pytest.param({"iss": "pröj"}, "iss must be", id="iss not ASCII"),
        pytest.param({"iss": ["proj_1"]}, "iss must be", id="iss a list"),
        pytest.param({"budget": None}, "no budget", id="no budget"),
        pytest.param({"budget": good_budget(ai=-1)}, "budget.ai", id="negative budget"),
        pytest.param({"budget": good_budget(ai=10**12 + 1)}, "budget.ai", id="huge budget"),
        pytest.param({"budget": good_budget(ai=1.5)}, "budget.ai", id="budget not whole"),
        pytest.param({"budget": good_budget(ai=True)}, "budget.ai", id="budget a boolean"),
        pytest.param({"budget": good_budget(window="year")}, "budget.window", id="unknown window"),
        pytest.param(
            {"budget": good_budget(windowStart="today")}, "budget.windowStart", id="malformed start"
        ),
        pytest.param({"models": "claude-*"}, "models must be", id="models a text"),
        pytest.param({"models": [""]}, "models must be", id="models with an empty name"),
        pytest.param({"models": [5]}, "models must be", id="models with a number"),
        pytest.param({"models": ["claude-*-4"]}, "models must be", id="models with a star inside"),
        pytest.param({"models": ["m" * 257]}, "models must be", id="models with a long name"),
        pytest.param({"models": ["m"] * 257}, "models must be", id="too many models"),
    ],
)
def test_refuses_the_claim(changes: dict[str, Any], says: str) -> None:
    removed = {name for name, value in changes.items() if value is None}
    claims = {name: value for name, value in {**good_claims(), **changes}.items() if name not in removed}
    assert says in refusal(sign(claims))


def test_null_models_is_not_any_model() -> None:
    assert "models must be" in refusal(sign({**good_claims(), "models": None}))


def test_expiry_and_issue_time_to_the_second() -> None:
    token = sign(good_claims(iat=1_000, exp=2_000))
    assert verify(token, now_s=1_999.999).expires_at_s == 2_000
    assert "expired" in refusal(token, now_s=2_000.0)
    assert verify(token, now_s=940.0).issued_at_ms == 1_000_000, "60 s ahead"
    assert "in the future" in refusal(token, now_s=939.9)


def test_fractions_of_a_second_in_iat() -> None:
    assert verify(sign(good_claims(iat=1_789_999_999.25))).issued_at_ms == 1_789_999_999_250


@pytest.mark.parametrize("user_id", ["#", "a b", "käthe@example.com", "用" * 256, "🎈" * 256, "acme|ann#1"])
def test_user_ids_that_pass(user_id: str) -> None:
    assert verify(sign(good_claims(sub=user_id))).user_id == user_id


def test_the_project_ceiling_counts() -> None:
    token = sign(good_claims())
    assert verify_token(token, [SECRET], now_s=NOW_S, max_ai_microusd=5_000_000).user_id == "user-123"
    with pytest.raises(AuthenticationFailed, match="this project allows"):
        verify_token(token, [SECRET], now_s=NOW_S, max_ai_microusd=4_999_999)


@pytest.mark.parametrize(
    ("models", "model", "allowed"),
    [
        (None, "anything", True),
        ([], "anything", False),
        (["claude-*"], "claude-opus-4-5-20251101", True),
        (["claude-*"], "or:claude-like", False),
        (["gpt-5"], "gpt-5", True),
        (["gpt-5"], "gpt-5.2", False),
        (["gpt-5"], "GPT-5", False),
        (["*"], "or:a/b", True),
        (["or:mistralai/*", "o4-mini"], "o4-mini", True),
        (["or:mistralai/*"], "or:mistralai/devstral-2512:free", True),
        (["a.c"], "abc", False),
    ],
)
def test_allow_list(models: list[str] | None, model: str, allowed: bool) -> None:
    assert verify(sign(good_claims(models=models))).allows(model) is allowed


@pytest.mark.parametrize("project_id", ["p", "A-Z_09", "p" * 64])
def test_project_ids_are_read_before_anything_is_verified(project_id: str) -> None:
    assert unverified_project_id(sign(good_claims(iss=project_id), secret="any")) == project_id


@pytest.mark.parametrize("project_id", [None, "", "a#b", "a/b", "p" * 65, 5, {"a": 1}])
def test_impossible_project_ids_are_refused_before_a_look_up(project_id: Any) -> None:
    with pytest.raises(AuthenticationFailed, match="iss must be"):
        unverified_project_id(sign(good_claims(iss=project_id)))


def test_a_wrong_algorithm_is_refused_before_a_look_up() -> None:
    with pytest.raises(AuthenticationFailed, match="HS256"):
        unverified_project_id(sign(good_claims(), header={**HEADER, "alg": "none"}))
