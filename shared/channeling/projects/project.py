"""A project: one team's providers, secrets and rules, as the request path knows it."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct, field

from channeling.enforcement import Enforcement
from channeling.hidden_fields import repr_without
from channeling.pricing.price_rows import PriceRows
from channeling.projects.month_spend import MonthSpend
from channeling.provider import Provider

ProjectStatus = Literal["active", "disabled"]

# Also the set of ids that may reach a table key: no '#', which separates the parts of keys.
# What no log shows.
_SECRETS = ("hmac_secrets", "provider_keys")
PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def is_project_id(text: str) -> bool:
    """Tell whether a text has the form of a project id."""
    return PROJECT_ID.fullmatch(text) is not None


_NO_PRICES = PriceRows()


class ProjectRules(Struct, frozen=True):
    """What an operator sets of a project. None: as the deployment's settings say. Money in microdollars.

    `monthly_cap_microusd` is the most that all users together may spend in a calendar month (UTC). With
    `delete_at_ms` the project is removed at that time, unless it is restored before.

    `base_urls` are servers of its own in a provider's place; with `openrouter_native_anthropic` OpenRouter is asked
    for Anthropic's models in Anthropic's own format.
    """

    name: str
    status: ProjectStatus = "active"
    enforcement: Enforcement | None = None
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    max_concurrent: int | None = None
    max_ai_microusd: int | None = None
    allow_unbounded_tools: bool = False
    base_urls: Mapping[Provider, str] = field(default_factory=lambda: MappingProxyType({}))
    openrouter_native_anthropic: bool = True
    monthly_cap_microusd: int | None = None
    delete_at_ms: int | None = None


class ProjectSecrets(Struct, frozen=True):
    """What is stored encrypted: at most two HMAC secrets, each of them active, and the providers' keys."""

    hmac_secrets: tuple[str, ...] = ()
    provider_keys: Mapping[Provider, str] = field(default_factory=lambda: MappingProxyType({}))
    __repr__ = repr_without(*_SECRETS)


class Project(ProjectRules, frozen=True, kw_only=True):
    """A project's rules, its secrets in the clear, its custom prices and what it has spent of late."""

    project_id: str
    hmac_secrets: tuple[str, ...] = ()
    provider_keys: Mapping[Provider, str] = field(default_factory=lambda: MappingProxyType({}))
    prices: PriceRows = _NO_PRICES
    month_spend: MonthSpend | None = None
    __repr__ = repr_without(*_SECRETS)

    @classmethod
    def of(
        cls,
        project_id: str,
        rules: ProjectRules,
        secrets: ProjectSecrets,
        prices: PriceRows = _NO_PRICES,
        month_spend: MonthSpend | None = None,
    ) -> "Project":
        """Join the parts as they are stored."""
        return cls(
            **{rule: getattr(rules, rule) for rule in ProjectRules.__struct_fields__},
            project_id=project_id,
            hmac_secrets=secrets.hmac_secrets,
            provider_keys=secrets.provider_keys,
            prices=prices,
            month_spend=month_spend,
        )
