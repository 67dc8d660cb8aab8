"""The one token of a request is found in either header, and every other case is refused helpfully."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.auth.credential import credential_from_headers
from channeling.errors import AuthenticationFailed

TOKEN = b"aaa.bbb.ccc"
ANTHROPIC_KEY = b"sk-ant-api03-secret"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"x-api-key", TOKEN)], id="x-api-key"),
        pytest.param([(b"X-Api-Key", b" " + TOKEN + b"\t")], id="any case, white space around"),
        pytest.param([(b"authorization", b"Bearer " + TOKEN)], id="bearer"),
        pytest.param([(b"Authorization", b"bEARER   " + TOKEN)], id="bearer in any case"),
        pytest.param([(b"x-api-key", TOKEN), (b"authorization", b"Bearer " + TOKEN)], id="same in both"),
        pytest.param([(b"x-api-key", TOKEN), (b"x-api-key", TOKEN)], id="same header twice"),
        pytest.param(
            [(b"x-api-key", ANTHROPIC_KEY), (b"authorization", b"Bearer " + TOKEN)], id="key beside bearer"
        ),
        pytest.param(
            [(b"x-api-key", TOKEN), (b"authorization", b"Bearer " + ANTHROPIC_KEY)], id="token beside key"
        ),
        pytest.param([(b"x-api-key", TOKEN), (b"x-api-key", ANTHROPIC_KEY)], id="key in a repeated header"),
        pytest.param([(b"x-api-key", b""), (b"authorization", b"Bearer " + TOKEN)], id="empty header beside"),
        pytest.param([(b"x-api-key", TOKEN), (b"authorization", b"Basic a.b.c")], id="other scheme beside"),
        pytest.param(
            [(b"x-api-key", b"k" * 20_000), (b"authorization", b"Bearer " + TOKEN)], id="huge key beside"
        ),
        pytest.param([(b"cookie", b"a.b.c"), (b"x-api-key", TOKEN)], id="other headers are not looked at"),
    ],
)
def test_finds_the_token(headers: list[tuple[bytes, bytes]]) -> None:
    assert credential_from_headers(headers) == "aaa.bbb.ccc"


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        pytest.param([], "carries no token", id="nothing"),
        pytest.param([(b"cookie", b"a.b.c")], "carries no token", id="only other headers"),
        pytest.param([(b"authorization", TOKEN)], "Authorization: Bearer", id="bearer left out"),
        pytest.param([(b"authorization", b"Basic dXNlcjpwYXNz")], "carries no token", id="basic"),
        pytest.param([(b"authorization", b"Bearer ")], "carries no token", id="empty bearer"),
        pytest.param([(b"x-api-key", b"hello")], "not a token", id="word"),
        pytest.param([(b"x-api-key", b"a.b")], "three parts", id="two parts"),
        pytest.param([(b"x-api-key", b"a.b.c.d.e")], "three parts", id="five parts (encrypted token)"),
        pytest.param([(b"x-api-key", TOKEN + b", " + TOKEN)], "three parts", id="joined by a proxy"),
        pytest.param(
            [(b"x-api-key", ANTHROPIC_KEY)], "Anthropic API key; your Channeling token goes here", id="sk-ant"
        ),
        pytest.param(
            [(b"authorization", b"Bearer sk-or-v1-secret")], "provider's API key", id="another provider's"
        ),
        pytest.param([(b"x-api-key", b"hk_live_secret")], "keep it on your server", id="HMAC secret"),
        pytest.param([(b"x-api-key", TOKEN), (b"authorization", b"Bearer a.b.x")], "two different", id="two"),
        pytest.param(
            [(b"x-api-key", TOKEN), (b"x-api-key", b"a.b.x")], "two different", id="two in one header"
        ),
        pytest.param([(b"x-api-key", b"a.b." + b"c" * 10_240)], "larger than 8 KB", id="10 KB token"),
        pytest.param([(b"x-api-key", b"a.b.\xff")], "malformed", id="not ASCII"),
    ],
)
def test_refuses_and_says_why(headers: list[tuple[bytes, bytes]], says: str) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        credential_from_headers(headers)
    assert says in refused.value.message
    assert "secret" not in refused.value.message.replace("HMAC secret", ""), "a value sent is never repeated"
    assert refused.value.headers == {"x-should-retry": "false"}


def test_size_cap_is_exact() -> None:
    longest = b"a.b." + b"c" * (8_192 - 4)
    assert credential_from_headers([(b"x-api-key", longest)]) == longest.decode()
    with pytest.raises(AuthenticationFailed, match="8 KB"):
        credential_from_headers([(b"x-api-key", longest + b"c")])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from([b"x-api-key", b"authorization", b"AUTHORIZATION"]), st.binary())))
def test_any_bytes_give_a_token_or_a_refusal(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        token = credential_from_headers(headers)
    except AuthenticationFailed:
        return
    assert token.count(".") == 2
