"""The admin API as an ASGI app: routes, failures, and headers that keep a page to itself.

GET /docs and /openapi.json say what there is; nothing that is served here loads anything from elsewhere.
"""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from channeling_admin.admin import Admin
from channeling_admin.dashboard.page import add_dashboard
from channeling_admin.docs_page import DOCS_STYLE, docs_page
from channeling_admin.failures import add_failures
from channeling_admin.guards import BodyLimit, SafeHeaders
from channeling_admin.routes import audit, prices, projects, secrets_and_keys, session, tokens, usage, users

ROUTERS = (
    session.router,
    projects.router,
    secrets_and_keys.router,
    prices.router,
    users.router,
    usage.router,
    tokens.router,
    audit.router,
)


def create_admin_app(admin: Admin) -> FastAPI:
    """Return the app over stores that are open already; whoever opened them closes them."""
    app = FastAPI(
        title="Channeling admin API",
        version="1",
        description="Projects, keys, prices, users and money of one deployment.",
        # FastAPI's own pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # Given out as it is asked for: nothing is found by guessing a slash more or less.
        redirect_slashes=False,
    )
    app.state.admin = admin
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_api_route("/docs.css", _docs_style, include_in_schema=False)
    add_dashboard(app)
    add_failures(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    return app


async def _docs(request: Request) -> HTMLResponse:
    return HTMLResponse(docs_page(request.app.openapi()))


async def _docs_style() -> PlainTextResponse:
    return PlainTextResponse(DOCS_STYLE, media_type="text/css")
