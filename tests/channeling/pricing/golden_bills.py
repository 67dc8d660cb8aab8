"""Bills as a person computes them from the price lists, by hand, in nanodollars.

In the comments a price is in dollars per million tokens, which is also microdollars (µ$) per token, and n$ are
nanodollars: 1 µ$ is 1,000 n$. A bill is priced by the entry of the default table (`default_prices.json`) that has
its model's name, unless its comment names another; those entries restate the providers' own pages:

- Anthropic: platform.claude.com/docs/en/about-claude/pricing ("Model pricing", "Batch processing", "Fast mode
  pricing", "Long context pricing", "Data residency pricing", "Web search tool")
- OpenAI: developers.openai.com/api/docs/pricing ("Standard", "Batch", "Flex", "Priority", "Built-in tools")
- OpenRouter: openrouter.ai/<model>, and openrouter.ai/docs/features/web-search for searches
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from channeling.provider import Provider
from channeling.usage.token_counts import BillingTerms, TokenCounts

NOON_S = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Part:
    """What one model of an answer was counted for."""

    model: str
    counts: TokenCounts
    terms: BillingTerms


@dataclass(frozen=True, slots=True)
class Bill:
    """One answer: its parts, the custom prices in force, when it was, where its price comes from, what it costs."""

    name: str
    provider: Provider
    parts: tuple[Part, ...]
    cost_nanousd: int
    at_s: float
    source: str
    project_prices: tuple[Mapping[str, object], ...]
    global_prices: tuple[Mapping[str, object], ...]


def tokens(
    plain: int = 0,
    read: int = 0,
    write_5m: int = 0,
    write_1h: int = 0,
    out: int = 0,
    thinking: int = 0,
    searches: int = 0,
    fetches: int = 0,
) -> TokenCounts:
    """Return counts under shorter names."""
    return TokenCounts(plain, read, write_5m, write_1h, out, thinking, searches, fetches)


def bill(
    name: str,
    provider: Provider,
    model: str,
    counts: TokenCounts,
    cost_nanousd: int,
    *,
    tier: str = "standard",
    speed: str = "standard",
    geo: str | None = None,
    and_part: Part | None = None,
    at_s: float = NOON_S,
    source: str = "default",
    project: tuple[Mapping[str, object], ...] = (),
    everywhere: tuple[Mapping[str, object], ...] = (),
) -> Bill:
    """Return a bill of one part, or of two."""
    first = Part(model, counts, BillingTerms(tier, speed, geo))
    parts = (first,) if and_part is None else (first, and_part)
    return Bill(name, provider, parts, cost_nanousd, at_s, source, project, everywhere)


def utc_s(year: int, month: int, day: int) -> float:
    """Return the epoch second at which a UTC day begins."""
    return datetime(year, month, day, tzinfo=UTC).timestamp()


# A table is read by the row, each under its arithmetic.
# fmt: off
ANTHROPIC = (
    # Sonnet 5.5 $2 in, $10 out: 1,234 × 2 + 567 × 10 = 2,468 + 5,670 = 8,138 µ$
    bill("plain", "anthropic", "claude-sonnet-5-5", tokens(1_234, out=567), 8_138_000),
    # a dated name is the entry claude-sonnet-4-5, $3 and $15: 1 × 3 + 1 × 15 = 18 µ$
    bill("dated name", "anthropic", "claude-sonnet-4-5-20250929", tokens(1, out=1), 18_000),
    # Sonnet 5.5, cache read $0.10: 12 × 2 + 40,000 × 0.10 + 300 × 10 = 24 + 4,000 + 3,000 = 7,024 µ$
    bill("cache read", "anthropic", "claude-sonnet-5-5", tokens(12, read=40_000, out=300), 7_024_000),
    # Opus 5.5 $4, write 5 m $5, out $20: 3 × 4 + 10,000 × 5 + 100 × 20 = 12 + 50,000 + 2,000 = 52,012 µ$
    bill("cache write 5 m", "anthropic", "claude-opus-5-5", tokens(3, write_5m=10_000, out=100), 52_012_000),
    # … write 1 h $8: 3 × 4 + 10,000 × 8 + 100 × 20 = 12 + 80,000 + 2,000 = 82,012 µ$
    bill("cache write 1 h", "anthropic", "claude-opus-5-5", tokens(3, write_1h=10_000, out=100), 82_012_000),
    # Haiku 4.5 $1, $0.10, $1.25, $2, $5: 7 + 2,000 × 0.10 + 300 × 1.25 + 40 × 2 + 50 × 5
    # = 7 + 200 + 375 + 80 + 250 = 912 µ$
    bill("every kind", "anthropic", "claude-haiku-4-5", tokens(7, 2_000, 300, 40, 50), 912_000),
    # Claude 2 lists $8 and $24 alone; "Prompt caching": writes are 1.25 × and 2 × input, a read is taken as input:
    # 100 × 8 + 5 × 8 + 100 × 10 + 10 × 16 + 2 × 24 = 800 + 40 + 1,000 + 160 + 48 = 2,048 µ$
    bill("unlisted cache rates", "anthropic", "claude-2", tokens(100, 5, 100, 10, 2), 2_048_000),
    # Sonnet 4.5, 200,000 in all, the last short one: 150,000 × 3 + 30,000 × 0.30 + 15,000 × 3.75 + 5,000 × 6
    # + 1,000 × 15 = 450,000 + 9,000 + 56,250 + 30,000 + 15,000 = 560,250 µ$
    bill("at the step", "anthropic", "claude-sonnet-4-5", tokens(150_000, 30_000, 15_000, 5_000, 1_000),
         560_250_000),
    # … one cached token more, all at $6, $0.60, $7.50, $12, $22.50: 150,000 × 6 + 30,001 × 0.60 + 15,000 × 7.50
    # + 5,000 × 12 + 1,000 × 22.50 = 900,000 + 18,000.6 + 112,500 + 60,000 + 22,500 = 1,113,000.6 µ$
    bill("above the step", "anthropic", "claude-sonnet-4-5", tokens(150_000, 30_001, 15_000, 5_000, 1_000),
         1_113_000_600),
    # … in a batch half of that, $3 and $11.25: 200,001 × 3 + 10 × 11.25 = 600,003 + 112.5 = 600,115.5 µ$
    bill("long batch", "anthropic", "claude-sonnet-4-5", tokens(200_001, out=10), 600_115_500, tier="batch"),
    # Haiku 5.5 above 100,000 (60,001 + 40,000): $0.50, write 1 h $1, out $2.50:
    # 60,001 × 0.50 + 40,000 × 1 + 20 × 2.50 = 30,000.5 + 40,000 + 50 = 70,050.5 µ$
    bill("long with a write", "anthropic", "claude-haiku-5-5", tokens(60_001, write_1h=40_000, out=20),
         70_050_500),
    # $10 for 1,000 searches, so 10,000 µ$ each: 2,000 × 5 + 400 × 25 + 5 × 10,000 = 10,000 + 10,000 + 50,000 µ$
    bill("web searches", "anthropic", "claude-opus-5", tokens(2_000, out=400, searches=5), 70_000_000),
    # claude-3-haiku lists no fee; Anthropic's is $0.01 for any model: 10 × 0.25 + 10,000 = 10,002.5 µ$
    bill("search, no fee listed", "anthropic", "claude-3-haiku", tokens(10, searches=1), 10_002_500),
    # "Web fetch tool": no charge beyond tokens. Sonnet 5 $2: 9,000 × 2 = 18,000 µ$
    bill("web fetches", "anthropic", "claude-sonnet-5", tokens(9_000, fetches=3), 18_000_000),
    # half of $5, $0.50, $6.25, $10, $25: 1,000 × 2.50 + 2,000 × 0.25 + 400 × 3.125 + 100 × 5 + 60 × 12.50
    # = 2,500 + 500 + 1,250 + 500 + 750 = 5,500 µ$
    bill("batch", "anthropic", "claude-opus-5", tokens(1_000, 2_000, 400, 100, 60), 5_500_000, tier="batch"),
    # twice $5, $0.50, $6.25, $10, $25: 1,000 × 10 + 500 × 1 + 80 × 12.50 + 20 × 20 + 10 × 50
    # = 10,000 + 500 + 1,000 + 400 + 500 = 12,400 µ$
    bill("fast", "anthropic", "claude-opus-4-8", tokens(1_000, 500, 80, 20, 10), 12_400_000, speed="fast"),
    # Sonnet 5 has no fast price: 1,000 × 2 + 100 × 10 = 3,000 µ$
    bill("fast without a price", "anthropic", "claude-sonnet-5", tokens(1_000, out=100), 3_000_000,
         speed="fast"),
    # a commitment to Anthropic's priority tier is paid apart; a request is at the listed $5 and $25:
    # 1,000 × 5 + 100 × 25 = 7,500 µ$
    bill("priority", "anthropic", "claude-opus-5", tokens(1_000, out=100), 7_500_000, tier="priority"),
    # Opus 4.6, long without a dearer rate since 2026-03-13, × 1.1: 300,000 × 5 + 1,000 × 0.50 + 100 × 25
    # = 1,500,000 + 500 + 2,500 = 1,503,000; × 1.1 = 1,653,300 µ$
    bill("us", "anthropic", "claude-opus-4-6", tokens(300_000, 1_000, out=100), 1_653_300_000, geo="us"),
    # (1,000 × 8 + 50 × 40) × 1.1 = 11,000, and a search without the surcharge 10,000: 21,000 µ$
    bill("us, fast, search", "anthropic", "claude-opus-5-5", tokens(1_000, out=50, searches=1), 21_000_000,
         speed="fast", geo="us"),
    # Haiku 5.5 reads in a batch are $0.005, 5 n$ a token: 3 × 5 × 1.1 = 16.5, up to 17 n$
    bill("us, rounded up", "anthropic", "claude-haiku-5-5", tokens(read=3), 17, tier="batch", geo="us"),
    # 1,000 × 2 = 2,000 µ$
    bill("global", "anthropic", "claude-sonnet-5-5", tokens(1_000), 2_000_000, geo="global"),
    # thinking is inside output: 1,000 × 10 = 10,000 µ$, not 19,000
    bill("thinking", "anthropic", "claude-sonnet-5-5", tokens(out=1_000, thinking=900), 10_000_000),
    # Sonnet 5.5 asks an Opus 5.5 advisor: 1,000 × 2 + 200 × 10 = 4,000, and
    # 3,000 × 4 + 100 × 20 = 14,000: 18,000 µ$
    bill("advisor", "anthropic", "claude-sonnet-5-5", tokens(1_000, out=200), 18_000_000,
         and_part=Part("claude-opus-5-5", tokens(3_000, out=100), BillingTerms())),
    # two parts of one read each as in "us, rounded up": 5.5 + 5.5 = 11 n$; rounded apart they would be 6 + 6
    bill("parts rounded once", "anthropic", "claude-haiku-5-5", tokens(read=1), 11, tier="batch", geo="us",
         and_part=Part("claude-haiku-5-5", tokens(read=1), BillingTerms("batch", inference_geo="us"))),
    # Opus 4.6 in the last second of 2026-03-12 UTC, long $10 and $37.50: 200,001 × 10 + 10 × 37.50
    # = 2,000,010 + 375 = 2,000,385 µ$
    bill("before the change", "anthropic", "claude-opus-4-6", tokens(200_001, out=10), 2_000_385_000,
         at_s=utc_s(2026, 3, 13) - 1),
    # … and a second later $5 and $25 at any length: 1,000,005 + 250 = 1,000,255 µ$
    bill("after the change", "anthropic", "claude-opus-4-6", tokens(200_001, out=10), 1_000_255_000,
         at_s=utc_s(2026, 3, 13)),
)

OPENAI = (
    # GPT-5.2 $1.75, $0.175, $14; 700 of the output are reasoning, billed as output:
    # 500 × 1.75 + 1,500 × 0.175 + 800 × 14 = 875 + 262.5 + 11,200 = 12,337.5 µ$
    bill("reasoning", "openai", "gpt-5.2", tokens(500, 1_500, out=800, thinking=700), 12_337_500),
    # GPT-5.5, 272,000 in all: 200,000 × 5 + 72,000 × 0.50 + 500 × 30 = 1,000,000 + 36,000 + 15,000 = 1,051,000 µ$
    bill("at the step", "openai", "gpt-5.5", tokens(200_000, 72_000, out=500), 1_051_000_000),
    # … one more: 200,001 × 10 + 72,000 × 1 + 500 × 45 = 2,000,010 + 72,000 + 22,500 = 2,094,510 µ$
    bill("above the step", "openai", "gpt-5.5", tokens(200_001, 72_000, out=500), 2_094_510_000),
    # GPT-6 Sol lists cache writes, $2.50: 1,000 × 2 + 4,000 × 0.20 + 2,000 × 2.50 + 100 × 10
    # = 2,000 + 800 + 5,000 + 1,000 = 8,800 µ$
    bill("cache write", "openai", "gpt-6-sol", tokens(1_000, 4_000, 2_000, out=100), 8_800_000),
    # GPT-6 Sol, priority and long, $8 and $30: 272,001 × 8 + 10 × 30 = 2,176,008 + 300 = 2,176,308 µ$
    bill("long priority", "openai", "gpt-6-sol", tokens(272_001, out=10), 2_176_308_000, tier="priority"),
    # GPT-5.4 flex $1.25, $0.13 (the page's own rounding of 0.125), $7.50:
    # 1,000 × 1.25 + 2,000 × 0.13 + 100 × 7.50 = 1,250 + 260 + 750 = 2,260 µ$
    bill("flex", "openai", "gpt-5.4", tokens(1_000, 2_000, out=100), 2_260_000, tier="flex"),
    # GPT-5.4 batch, long, $2.50 and $11.25: 300,000 × 2.50 + 10 × 11.25 = 750,000 + 112.5 = 750,112.5 µ$
    bill("long batch", "openai", "gpt-5.4", tokens(300_000, out=10), 750_112_500, tier="batch"),
    # GPT-5 mini priority $0.45, $0.045, $3.60: 450 + 45 + 360 = 855 µ$
    bill("priority", "openai", "gpt-5-mini", tokens(1_000, 1_000, out=100), 855_000, tier="priority"),
    # GPT-5.5 priority $12.50 and $75: 1,000 × 12.50 + 100 × 75 = 12,500 + 7,500 = 20,000 µ$
    bill("priority 5.5", "openai", "gpt-5.5", tokens(1_000, out=100), 20_000_000, tier="priority"),
    # GPT-4.1 priority $3.50, $0.875, $14: 1,000 × 3.50 + 400 × 0.875 + 10 × 14 = 3,500 + 350 + 140 = 3,990 µ$
    bill("priority 4.1", "openai", "gpt-4.1", tokens(1_000, 400, out=10), 3_990_000, tier="priority"),
    # o4-mini flex $0.55, $0.138, $2.20: 1,000 × 0.55 + 1,000 × 0.138 + 500 × 2.20 = 550 + 138 + 1,100 = 1,788 µ$
    bill("flex reasoning", "openai", "o4-mini", tokens(1_000, 1_000, out=500, thinking=450), 1_788_000,
         tier="flex"),
    # o4-mini's batch list has no cached rate, so the standard $0.275: 550 + 275 + 1,100 = 1,925 µ$
    bill("batch, cached", "openai", "o4-mini", tokens(1_000, 1_000, out=500), 1_925_000, tier="batch"),
    # $10 for 1,000 searches: 100 × 2 + 10 × 8 + 2 × 10,000 = 200 + 80 + 20,000 = 20,280 µ$
    bill("web searches", "openai", "gpt-4.1", tokens(100, out=10, searches=2), 20_280_000),
    # gpt-4.1-nano lists no fee, so the dearest of the page, $25 for 1,000: 1,000 × 0.10 + 25,000 = 25,100 µ$
    bill("search, no fee listed", "openai", "gpt-4.1-nano", tokens(1_000, searches=1), 25_100_000),
    # one cached token at $0.075 is 75 n$
    bill("one cached token", "openai", "gpt-4o-mini", tokens(read=1), 75),
    # o3-pro lists no cached rate, so $20 as input: 1,000 × 20 + 10 × 80 = 20,000 + 800 = 20,800 µ$
    bill("no cached rate", "openai", "o3-pro", tokens(read=1_000, out=10), 20_800_000),
    # a place has a surcharge at Anthropic alone: 1,000 × 2 = 2,000 µ$
    bill("no place", "openai", "gpt-4.1", tokens(1_000), 2_000_000, geo="us"),
    # o3 in the last second of 2025-06-09 UTC (in San Francisco the middle of the afternoon), $10 and $40:
    # 1,000 × 10 + 100 × 40 = 14,000 µ$
    bill("before the change", "openai", "o3", tokens(1_000, out=100), 14_000_000,
         at_s=utc_s(2025, 6, 10) - 1),
    # … a second later $2 and $8: 2,000 + 800 = 2,800 µ$
    bill("after the change", "openai", "o3", tokens(1_000, out=100), 2_800_000, at_s=utc_s(2025, 6, 10)),
)

OPENROUTER = (
    # DeepSeek V3 $0.2574 and $1.0287: 7 × 257.4 + 3 × 1,028.7 = 1,801.8 + 3,086.1 = 4,887.9, up to 4,888 n$
    bill("rounded up", "openrouter", "deepseek/deepseek-chat", tokens(7, out=3), 4_888),
    # long, $6 and $22.50; a 1 h write is not listed, so 2 × 6 as at Anthropic:
    # 150,000 × 6 + 50,001 × 12 + 10 × 22.50 = 900,000 + 600,012 + 225 = 1,500,237 µ$
    bill("long Claude", "openrouter", "anthropic/claude-sonnet-4.5", tokens(150_000, write_1h=50_001, out=10),
         1_500_237_000),
    # Haiku 4.5 $1, $0.10, $1.25, $5: 100 + 1,000 × 0.10 + 40 × 1.25 + 10 × 5 = 100 + 100 + 50 + 50 = 300 µ$
    bill("cached Claude", "openrouter", "anthropic/claude-haiku-4.5", tokens(100, 1_000, 40, out=10),
         300_000),
    # half of Opus 5.5: 1,000 × 2 + 500 × 0.10 + 100 × 2.50 + 10 × 10 = 2,000 + 50 + 250 + 100 = 2,400 µ$
    bill("batch", "openrouter", "anthropic/claude-opus-5.5:batch", tokens(1_000, 500, 100, out=10),
         2_400_000),
    # $10 and $50: 100 × 10 + 10 × 50 = 1,500 µ$
    bill("fast", "openrouter", "anthropic/claude-opus-5-fast", tokens(100, out=10), 1_500_000),
    # ":free": every kind at 0 (openrouter.ai/docs/guides/routing/model-variants/free), but not searches: "extra
    # costs, even with free models" (openrouter.ai/docs/guides/features/web-search): 3 × 20,000 µ$
    bill("free", "openrouter", "deepseek/deepseek-chat-v3-0324:free",
         tokens(10**6, 10**6, 10**6, 10**6, 10**6, searches=3), 60_000_000, source="free"),
    # … before a custom price is looked at
    bill("free before custom", "openrouter", "nobody/knows:free", tokens(1_000), 0, source="free",
         project=({"model": "*", "input": "9", "output": "9"},)),
    # five results at $4 for 1,000, $0.02 a search: 1,000 × 1.75 + 20,000 = 21,750 µ$
    bill("search, no fee listed", "openrouter", "openai/gpt-5.2", tokens(1_000, searches=1), 21_750_000),
    # GPT-6.1 Sol lists $10 for 1,000, and a write of $2.50: 1,000 × 2.50 + 10,000 = 12,500 µ$
    bill("search, fee listed", "openrouter", "openai/gpt-6.1-sol", tokens(write_5m=1_000, searches=1),
         12_500_000),
    # Gemini 2.5 Flash $0.30, write $0.0833333…, held as 83,333,334 n$ a million: 100 × 300 + 1,000 × 83.333334
    # = 30,000 + 83,333.334, up to 113,334 n$
    bill("endless digits", "openrouter", "google/gemini-2.5-flash", tokens(100, write_5m=1_000), 113_334),
    # Qwen3.7 Flash, three lengths; at 256,000 still $0.10 and $0.40: 25,600 + 10 × 0.40 = 25,604 µ$
    bill("second step", "openrouter", "qwen/qwen3.7-flash", tokens(256_000, out=10), 25_604_000),
    # … one more, $0.20 and $0.80: 51,200.2 + 8 = 51,208.2 µ$
    bill("third step", "openrouter", "qwen/qwen3.7-flash", tokens(256_001, out=10), 51_208_200),
    # GLM 5.2 from 2026-10-19 until 2026-11-02: $0.62 and $2.42: 620 + 242 = 862 µ$
    bill("before the change", "openrouter", "z-ai/glm-5.2", tokens(1_000, out=100), 862_000,
         at_s=utc_s(2026, 11, 3) - 1),
    # … then $1.40 and $4.40: 1,400 + 440 = 1,840 µ$
    bill("after the change", "openrouter", "z-ai/glm-5.2", tokens(1_000, out=100), 1_840_000,
         at_s=utc_s(2026, 11, 3)),
)

# What the operator set, and nothing of any list: the figures stand in each row.
OPUS_AT_1_50 = {"model": "claude-opus-5", "input": "1.50", "output": "6"}
AT_3_FROM_NOON = {"model": "claude-opus-5", "input": "3", "output": "12", "valid_from": NOON_S}

CUSTOM = (
    # $1.50 and $6, an unlisted write is 1.25 × 1.50 = 1.875: 1,000 × 1.50 + 8 × 1.875 + 100 × 6
    # = 1,500 + 15 + 600 = 2,115 µ$
    bill("project", "anthropic", "claude-opus-5", tokens(1_000, write_5m=8, out=100), 2_115_000,
         source="custom", project=(OPUS_AT_1_50,)),
    # for all projects by prefix, $4 and $8: 1,000 × 4 + 100 × 8 = 4,800 µ$
    bill("global", "openai", "gpt-5.2", tokens(1_000, out=100), 4_800_000, source="global",
         everywhere=({"model": "gpt-*", "input": "4", "output": "8"},)),
    # the project's, though the global one is dearer and exact: 1,000 × 1 + 100 × 2 = 1,200 µ$
    bill("project before global", "openai", "gpt-5.2", tokens(1_000, out=100), 1_200_000, source="custom",
         project=({"model": "gpt-*", "input": "1", "output": "2"},),
         everywhere=({"model": "gpt-5.2", "input": "4", "output": "8"},)),
    # no half price for batches unless the operator says so: 1,000 × 1.50 + 100 × 6 = 2,100 µ$
    bill("no tiers", "anthropic", "claude-opus-5", tokens(1_000, out=100), 2_100_000, tier="batch",
         source="custom", project=(OPUS_AT_1_50,)),
    # the surcharge by place stays, Anthropic asks it of us: 1,000 × 1.50 × 1.1 = 1,650 µ$
    bill("custom, us", "anthropic", "claude-opus-5", tokens(1_000), 1_650_000, geo="us", source="custom",
         project=(OPUS_AT_1_50,)),
    # $1, read $0.25, 1 h $3, searches $5 for 1,000: 100 × 1 + 40 × 0.25 + 10 × 3 + 5,000 = 5,140 µ$
    bill("every key", "anthropic", "my-model", tokens(100, 40, write_1h=10, searches=1), 5_140_000,
         source="custom",
         project=({"model": "my-model", "input": "1", "output": "2", "cache_read": "0.25", "cache_write_5m": "2",
                   "cache_write_1h": "3", "web_search": "5"},)),
    # nine decimals: 1,000 × 0.123456789 = 123.456789 µ$, up to 123,457 n$
    bill("nine decimals", "openai", "my-model", tokens(1_000), 123_457, source="custom",
         project=({"model": "my-model", "input": "0.123456789", "output": "1"},)),
    # an explicit 0 is free, its searches too
    bill("0", "anthropic", "claude-opus-5", tokens(10**6, out=10**6, searches=9), 0, source="global",
         everywhere=({"model": "*", "input": "0", "output": "0"},)),
    # a change at noon; until then the default $5 and $25: 1,000 × 5 + 100 × 25 = 7,500 µ$
    bill("default before noon", "anthropic", "claude-opus-5", tokens(1_000, out=100), 7_500_000,
         at_s=NOON_S - 0.001, project=(AT_3_FROM_NOON,)),
    # … and from noon on $3 and $12: 3,000 + 1,200 = 4,200 µ$
    bill("custom from noon", "anthropic", "claude-opus-5", tokens(1_000, out=100), 4_200_000, source="custom",
         project=(AT_3_FROM_NOON,)),
    # … or until then the older custom price, whichever is written first: 1,500 + 600 = 2,100 µ$
    bill("older before noon", "anthropic", "claude-opus-5", tokens(1_000, out=100), 2_100_000,
         source="custom", at_s=NOON_S - 1, project=(AT_3_FROM_NOON, OPUS_AT_1_50)),
    bill("newer from noon", "anthropic", "claude-opus-5", tokens(1_000, out=100), 4_200_000, source="custom",
         project=(AT_3_FROM_NOON, OPUS_AT_1_50)),
    # nobody knows this one: the ceiling of these tests, $30 and $150: 1,000 × 30 + 10 × 150 = 31,500 µ$
    bill("ceiling", "openai", "gpt-nobody-knows", tokens(1_000, out=10), 31_500_000, source="ceiling"),
    # … read $30, writes $37.50 and $60, in the US, and a search: (10 × 30 + 4 × 37.50 + 1 × 60) × 1.1 + 10,000
    # = (300 + 150 + 60) × 1.1 + 10,000 = 561 + 10,000 = 10,561 µ$
    bill("ceiling, all kinds", "anthropic", "claude-nobody-knows", tokens(read=10, write_5m=4, write_1h=1,
         searches=1), 10_561_000, geo="us", source="ceiling"),
)
# fmt: on

BILLS = (*ANTHROPIC, *OPENAI, *OPENROUTER, *CUSTOM)
