"""`channeling secret` rotates HMAC secrets: add, mint with the new one, remove the old one."""

import asyncio
import json

from channeling.auth.token import verify_token
from channeling_cli.secret_input import fingerprint
from tests.channeling_cli.conftest import OnThisMachine, Run


def test_a_rotation_from_end_to_end(run: Run, on_this_machine: OnThisMachine) -> None:
    (old,) = asyncio.run(on_this_machine.secrets()).hmac_secrets
    added = json.loads(run("secret", "add", "--json").out)
    new = added["hmac_secret"]
    assert asyncio.run(on_this_machine.secrets()).hmac_secrets == (old, new)
    minted = json.loads(run("token", "mint", "--user", "ana", "--budget", "1", "--json").out)
    issued_at_s = minted["expires_at_s"] - 3600
    assert verify_token(minted["token"], [new], now_s=issued_at_s).user_id == "ana"
    assert run("secret", "list").out.split() == [fingerprint(old), fingerprint(new)]
    third = run("secret", "add")
    assert third.code == 4
    assert "remove the old one first" in third.err
    removed = run("secret", "remove", fingerprint(old), "--yes")
    assert removed.code == 0
    assert asyncio.run(on_this_machine.secrets()).hmac_secrets == (new,)


def test_neither_list_nor_remove_gives_a_secret_away(run: Run, on_this_machine: OnThisMachine) -> None:
    (secret,) = asyncio.run(on_this_machine.secrets()).hmac_secrets
    for arguments in (("list",), ("list", "--json"), ("remove", fingerprint(secret), "--yes", "--json")):
        ended = run("secret", *arguments)
        assert ended.code == 0
        assert secret[8:] not in ended.out + ended.err


def test_a_fingerprint_nobody_has_is_named(run: Run, on_this_machine: OnThisMachine) -> None:
    ended = run("secret", "remove", "00000000", "--yes")
    assert ended.code == 3
    assert "'00000000'" in ended.err


def test_without_a_secret_no_token_is_minted(run: Run, on_this_machine: OnThisMachine) -> None:
    (secret,) = asyncio.run(on_this_machine.secrets()).hmac_secrets
    run("secret", "remove", fingerprint(secret), "--yes")
    ended = run("token", "mint", "--user", "ana", "--budget", "1")
    assert ended.code == 4
    assert "channeling secret add --project demo" in ended.err
