"""Who calls, and what they may do: a bearer token on every call, nothing from cookies, nothing from the URL."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from channeling.auth.admin_token import verify_admin_token
from channeling.errors import AuthenticationFailed, PermissionDenied, RateLimited
from channeling.operations.operator import Operator
from channeling_admin.admin import Admin

_bearer = HTTPBearer(auto_error=False, description="An admin token of this deployment.")


@dataclass(frozen=True, slots=True)
class Session:
    """A verified caller, until their token expires (seconds since the epoch)."""

    operator: Operator
    expires_at_s: int


def admin_of(request: Request) -> Admin:
    """Return what this process works with."""
    admin: Admin = request.app.state.admin
    return admin


async def session_of(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    admin: Annotated[Admin, Depends(admin_of)],
) -> Session:
    """Return who calls; raise AuthenticationFailed, RateLimited (too many wrong tokens) or StoreUnavailable."""
    secret = await admin.secret.read()
    address = request.client.host if request.client is not None else ""
    if not admin.sign_in_rate.take(address):
        raise RateLimited("Too many wrong admin tokens from your address; wait a moment", retry_after_s=2)
    if credentials is None:
        raise AuthenticationFailed("Send an admin token: Authorization: Bearer TOKEN.")
    claims = verify_admin_token(credentials.credentials, [secret], now_s=admin.clock.now_ms() / 1_000)
    admin.sign_in_rate.give_back(address)
    return Session(Operator(claims.name, "api", claims.role, claims.project_id), claims.expires_at_s)


async def viewer(session: Annotated[Session, Depends(session_of)]) -> Operator:
    """Return a caller who may look."""
    return session.operator


async def project_viewer(
    project: Annotated[str, Path(max_length=64)], who: Annotated[Operator, Depends(viewer)]
) -> Operator:
    """Return a caller who may look at this project; raise PermissionDenied."""
    if who.project_id not in (None, project):
        raise PermissionDenied("This admin token is for another project.")
    return who


async def project_operator(who: Annotated[Operator, Depends(project_viewer)]) -> Operator:
    """Return a caller who may change this project; raise PermissionDenied."""
    return _changing(who)


async def project_owner(who: Annotated[Operator, Depends(project_operator)]) -> Operator:
    """Return a caller who may make and remove projects, and say where their keys go; raise PermissionDenied."""
    return _everywhere(who)


async def global_viewer(who: Annotated[Operator, Depends(viewer)]) -> Operator:
    """Return a caller who may look at what concerns all projects; raise PermissionDenied."""
    return _everywhere(who)


async def global_operator(who: Annotated[Operator, Depends(viewer)]) -> Operator:
    """Return a caller who may change what concerns all projects; raise PermissionDenied."""
    return _everywhere(_changing(who))


def _changing(who: Operator) -> Operator:
    if who.role != "operator":
        raise PermissionDenied("This admin token may look, and change nothing (role viewer).")
    return who


def _everywhere(who: Operator) -> Operator:
    if who.project_id is not None:
        raise PermissionDenied("This admin token is for one project; this concerns the whole deployment.")
    return who


TheAdmin = Annotated[Admin, Depends(admin_of)]
Viewer = Annotated[Operator, Depends(viewer)]
ProjectViewer = Annotated[Operator, Depends(project_viewer)]
ProjectOperator = Annotated[Operator, Depends(project_operator)]
ProjectOwner = Annotated[Operator, Depends(project_owner)]
GlobalViewer = Annotated[Operator, Depends(global_viewer)]
GlobalOperator = Annotated[Operator, Depends(global_operator)]
ProjectId = Annotated[str, Path(max_length=64, description="The project's id.")]
