"""How well admission policies use a budget, and how well they keep to it: the real pipeline on virtual time.

Users with many workers each, every worker sends its next streamed request as soon as its last one ended. The
provider's stand-in generates on its own clock, whether it is read or not, until it notices that it was left; what
it generated is the truth that each policy is held against. `python -m bench.budget_study --help`.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from channeling.answer import Answer
from channeling.auth.mint import mint_token
from channeling.budgets.item import BudgetKey
from channeling.call import Call, Limits, Stop
from channeling.doors import Doors
from channeling.dynamodb import DynamoDB
from channeling.enforcement import Enforcement
from channeling.errors import BudgetExceeded, GatewayError
from channeling.gateway import Gateway, open_gateway
from channeling.pipeline import answer_message
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.projects.store import ProjectStore
from channeling.settings import Settings
from channeling.sse import encode_event
from channeling.tables import TableNames
from channeling.upstream import UpstreamRequest
from simulation.memory_dynamodb import MemoryDynamoDB
from simulation.virtual_time import VirtualClock, VirtualTimeLoop, run_in_virtual_time

EPOCH_MS = 1_796_000_400_000
PROJECT, SECRET, MODEL = "study", "hk_live_" + "5" * 32, "claude-sonnet-4-5-20250929"
INPUT_RATE, OUTPUT_RATE, INPUT_TOKENS = 3_000, 15_000, 40
TOKENS_PER_S, FIRST_TOKEN_S, EVENT_S, NOTICE_S, STORE_S = 50.0, 0.4, 0.1, 0.1, 0.005
MEDIAN_TOKENS, SIGMA = 150, 0.8
RETRY_S = (1.0, 1.2)
# What most gateways do: look at what was spent, and add to it when the answer has come.
CHECK_THEN_SPEND = "check-then-spend"
_UNLIMITED_MICROUSD = 10**12

# What a token looks like: text a token, and how often an answer is of that kind. Hidden thinking shows nothing.
SCRIPTS: Mapping[str, tuple[str, float]] = {
    "prose": ("word", 0.55),
    "code": ("x=1", 0.2),
    "CJK": ("\u4f60", 0.15),
    "emoji": ("\U0001f600", 0.05),
    "hidden thinking": ("word", 0.05),
}


@dataclass
class Truth:
    """What a user's requests cost at the provider, in nanodollars."""

    spent: int = 0
    delivered_tokens: int = 0


@dataclass
class Generation:
    """One answer being generated, from `began_s` on, until it is complete or was left."""

    tokens: int
    script: str
    began_s: float
    truth: Truth
    ended_s: float | None = None

    def generated(self, now_s: float) -> int:
        """Return how many tokens there are by now."""
        at_s = now_s if self.ended_s is None else min(now_s, self.ended_s)
        return max(0, min(self.tokens, int((at_s - self.began_s - FIRST_TOKEN_S) * TOKENS_PER_S)))

    def bill(self, now_s: float) -> None:
        """Write down what it cost."""
        self.truth.spent += INPUT_TOKENS * INPUT_RATE + self.generated(now_s) * OUTPUT_RATE


