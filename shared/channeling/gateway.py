"""What one process keeps between requests: stores, caches and prices, none of it any user's prompt or answer."""

from msgspec import Struct

from channeling.auth.verified_tokens import VerifiedTokens
from channeling.budgets.store import BudgetStore
from channeling.doors import Doors
from channeling.enforcement import Enforcement
from channeling.pricing.model_price import Rates
from channeling.pricing.price_book import PriceBook
from channeling.pricing.price_table import PriceTable
from channeling.projects.directory import ProjectDirectory
from channeling.projects.project import Project
from channeling.projects.store import ProjectStore
from channeling.providers.registry import is_other_chat_server
from channeling.request_rate import RequestRate
from channeling.revocations import Revocations
from channeling.settings import Settings
from channeling.usage.output_history import OutputHistory
from channeling.usage.rollup_reader import RollupReader
from channeling.usage.store import UsageStore
from channeling.usage.tokens_per_byte import TokensPerByte

# Editors ask for 40 to 50 counts at their start; a count is free, but each is a call on the project's account.
COUNTS_BURST, COUNTS_PER_S = 120, 4
# Days of usage: each is 24 queries, so that a user's month at once is fine, and a month every second is not.
USAGE_DAYS_BURST, USAGE_DAYS_PER_S = 124, 2


class Gateway(Struct, frozen=True):
    """One process's stores and caches, made by `open_gateway`."""

    settings: Settings
    doors: Doors
    projects: ProjectDirectory
    budgets: BudgetStore
    usage: UsageStore
    revocations: Revocations
    count_rate: RequestRate
    rollups: RollupReader
    usage_rate: RequestRate
    price_table: PriceTable
    tokens_per_byte: TokensPerByte
    outputs: OutputHistory
    verified_tokens: VerifiedTokens
    ceiling: Rates

    def enforcement_of(self, project: Project) -> Enforcement:
        """Return how a project's budgets are enforced."""
        return project.enforcement or self.settings.enforcement

    async def price_book(self, project: Project) -> PriceBook:
        """Return the prices that hold for a project."""
        everywhere = await self.projects.global_prices()
        return PriceBook(
            default=self.price_table,
            project_prices=project.prices.prices,
            global_prices=everywhere.prices,
            unreadable_project_prices=project.prices.unreadable,
            unreadable_global_prices=everywhere.unreadable,
            ceiling=self.ceiling,
            openrouter_is_listed=not is_other_chat_server("openrouter", project.base_urls.get("openrouter")),
        )


def open_gateway(settings: Settings, doors: Doors) -> Gateway:
    """Make a process's stores and caches; nothing is read or called yet but the price table."""
    tables = settings.tables
    budgets = BudgetStore(doors.dynamodb, tables.budgets)
    return Gateway(
        settings=settings,
        doors=doors,
        projects=ProjectDirectory(
            ProjectStore(doors.dynamodb, tables.projects),
            doors.cipher,
            doors.clock,
            fresh_ms=settings.project_cache_ms,
        ),
        budgets=budgets,
        usage=UsageStore(doors.dynamodb, tables.usage, doors.clock),
        revocations=Revocations(budgets, doors.clock),
        count_rate=RequestRate(doors.clock, burst=COUNTS_BURST, per_second=COUNTS_PER_S),
        rollups=RollupReader(doors.dynamodb, tables.usage, doors.clock),
        usage_rate=RequestRate(doors.clock, burst=USAGE_DAYS_BURST, per_second=USAGE_DAYS_PER_S),
        price_table=PriceTable.load(),
        tokens_per_byte=TokensPerByte(),
        outputs=OutputHistory(),
        verified_tokens=VerifiedTokens(),
        ceiling=_ceiling(settings),
    )


def _ceiling(settings: Settings) -> Rates:
    """Return the rates of models that no list knows."""
    input_rate = settings.ceiling_input_nanousd_per_mtok
    return Rates(
        input=input_rate,
        output=settings.ceiling_output_nanousd_per_mtok,
        cache_read=input_rate,
        cache_write_5m=input_rate * 5 // 4,
        cache_write_1h=input_rate * 2,
    )
