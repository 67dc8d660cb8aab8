"""Providers are told who calls and in which session by hashes that stay the same, and by nothing else."""

import json

import pytest

from channeling.providers.caller_identity import CallerIdentity, identity_of


def identity(user_id: str) -> tuple[str, str]:
    """Return the hashes for a `metadata.user_id`."""
    caller = identity_of({"metadata": {"user_id": user_id}})
    assert caller.person is not None
    assert caller.session is not None
    return caller.person, caller.session


def claude_code(session: str, account: str = "account") -> str:
    """Return a user id as Claude Code has it."""
    return json.dumps({"device_id": "d" * 64, "account_uuid": account, "session_id": session})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (claude_code("1"), claude_code("2")),
        ("user_abc_account_def_session_1", "user_abc_account_def_session_2"),
    ],
)
def test_another_session_of_the_same_person(one: str, other: str) -> None:
    """The person stays the same, and the session is another."""
    assert identity(one) == identity(one)
    assert identity(one)[0] == identity(other)[0]
    assert identity(one)[1] != identity(other)[1]


def test_a_session_that_is_named_outside() -> None:
    """It comes before the one in the user id, and needs no user id."""
    both = identity_of({"metadata": {"user_id": claude_code("1")}}, "2")
    assert both.person == identity(claude_code("1"))[0]
    assert both.session == identity(claude_code("2"))[1]
    assert identity_of({}, "2") == CallerIdentity(None, both.session)


def test_another_person() -> None:
    """Two people are two, though their device is one."""
    assert identity(claude_code("1", "a"))[0] != identity(claude_code("1", "b"))[0]


@pytest.mark.parametrize(
    "user_id", ["alice@example.com", "[]", "null", "{}", "_session_", "x" * 100_000, '{"session_id":{}}', "{"]
)
def test_any_string_will_do(user_id: str) -> None:
    """Both are within 64 characters, and tell nothing of the string."""
    for told in identity(user_id):
        assert len(told) == 64
        assert user_id not in told


@pytest.mark.parametrize(
    "document", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"user_id": None}}]
)
def test_nothing_to_tell(document: dict[str, object]) -> None:
    """Without a user id nothing is made up."""
    assert identity_of(document) == CallerIdentity()