class Response:
    """`UpstreamResponse` of a generation."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}

    def __init__(self, generation: Generation, asked: int) -> None:
        self._generation = generation
        self._asked = asked
        self._billed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what was generated since the last look."""
        loop, generation = asyncio.get_running_loop(), self._generation
        await asyncio.sleep(FIRST_TOKEN_S)
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
        message: dict[str, Any] = {
            "id": "msg",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [],
        }
        message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield encode_event("message_start", {"type": "message_start", "message": message}) + encode_event(
            "content_block_start", block
        )
        sent = 0
        hidden = generation.tokens // 2 if generation.script == "hidden thinking" else 0
        text = SCRIPTS[generation.script][0]
        while sent < generation.tokens:
            await asyncio.sleep(EVENT_S)
            now = generation.generated(loop.time())
            shown = max(0, now - hidden) - max(0, sent - hidden)
            sent = now
            if shown:
                delta = {"type": "text_delta", "text": text * (shown // 2 if text == "\U0001f600" else shown)}
                data = {"type": "content_block_delta", "index": 0, "delta": delta}
                yield encode_event("content_block_delta", data)
        self._billed = True
        generation.bill(loop.time())
        reason = "max_tokens" if generation.tokens >= self._asked else "end_turn"
        yield (
            encode_event("content_block_stop", {"type": "content_block_stop", "index": 0})
            + encode_event(
                "message_delta",
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": reason, "stop_sequence": None},
                    "usage": {"output_tokens": generation.tokens},
                },
            )
            + encode_event("message_stop", {"type": "message_stop"})
        )

    async def aclose(self) -> None:
        """Leave: it is noticed a moment later, and generated and billed until then."""
        if not self._billed:
            self._billed = True
            generation = self._generation
            generation.ended_s = asyncio.get_running_loop().time() + NOTICE_S
            generation.bill(generation.ended_s)


class Upstream:
    """`UpstreamClient` that draws what it answers from a seed."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.truths: dict[str, Truth] = {}

    async def send(self, request: UpstreamRequest) -> Response:
        """Begin to generate."""
        body = orjson.loads(request.body)
        drawn = int(self._chance.lognormvariate(0, SIGMA) * MEDIAN_TOKENS) + 1
        [script] = self._chance.choices(list(SCRIPTS), [share for _, share in SCRIPTS.values()])
        truth = self.truths.setdefault(body["metadata"]["user_id"], Truth())
        tokens = min(drawn, body["max_tokens"])
        generation = Generation(tokens, script, asyncio.get_running_loop().time(), truth)
        return Response(generation, body["max_tokens"])

    async def aclose(self) -> None:
        """Nothing is open."""


class SlowStore:
    """A store behind a network."""

    def __init__(self, store: MemoryDynamoDB) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._store, name)

        async def called(*arguments: Any, **options: Any) -> Any:
            await asyncio.sleep(STORE_S)
            return await operation(*arguments, **options)

        return called


class NoCipher:
    """Secrets as they are: encryption is not what is studied."""

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        """Return the plaintext."""
        return plaintext

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        """Return the plaintext."""
        return ciphertext


@dataclass
class Outcome:
    """What became of one user's budget. Money in nanodollars."""

    limit: int
    truth: int = 0
    settled: int = 0
    uncollected: int = 0
    cut: int = 0
    refusals: int = 0
    seconds: float = 0.0
    answers: int = 0


@dataclass
class Study:
    """One run: a policy, a number of users and of streams each, their budget and `max_tokens`."""

    policy: str
    streams: int
    max_tokens: int
    budget_tokens: int
    users: int = 8
    seed: int = 1
    outcomes: dict[str, Outcome] = field(default_factory=dict)


async def run_study(loop: VirtualTimeLoop, study: Study) -> Study:
    """Run a study to its end."""
    chance = random.Random(study.seed)
    upstream = Upstream(chance)
    clock = VirtualClock(loop, EPOCH_MS)
    tables = TableNames.with_prefix("study")
    store: DynamoDB = SlowStore(MemoryDynamoDB())
    enforcement: Enforcement = study.policy if study.policy in ("elastic", "strict", "soft") else "soft"  # type: ignore[assignment]
    settings = Settings(tables=tables, enforcement=enforcement, max_concurrent=128, project_cache_ms=60_000)
    doors = Doors(store, NoCipher(), upstream, clock, chance.randbytes)
    await create_project(
        ProjectStore(store, tables.projects),
        doors.cipher,
        PROJECT,
        ProjectRules("Study"),
        ProjectSecrets((SECRET,), {"anthropic": "sk-ant-study"}),
        now_ms=EPOCH_MS,
    )
    gateway = open_gateway(settings, doors)
    limit = study.budget_tokens * OUTPUT_RATE
    users = [f"user-{number}" for number in range(study.users)]
    for user in users:
        study.outcomes[user] = Outcome(limit)
    await asyncio.gather(
        *(
            _work(gateway, study, user, number, random.Random(f"{study.seed}/{user}/{number}"))
            for user in users
            for number in range(study.streams)
        )
    )
    await asyncio.sleep(5)
    for user in users:
        outcome = study.outcomes[user]
        outcome.truth = upstream.truths[user].spent
        item = await gateway.budgets.read(BudgetKey(PROJECT, user, "day"))
        if item.window is not None:
            if item.window.holds:
                raise RuntimeError("a hold was left behind")
            outcome.settled = item.window.settled
        for record in await gateway.usage.of_user(PROJECT, user):
            outcome.uncollected += record.uncollected
            outcome.cut += record.cut or (record.clamped and record.stop_reason == "max_tokens")
            outcome.answers += record.status == "ok"
    return study


async def _work(gateway: Gateway, study: Study, user: str, number: int, chance: random.Random) -> None:
    loop = asyncio.get_running_loop()
    now_s = EPOCH_MS // 1000
    checks_first = study.policy == CHECK_THEN_SPEND
    token = mint_token(
        user_id=user,
        project_id=PROJECT,
        secret=SECRET,
        limit_microusd=_UNLIMITED_MICROUSD if checks_first else study.budget_tokens * OUTPUT_RATE // 1_000,
        window="day",
        window_start_s=now_s,
        now_s=now_s,
        lifetime_s=86_400,
    )
    body = orjson.dumps(
        {
            "model": MODEL,
            "max_tokens": study.max_tokens,
            "stream": True,
            "metadata": {"user_id": user},
            "messages": [{"role": "user", "content": "Hello"}],
        }
    )
    outcome = study.outcomes[user]
    await asyncio.sleep(chance.uniform(0, 0.05))
    while True:
        if checks_first and await _settled(gateway, user) >= outcome.limit:
            return
        error = await _ask(gateway, token, body, f"req_{user}_{number}_{loop.time()}")
        if error is None:
            outcome.seconds = max(outcome.seconds, loop.time())
            continue
        if isinstance(error, BudgetExceeded):
            outcome.seconds = max(outcome.seconds, loop.time())
            return
        outcome.refusals += 1
        await asyncio.sleep(chance.uniform(*RETRY_S))


async def _settled(gateway: Gateway, user: str) -> int:
    window = (await gateway.budgets.read(BudgetKey(PROJECT, user, "day"))).window
    return 0 if window is None else window.settled


async def _ask(gateway: Gateway, token: str, body: bytes, request_id: str) -> GatewayError | None:
    loop = asyncio.get_running_loop()

    async def send(_: Any) -> None:
        pass

    stop: asyncio.Future[Stop] = loop.create_future()
    limits = Limits(stop, deadline_s=loop.time() + 900, max_request_s=900, ping_after_s=15.0)
    answer = Answer(send, request_id=request_id, deadline_s=limits.deadline_s)
    headers = [(b"x-api-key", token.encode())]
    call = Call(headers, "", body, request_id, gateway.doors.clock.now_ms(), limits)
    try:
        await answer_message(gateway, call, answer)
    except GatewayError as error:
        return error
    return None


def report(study: Study) -> str:
    """Return one line of the table: means by user, overshoot the worst."""
    outcomes = list(study.outcomes.values())
    count = len(outcomes)
    limit = outcomes[0].limit
    over = max(outcome.truth - limit for outcome in outcomes)
    ledger = max(outcome.settled - limit for outcome in outcomes)
    unseen = max(outcome.truth - outcome.settled for outcome in outcomes)
    return (
        f"| {study.policy} | {study.streams} | {study.max_tokens:,} | {study.budget_tokens:,} "
        f"| {over / limit:+.3%} | {max(0, ledger)} | {unseen / limit:+.3%} "
        f"| {sum(o.uncollected for o in outcomes) / limit / count:.3%} "
        f"| {sum(o.truth for o in outcomes) / limit / count:.2%} "
        f"| {sum(o.cut for o in outcomes) / count:.1f} (max {max(o.cut for o in outcomes)}) "
        f"| {sum(o.refusals for o in outcomes) / count:,.0f} "
        f"| {sum(o.seconds for o in outcomes) / count:.0f} |"
    )


HEAD = (
    "| policy | streams | `max_tokens` | budget | truth over | settled over (n$) | truth - settled | uncollected "
    "| used | cut | refusals | seconds |\n|" + "---|" * 12
)


def main() -> None:
    """Run the studies and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.budget_study", description=__doc__)
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 16, 128])
    parser.add_argument("--policies", nargs="*", default=["elastic", "strict", "soft", CHECK_THEN_SPEND])
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--budget-tokens", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.stdout.write(HEAD + "\n")
    for policy in options.policies:
        for streams in options.streams:
            study = Study(
                policy, streams, options.max_tokens, options.budget_tokens, options.users, options.seed
            )
            run_in_virtual_time(lambda loop, study=study: run_study(loop, study))  # type: ignore[misc]
            sys.stdout.write(report(study) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
