"""The targets of `make bench`, in the order of its tables."""

from bench.answers import ANTHROPIC_MODEL, OPENAI_MODEL, OPENROUTER_MODEL
from bench.speed.channeling import running_channeling
from bench.speed.plain_targets import running_nginx, running_nothing, running_relay
from bench.speed.target import Target

DIRECT, NGINX, FLOOR = "direct", "nginx", "Starlette + aiohttp"
CHANNELING = "Channeling"
TARGETS: tuple[Target, ...] = (
    Target(DIRECT, ANTHROPIC_MODEL, running_nothing),
    Target(NGINX, ANTHROPIC_MODEL, running_nginx),
    Target("Starlette + httpx", ANTHROPIC_MODEL, lambda place: running_relay(place, "httpx")),
    Target(FLOOR, ANTHROPIC_MODEL, lambda place: running_relay(place, "aiohttp")),
    Target(CHANNELING, ANTHROPIC_MODEL, lambda place: running_channeling(place, ANTHROPIC_MODEL)),
    Target(
        f"{CHANNELING}, OpenAI",
        OPENAI_MODEL,
        lambda place: running_channeling(place, OPENAI_MODEL),
    ),
    Target(
        f"{CHANNELING}, OpenRouter",
        OPENROUTER_MODEL,
        lambda place: running_channeling(place, OPENROUTER_MODEL),
    ),
    Target(
        f"{CHANNELING}, DynamoDB 5 ms",
        ANTHROPIC_MODEL,
        lambda place: running_channeling(place, ANTHROPIC_MODEL, latency_ms=5.0),
    ),
)
