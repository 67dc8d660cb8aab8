"""Every failure as an answer, in the same shape as the messages API's errors; nothing of a stack trace."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from channeling.budgets.operations import NoLiveWindow, OperationRefused
from channeling.dynamodb import TransactionRefused
from channeling.errors import GatewayError
from channeling.projects.errors import (
    KeyMissing,
    PriceMissing,
    ProjectError,
    ProjectExists,
    ProjectMissing,
    SecretMissing,
    SecretsBusy,
    TooManySecrets,
)
from channeling_admin.access import admin_of

_log = logging.getLogger(__name__)

_MISSING = (ProjectMissing, PriceMissing, SecretMissing, KeyMissing, NoLiveWindow)
_IN_CONFLICT = (ProjectExists, TooManySecrets, SecretsBusy)
_TYPES = {
    400: "invalid_request_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
}
_MAX_MESSAGE_CHARACTERS = 1_000


def add_failures(app: FastAPI) -> None:
    """Have an app answer all that operations raise."""
    handlers: dict[Any, Callable[..., Awaitable[JSONResponse]]] = {
        GatewayError: _gateway_error,
        ProjectError: _refusal,
        OperationRefused: _refusal,
        TransactionRefused: _busy,
        RequestValidationError: _invalid,
        HTTPException: _http_error,
        Exception: _defect,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def failure(
    request: Request,
    status: int,
    message: str,
    *,
    kind: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return an error answer."""
    request_id = f"req_{admin_of(request).randomness(12).hex()}"
    text = message[:_MAX_MESSAGE_CHARACTERS].encode("utf-8", "backslashreplace").decode()
    error = {"type": kind or _TYPES.get(status, "api_error"), "message": text}
    body = {"type": "error", "error": error, "request_id": request_id}
    return JSONResponse(body, status, {**(headers or {}), "request-id": request_id})


async def _gateway_error(request: Request, error: GatewayError) -> JSONResponse:
    headers = dict(error.headers)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return failure(request, error.status, error.message, kind=error.error_type, headers=headers)


async def _refusal(request: Request, error: ProjectError | OperationRefused) -> JSONResponse:
    status = 404 if isinstance(error, _MISSING) else 409 if isinstance(error, _IN_CONFLICT) else 400
    return failure(request, status, str(error))


async def _busy(request: Request, _: TransactionRefused) -> JSONResponse:
    return failure(request, 409, "others were changing the same thing; try again")


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    # Without the value: it may be a secret.
    problems = [
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
    ]
    return failure(request, 400, "; ".join(problems[:5]))


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    message = f"{request.method} {request.url.path[:200]}: {error.detail}; /docs lists what there is"
    return failure(request, error.status_code, message, headers=dict(error.headers or {}))


async def _defect(request: Request, error: Exception) -> JSONResponse:
    _log.error("an admin call failed: %s %s", request.method, request.url.path, exc_info=error)
    return failure(request, 500, "the admin API failed; its log says why")
