"""Who calls: from the request's headers to verified claims and the project they belong to."""

import math
from collections.abc import Sequence

from msgspec import Struct

from channeling.auth.credential import credential_from_headers
from channeling.auth.token import (
    TokenClaims,
    unknown_project_or_secret,
    unverified_project_id,
    verify_token,
)
from channeling.budget_answer import iso_time
from channeling.budgets.item import BudgetKey
from channeling.errors import AuthenticationFailed, BudgetExceeded, PermissionDenied
from channeling.gateway import Gateway
from channeling.message_request import MessageRequest
from channeling.money import dollars
from channeling.projects.project import Project
from channeling.provider import Provider
from channeling.providers.provider_adapter import ProviderAdapter, UpstreamTarget
from channeling.providers.registry import adapter_for, is_other_chat_server
from channeling.routing.route import Route, missing_key, route_model, strip_long_context_suffix

NANOUSD_PER_MICROUSD = 1_000


class Caller(Struct, frozen=True):
    """A verified user of a project."""

    claims: TokenClaims
    project: Project

    @property
    def budget_key(self) -> BudgetKey:
        """The budget that the token speaks of."""
        return BudgetKey(self.project.project_id, self.claims.user_id, self.claims.budget.window)


class Routed(Struct, frozen=True):
    """Where a request goes."""

    route: Route
    adapter: ProviderAdapter
    target: UpstreamTarget

    def held_at(self, rates: tuple[int, int]) -> "Routed":
        """Return the same with its plain rates of input and of output, nanodollars per million tokens."""
        target = UpstreamTarget(self.target.base_url, self.target.api_key, self.target.model, rates)
        return Routed(self.route, self.adapter, target)


async def authenticate(gateway: Gateway, headers: Sequence[tuple[bytes, bytes]]) -> Caller:
    """Return who calls; raise AuthenticationFailed, PermissionDenied (project disabled), StoreUnavailable."""
    token = credential_from_headers(headers)
    project_id = gateway.verified_tokens.project_of(token) or unverified_project_id(token)
    project = await gateway.projects.get(project_id)
    if project is None:
        raise unknown_project_or_secret()
    claims = _verified_claims(gateway, token, project)
    if project.status == "disabled":
        raise PermissionDenied("This project is disabled. Its operator can enable it again.")
    return Caller(claims, project)


def _verified_claims(gateway: Gateway, token: str, project: Project) -> TokenClaims:
    known, secrets, ceiling = gateway.verified_tokens, project.hmac_secrets, project.max_ai_microusd
    now_s = gateway.doors.clock.now_ms() / 1000
    claims = known.claims(token, secrets, now_s=now_s, max_ai_microusd=ceiling)
    if claims is None:
        claims = verify_token(token, secrets, now_s=now_s, max_ai_microusd=ceiling)
        known.add(token, claims, secrets, now_s=now_s, max_ai_microusd=ceiling)
    return claims


async def refuse_revoked(gateway: Gateway, caller: Caller) -> None:
    """Raise AuthenticationFailed where the caller's token was revoked (known to ten seconds)."""
    if await gateway.revocations.is_revoked(caller.budget_key, caller.claims.issued_at_ms):
        raise AuthenticationFailed("The token was revoked. Ask for a new one.")


def refuse_capped(caller: Caller, now_s: float) -> None:
    """Raise BudgetExceeded where all users together have spent what the project may spend in this calendar month.

    It is told by the sum that was read with the project: at most a minute old where the server keeps it, and a
    minute more where the reconciler made it.
    """
    spend, cap = caller.project.month_spend, caller.project.monthly_cap_microusd
    if spend is None or cap is None or not spend.reaches(cap, now_s):
        return
    raise BudgetExceeded(
        "project spend cap reached",
        retry_after_s=max(1, math.ceil(spend.end_s - now_s)),
        details={
            "error_code": "project_spend_cap_reached",
            "cap_usd": dollars(cap * NANOUSD_PER_MICROUSD),
            "spent_usd": dollars(spend.total_nanousd),
            "resets_at": iso_time(spend.end_s),
        },
    )


def route_request(gateway: Gateway, caller: Caller, request: MessageRequest) -> Routed:
    """Return where a request goes; raise InvalidRequest (no key, no such route) and PermissionDenied (model not
    allowed to this token, a fallback of the request included)."""
    route = route_model(request.model, caller.project.aliases)
    for model in (route.requested_model, *(strip_long_context_suffix(model) for model in request.models[1:])):
        if not caller.claims.allows(model):
            raise PermissionDenied(f"model: this token does not allow {model}")
    if request.has_default_fallbacks and caller.claims.models is not None:
        raise PermissionDenied("fallbacks: name the models, since this token does not allow all of them")
    return Routed(route, *provider_of(gateway, caller.project, route.provider, route.upstream_model))


def provider_of(
    gateway: Gateway, project: Project, provider: Provider, model: str
) -> tuple[ProviderAdapter, UpstreamTarget]:
    """Return how to call a provider for a project; raise InvalidRequest where it has no key.

    A server of the project's own in OpenRouter's place may need none, as those on one machine do.
    """
    own_base_url, api_key = project.base_urls.get(provider), project.provider_keys.get(provider)
    if not api_key and not is_other_chat_server(provider, own_base_url):
        raise missing_key(provider)
    adapter = adapter_for(
        provider, model, own_base_url=own_base_url, native_anthropic=project.openrouter_native_anthropic
    )
    return adapter, UpstreamTarget(own_base_url or gateway.settings.base_urls[provider], api_key or "", model)
