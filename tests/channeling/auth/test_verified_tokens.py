"""A token that was found good is taken again only while `verify_token` would still take it, and says the same."""

import pytest

from channeling.auth.token import TokenClaims, verify_token
from channeling.auth.verified_tokens import VerifiedTokens
from tests.channeling.auth.token_parts import (
    NOW_S,
    OTHER_SECRET,
    PROJECT_ID,
    SECRET,
    good_claims,
    sign,
)

TOKEN = sign(good_claims())
SECRETS = (SECRET, OTHER_SECRET)
CEILING = 5_000_000


def verified(token: str = TOKEN) -> TokenClaims:
    return verify_token(token, SECRETS, now_s=NOW_S, max_ai_microusd=CEILING)


def remembering(*tokens: str, most: int = 10) -> VerifiedTokens:
    known = VerifiedTokens(most=most)
    for token in tokens:
        known.add(token, verified(token), SECRETS, now_s=NOW_S, max_ai_microusd=CEILING)
    return known


def test_a_token_says_again_what_it_said() -> None:
    known = remembering(TOKEN)
    assert known.project_of(TOKEN) == PROJECT_ID
    last_s = verified().expires_at_s - 0.001
    for now_s in (NOW_S, NOW_S + 1, last_s):
        assert known.claims(TOKEN, SECRETS, now_s=now_s, max_ai_microusd=CEILING) == verified()


@pytest.mark.parametrize(
    ("secrets", "now_s", "ceiling"),
    [
        pytest.param(SECRETS, verified().expires_at_s, CEILING, id="it has expired"),
        pytest.param(SECRETS, NOW_S - 1, CEILING, id="the clock was set back, maybe before iat"),
        pytest.param((OTHER_SECRET,), NOW_S, CEILING, id="its secret was taken back"),
        pytest.param((OTHER_SECRET, SECRET), NOW_S, CEILING, id="the secrets changed"),
        pytest.param((), NOW_S, CEILING, id="no secret is left"),
        pytest.param(SECRETS, NOW_S, CEILING - 1, id="the ceiling was lowered"),
        pytest.param(SECRETS, NOW_S, None, id="the ceiling was lifted"),
    ],
)
def test_it_is_verified_anew_once_anything_has_changed(
    secrets: tuple[str, ...], now_s: float, ceiling: int | None
) -> None:
    assert remembering(TOKEN).claims(TOKEN, secrets, now_s=now_s, max_ai_microusd=ceiling) is None


def test_another_signature_is_another_token() -> None:
    known = remembering(TOKEN)
    head, payload, signature = TOKEN.split(".")
    for forged in (f"{head}.{payload}.", f"{head}.{payload}.{signature[::-1]}", TOKEN + "=", TOKEN[:-1]):
        assert known.project_of(forged) is None
        assert known.claims(forged, SECRETS, now_s=NOW_S, max_ai_microusd=CEILING) is None


def test_the_tokens_used_last_are_kept_and_long_ones_are_not() -> None:
    one, other, third = (sign(good_claims(sub=name)) for name in ("one", "other", "third"))
    known = remembering(one, other, most=2)
    known.claims(one, SECRETS, now_s=NOW_S, max_ai_microusd=CEILING)
    known.add(third, verified(third), SECRETS, now_s=NOW_S, max_ai_microusd=CEILING)
    assert [known.project_of(token) for token in (one, other, third)] == [PROJECT_ID, None, PROJECT_ID]
    long = sign(good_claims(models=["m" * 200] * 12))
    assert remembering(long).project_of(long) is None
