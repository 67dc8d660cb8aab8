"""The bodies that the admin API takes; an unknown field is refused, so that a slip of the pen changes nothing."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from channeling.enforcement import Enforcement
from channeling.pricing.custom_price import CustomPrice, parse_custom_price
from channeling.projects.errors import ProjectInvalid
from channeling.projects.project import ProjectRules, ProjectStatus
from channeling.provider import Provider
from channeling.window_kind import WindowKind
from channeling_admin.amounts import Usd, microdollars, seconds_of

Reason = Annotated[str, Field(min_length=1, max_length=200, description="Why: it is kept with the change.")]
Text = Annotated[str, Field(min_length=1, max_length=256)]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class ProjectChange(Body):
    """The rules to change: those that are there. `null` takes a limit away."""

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    status: ProjectStatus | None = None
    enforcement: Enforcement | None = None
    aliases: Annotated[dict[Text, Text] | None, Field(max_length=500)] = None
    max_concurrent: Annotated[int | None, Field(ge=1, le=128)] = None
    max_ai_usd: Usd | None = None
    monthly_cap_usd: Usd | None = None
    allow_unbounded_tools: bool | None = None
    base_urls: dict[Provider, Annotated[str, Field(max_length=500)]] | None = None
    openrouter_native_anthropic: bool | None = None

    def changes(self) -> dict[str, Any]:
        """Return the named rules as fields of ProjectRules; raise ProjectInvalid for a null that means nothing."""
        changes: dict[str, Any] = {}
        for name in sorted(self.model_fields_set - {"project_id"}):
            value = getattr(self, name)
            if name.endswith("_usd"):
                rule = name.removesuffix("_usd") + "_microusd"
                changes[rule] = None if value is None else microdollars(value)
            elif value is None and name not in ("enforcement", "max_concurrent"):
                raise ProjectInvalid(f"{name} cannot be null: leave it out to keep it")
            else:
                changes[name] = value
        return changes


class NewProject(ProjectChange):
    """A new project; without an id it gets a random one, without a name its id."""

    project_id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None

    def rules(self) -> ProjectRules:
        """Return the rules to begin with; raise ProjectInvalid."""
        changes = self.changes()
        changes.setdefault("name", self.project_id or "New project")
        return ProjectRules(**changes)


class ProviderKey(Body):
    """A provider's API key; never readable again."""

    key: Annotated[SecretStr, Field(min_length=1, max_length=1_000)]


class Price(Body):
    """A custom price: dollars per million tokens as decimal strings, `web_search` per 1,000 searches."""

    model: Annotated[str, Field(max_length=256, description="A name at the provider, or a prefix and *.")]
    input: Annotated[str, Field(max_length=64)]
    output: Annotated[str, Field(max_length=64)]
    cache_read: Annotated[str | None, Field(max_length=64)] = None
    cache_write_5m: Annotated[str | None, Field(max_length=64)] = None
    cache_write_1h: Annotated[str | None, Field(max_length=64)] = None
    web_search: Annotated[str | None, Field(max_length=64)] = None
    provider: Provider | None = None
    valid_from: Annotated[datetime | None, Field(description="From when it holds; without it, always.")] = (
        None
    )

    def price(self) -> CustomPrice:
        """Return the price; raise ProjectInvalid, which names what is wrong."""
        written: dict[str, Any] = self.model_dump(exclude_none=True, exclude={"valid_from"})
        if self.valid_from is not None:
            written["valid_from"] = seconds_of(self.valid_from)
        try:
            return parse_custom_price(written)
        except ValueError as error:
            raise ProjectInvalid(str(error)) from error


class Revocation(Body):
    """Refusing a user's tokens."""

    reason: Reason


class OnWindow(Body):
    """An order on the window of one kind that runs now."""

    window: WindowKind
    reason: Reason


class BudgetAdjustment(OnWindow):
    """Money to give back, or to charge: one of the two."""

    credit_usd: Usd | None = None
    debit_usd: Usd | None = None


class BudgetRaise(OnWindow):
    """All that is added to the limit until the window ends; 0 takes it away."""

    amount_usd: Usd


class NewToken(Body):
    """A user's token to mint."""

    user_id: Text
    budget_usd: Usd
    window: WindowKind = "day"
    lifetime_s: Annotated[int, Field(ge=1, le=30 * 86_400)] = 3_600
    models: Annotated[list[Text] | None, Field(max_length=256)] = None
