"""The targets of `make bench`, in the order of its tables."""

from contextlib import AbstractContextManager

from bench.answers import ANTHROPIC_MODEL, OPENAI_MODEL, OPENROUTER_MODEL
from bench.speed import names
from bench.speed.channeling import running_channeling
from bench.speed.peers import running_claude, running_litellm, running_portkey, running_router
from bench.speed.plain_targets import running_nginx, running_nothing, running_relay
from bench.speed.target import Place, Running, Start, Target


def _channeling(model: str, *, latency_ms: float = 0.0, as_function: bool = False) -> Start:
    def start(place: Place) -> AbstractContextManager[Running]:
        return running_channeling(place, model, latency_ms=latency_ms, as_function=as_function)

    return start


_CLAUDE = ANTHROPIC_MODEL
TARGETS: tuple[Target, ...] = (
    Target(names.DIRECT, _CLAUDE, running_nothing, crowd=True),
    Target(names.NGINX, _CLAUDE, running_nginx, crowd=True),
    Target(names.HTTPX, _CLAUDE, lambda place: running_relay(place, "httpx")),
    Target(names.FLOOR, _CLAUDE, lambda place: running_relay(place, "aiohttp"), crowd=True),
    Target(names.CHANNELING, _CLAUDE, _channeling(_CLAUDE), crowd=True),
    Target(names.FUNCTION, _CLAUDE, _channeling(_CLAUDE, as_function=True), crowd=True),
    Target(names.OPENAI, OPENAI_MODEL, _channeling(OPENAI_MODEL)),
    Target(names.OPENROUTER, OPENROUTER_MODEL, _channeling(OPENROUTER_MODEL)),
    Target(names.DISTANT_STORE, _CLAUDE, _channeling(_CLAUDE, latency_ms=5.0)),
    Target(
        names.CLAUDE_CAPS, _CLAUDE, lambda place: running_claude(place, caps=True), is_peer=True, crowd=True
    ),
    Target(names.CLAUDE, _CLAUDE, lambda place: running_claude(place, caps=False), is_peer=True),
    Target(names.LITELLM, _CLAUDE, lambda place: running_litellm(place, _CLAUDE), is_peer=True),
    Target(
        names.LITELLM_OPENAI, OPENAI_MODEL, lambda place: running_litellm(place, OPENAI_MODEL), is_peer=True
    ),
    Target(names.PORTKEY, _CLAUDE, running_portkey, is_peer=True),
    Target(names.ROUTER, _CLAUDE, running_router, is_peer=True),
)
