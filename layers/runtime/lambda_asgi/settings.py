"""What environment variables say: Lambda's own and this runtime's."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import cast

from lambda_asgi.asgi import ASGIApp
from lambda_asgi.payload import Front
from lambda_asgi.snapshot import Hook


class BadConfiguration(Exception):
    """The function's handler or an environment variable cannot be used; the message names it."""


class ResponseMode(Enum):
    """How a front that takes both is answered."""

    STREAM = "stream"
    BUFFERED = "buffered"

    def streams(self, front: Front) -> bool:
        """Return whether an answer to this front leaves as it is made: function URLs and REST APIs take that."""
        return self is ResponseMode.STREAM and front in (Front.FUNCTION_URL, Front.REST_API)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings table of the README."""

    handler: str
    response_mode: ResponseMode
    concurrency: int
    deadline_margin_ms: int
    shutdown_grace_ms: int
    is_snapstart: bool

    @property
    def is_concurrent(self) -> bool:
        """Whether invocations share this process."""
        return self.concurrency > 1


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise BadConfiguration.

    Lambda's variables are those of the AWS Lambda Developer Guide, "Defined runtime environment variables", and
    "Using the Lambda runtime API for custom runtimes" (AWS_LAMBDA_MAX_CONCURRENCY).
    """
    mode = environ.get("LAMBDA_ASGI_RESPONSE", "") or "stream"
    if mode not in {each.value for each in ResponseMode}:
        raise BadConfiguration(f"LAMBDA_ASGI_RESPONSE is {mode[:40]!r}: it must be stream or buffered")
    return Settings(
        handler=environ.get("_HANDLER", ""),
        response_mode=ResponseMode(mode),
        concurrency=whole_number(environ, "AWS_LAMBDA_MAX_CONCURRENCY", default=1, minimum=1),
        deadline_margin_ms=whole_number(environ, "LAMBDA_ASGI_DEADLINE_MARGIN_MS", default=2_000),
        # Lambda kills a function 2 s after SIGTERM, which it sends where an extension is registered ("Understanding
        # the Lambda execution environment lifecycle", shutdown phase).
        shutdown_grace_ms=whole_number(environ, "LAMBDA_ASGI_SHUTDOWN_GRACE_MS", default=1_500),
        is_snapstart=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
    )


def load_handler(handler: str) -> tuple[ASGIApp, Hook | None]:
    """Return the app that `_HANDLER` names ("module.attribute", folders with slashes) and the `after_restore` of
    its module, if there is one; raise BadConfiguration, or whatever importing the module raises."""
    module_name, dot, attribute = handler.rpartition(".")
    if not dot or not module_name or not attribute:
        raise BadConfiguration(f"the handler {handler!r} is not of the form module.attribute")
    module = importlib.import_module(module_name.replace("/", "."))
    app = getattr(module, attribute, None)
    if not callable(app):
        raise BadConfiguration(
            f"the handler {handler!r} names no ASGI app: {module_name} has no such callable"
        )
    return cast(ASGIApp, app), getattr(module, "after_restore", None)


def whole_number(environ: Mapping[str, str], name: str, *, default: int, minimum: int = 0) -> int:
    """Return an environment variable as a whole number; raise BadConfiguration, which names it."""
    text = environ.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < minimum:
        raise BadConfiguration(f"{name} is {text[:40]!r}: it must be a whole number, at least {minimum}")
    return int(text)
