"""`channeling serve` has the admin API beside the gateway, and says how its operator gets in."""

import stat
import subprocess
from pathlib import Path

import httpx

from channeling_admin.admin_secret import open_admin_secret_file
from tests.stand_ins.served import CHANNELING, clean_environ, served


def ask(base_url: str, token: str) -> httpx.Response:
    return httpx.post(
        f"{base_url}/v1/messages",
        json={
            "model": "claude-sonnet-4-5",
            "max_tokens": 64,
            "messages": [{"role": "user", "content": "Hi"}],
        },
        headers={"x-api-key": token},
        trust_env=False,
        timeout=30,
    )


def test_the_operator_of_this_machine_works_on_what_the_gateway_serves(tmp_path: Path) -> None:
    with served(tmp_path, clean_environ()) as server:
        page_url, token = server.dashboard_url, server.admin_token
        assert page_url == f"{server.base_url}/admin/"
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=page_url, headers=headers, trust_env=False, timeout=30) as operator:
            session = operator.get("api/session").json()
            assert (session["role"], session["project_id"], session["base_url"]) == (
                "operator",
                None,
                server.base_url,
            )
            assert operator.get("openapi.json").json()["servers"] == [{"url": "/admin"}]
            assert "docs.css" in operator.get("docs").text
            assert operator.get(f"{server.base_url}/admin").headers["location"] == "/admin/"

            minted = operator.post(
                "api/projects/demo/tokens", json={"user_id": "ana", "budget_usd": "1"}
            ).json()
            assert ask(minted["base_url"], minted["token"]).status_code == 200
            [record] = operator.get("api/projects/demo/records").json()["records"]
            assert (record["user_id"], record["status"]) == ("ana", "ok")
            usage = operator.get("api/projects/demo/usage").json()
            assert usage["totals"]["cost_usd"] == record["cost_usd"] != "0"

            revoked = operator.post(
                "api/projects/demo/user/revoke", params={"user": "ana"}, json={"reason": "a test"}
            )
            assert revoked.status_code == 200
            assert ask(server.base_url, minted["token"]).status_code == 401

        secret_file = tmp_path / ".channeling" / "admin.secret"
        assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
        secret = open_admin_secret_file(secret_file)
        assert secret not in (tmp_path / "serve.err").read_text() + token
        # Neither kind of token opens the other door.
        assert (
            httpx.get(
                f"{page_url}api/session", headers={"authorization": f"Bearer {server.token}"}, trust_env=False
            ).status_code
            == 401
        )
        assert httpx.get(f"{server.base_url}/v1/budget", headers=headers, trust_env=False).status_code == 401


def test_an_admin_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ".channeling"
    folder.mkdir()
    (folder / "admin.secret").write_text("0" * 64)
    (folder / "admin.secret").chmod(0o644)
    ended = subprocess.run(
        [CHANNELING, "serve", "--port", "0", "--json"],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "chmod 600" in ended.stderr) == (4, True)
