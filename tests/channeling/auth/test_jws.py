"""The signature layer takes exactly HS256 in canonical form, agrees with PyJWT, and survives hostile parts."""

import hashlib
import json
import subprocess
import sys

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from channeling.auth.jws import decode_unverified, encode_signed
from channeling.errors import AuthenticationFailed
from tests.channeling.auth.token_parts import HEADER, OTHER_SECRET, SECRET, base64url, good_claims, sign

GOOD = base64url(good_claims())
PLAIN_BASE64 = "eyJhIjogIn5+fj8/PyJ9"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def test_own_tokens_are_what_pyjwt_reads_and_the_other_way_round() -> None:
    claims = good_claims(sub="käthe 🎈")
    assert (
        jwt.decode(
            encode_signed(claims, SECRET),
            SECRET,
            ["HS256"],
            options={"verify_iat": False, "verify_exp": False},
        )
        == claims
    )
    theirs = decode_unverified(jwt.encode(claims, SECRET, "HS256"))
    assert theirs.claims == claims
    assert theirs.is_signed_with(SECRET)
    assert not theirs.is_signed_with(OTHER_SECRET)


def test_an_empty_secret_signs_nothing() -> None:
    assert not decode_unverified(sign(good_claims(), secret="")).is_signed_with("")


def test_every_changed_character_spoils_the_token() -> None:
    token = sign(good_claims())
    for at, character in enumerate(token):
        spoiled = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        try:
            assert not decode_unverified(spoiled).is_signed_with(SECRET), f"character {at} does not count"
        except AuthenticationFailed:
            continue


@pytest.mark.parametrize(
    ("token", "says"),
    [
        pytest.param(f"{base64url({'alg': 'none'})}.{GOOD}.", "HS256", id="alg none, no signature"),
        pytest.param(
            sign(good_claims(), header={"alg": "none"}), "HS256", id="alg none, signed all the same"
        ),
        pytest.param(
            sign(good_claims(), header={"alg": "RS256"}), "HS256", id="RS256 named, signed with HMAC"
        ),
        pytest.param(jwt.encode(good_claims(), RSA_KEY, "RS256"), "HS256", id="RS256 in earnest"),
        pytest.param(
            sign(good_claims(), header={"alg": "HS512"}, digest=hashlib.sha512), "HS256", id="HS512"
        ),
        pytest.param(sign(good_claims(), header={"alg": "hs256"}), "HS256", id="alg in lower case"),
        pytest.param(sign(good_claims(), header={"alg": ["HS256"]}), "HS256", id="alg a list"),
        pytest.param(sign(good_claims(), header={"typ": "JWT"}), "HS256", id="no alg"),
        pytest.param(sign(good_claims(), header='{"alg":"HS256","alg":"none"}'), "malformed", id="two algs"),
        pytest.param(
            sign(good_claims(), header={**HEADER, "crit": ["exp"]}), "crit", id="critical extension"
        ),
        pytest.param(sign(good_claims(), header="[]"), "header", id="header not an object"),
        pytest.param(sign([good_claims()]), "payload", id="payload not an object"),
        pytest.param(sign("5"), "payload", id="payload a number"),
        pytest.param(sign(b"\xff\xfe"), "payload", id="payload not UTF-8"),
        pytest.param(sign("{"), "payload", id="payload cut off"),
        pytest.param(sign(""), "payload", id="payload empty"),
        pytest.param(sign('{"iss":"a","iss":"b"}'), "payload", id="a claim twice"),
        pytest.param(sign('{"iss":NaN}'), "payload", id="NaN"),
        pytest.param(sign('{"a":' + "[" * 5_000 + "]" * 900 + "}"), "payload", id="deep nesting"),
        pytest.param(sign('{"a":' + "9" * 5_000 + "}"), "payload", id="a number of 5,000 digits"),
        pytest.param(f"{base64url(HEADER)}.{GOOD}=.c", "payload", id="padded"),
        pytest.param(f"{base64url(HEADER)}.{GOOD}\n.c", "payload", id="white space inside"),
        pytest.param(f"{base64url(HEADER)}.{GOOD}\n\n\n\n.c", "payload", id="characters that decoders skip"),
        pytest.param(f"{base64url(HEADER)}.{PLAIN_BASE64}.c", "payload", id="the other base64 alphabet"),
        pytest.param(f"{base64url(HEADER)}.AAAAA.c", "payload", id="impossible length"),
        pytest.param("a.b", "three dot-separated parts", id="two parts"),
        pytest.param("a.b.c.d", "three dot-separated parts", id="four parts"),
        pytest.param("", "three dot-separated parts", id="empty"),
        pytest.param("ä.b.c", "characters", id="not ASCII"),
        pytest.param("\ud800.b.c", "characters", id="lone surrogate"),
        pytest.param(sign(good_claims(sub="u" * 10_240)), "8 KB", id="10 KB"),
    ],
)
def test_refuses_the_shape(token: str, says: str) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        decode_unverified(token)
    assert says in refused.value.message


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys, json, channeling.auth.credential, channeling.auth.mint, channeling.auth.token, "
        "channeling.routing.route; print(json.dumps(sorted(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    heavy = {"cryptography", "jwt", "pydantic", "fastapi", "boto3", "botocore", "httpx", "typer", "rich"}
    assert not heavy & set(json.loads(ran.stdout))
