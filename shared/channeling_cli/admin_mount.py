"""The admin API beside the gateway in one server: under /admin."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from channeling.asgi import ASGIApp, Receive, Scope, Send
from channeling.auth.admin_token import mint_admin_token
from channeling.doors import Doors
from channeling.settings import Settings
from channeling_admin.admin_secret import open_admin_secret_file

ADMIN_PATH = "/admin"
ADMIN_SECRET_FILE = "admin.secret"  # noqa: S105 - the name of a file
LOCAL_OPERATOR = "local operator"


class WithAdmin:
    """An ASGI app that hands what is under /admin to one app, and all else, start and stop included, to another.

    The admin API is made when it is first asked for, on another thread: FastAPI takes 0.2 s and 20 MB, and a server
    whose page nobody opens needs neither.
    """

    def __init__(self, gateway: ASGIApp, make_admin: Callable[[], ASGIApp]) -> None:
        self._gateway = gateway
        self._make_admin = make_admin
        self._admin: asyncio.Future[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path == ADMIN_PATH:
            # What the page names beside itself is relative to a folder.
            headers = [(b"location", f"{ADMIN_PATH}/".encode()), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 308, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        elif scope["type"] == "http" and path.startswith(f"{ADMIN_PATH}/"):
            root_path = scope.get("root_path", "") + ADMIN_PATH
            if self._admin is None:
                self._admin = asyncio.ensure_future(asyncio.to_thread(self._make_admin))
            admin = await asyncio.shield(self._admin)  # a client that leaves must not take it from the others
            await admin({**scope, "root_path": root_path}, receive, send)
        else:
            await self._gateway(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Served:
    """The gateway and the admin API as one app, and how the operator of this machine gets in."""

    app: ASGIApp
    page_url: str
    admin_token: str

    @property
    def signed_in_url(self) -> str:
        """The address that opens the page signed in: what follows "#" goes to no server and into no referrer."""
        return f"{self.page_url}#token={self.admin_token}"


def with_admin(gateway: ASGIApp, settings: Settings, doors: Doors, folder: Path, base_url: str) -> Served:
    """Return a gateway of this machine and, over the same doors, the admin API; raise AdminSecretError."""
    secret = open_admin_secret_file(folder / ADMIN_SECRET_FILE, create=True)
    token = mint_admin_token(name=LOCAL_OPERATOR, secret=secret, now_s=doors.clock.now_ms() // 1_000)
    make_admin = partial(_make_admin, settings, doors, secret, base_url)
    return Served(WithAdmin(gateway, make_admin), f"{base_url}{ADMIN_PATH}/", token)


def _make_admin(settings: Settings, doors: Doors, secret: str, base_url: str) -> ASGIApp:
    from channeling.operations.stores import open_stores
    from channeling_admin.admin import Admin
    from channeling_admin.admin_secret import FixedSecret
    from channeling_admin.app import create_admin_app
    from channeling_admin.sign_in_rate import SignInRate

    return create_admin_app(
        Admin(
            stores=open_stores(doors.dynamodb, settings.tables, doors.cipher, doors.clock, doors.randomness),
            upstream=doors.upstream,
            base_urls=settings.base_urls,
            secret=FixedSecret(secret),
            sign_in_rate=SignInRate(doors.clock),
            clock=doors.clock,
            randomness=doors.randomness,
            messages_url=base_url,
        )
    )
