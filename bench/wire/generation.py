"""What the provider's stand-in generates, and what that costs: arithmetic on elapsed seconds, without a clock."""

import random
from dataclasses import dataclass, field

from bench.budget_study import (
    EVENT_S,
    FIRST_TOKEN_S,
    INPUT_TOKENS,
    MEDIAN_TOKENS,
    SCRIPTS,
    SIGMA,
    TOKENS_PER_S,
)

EMOJI = SCRIPTS["emoji"][0]


@dataclass(frozen=True, slots=True)
class Answers:
    """What answers are like. `fixed_tokens` makes all alike; `plain` makes every token a word of 4 characters."""

    max_tokens: int
    input_tokens: int = INPUT_TOKENS
    fixed_tokens: int | None = None
    tokens_per_s: float = TOKENS_PER_S
    first_token_s: float = FIRST_TOKEN_S
    event_s: float = EVENT_S
    plain: bool = False


@dataclass(slots=True)
class Truth:
    """What the provider bills one user for. `short` counts answers that were left or lowered before their end."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    short: int = 0
    running: int = 0


@dataclass(slots=True)
class Generation:
    """One answer. `whole_tokens` is what the client would have got, `tokens` what the request allowed."""

    answers: Answers
    whole_tokens: int
    tokens: int
    script: str

    def generated(self, elapsed_s: float) -> int:
        """Return how many tokens there are this long after the request came."""
        since_first_s = elapsed_s - self.answers.first_token_s
        # The tenth of a microtoken is for products such as 0.1 * 50 that come out below the whole number.
        return max(0, min(self.tokens, int(since_first_s * self.answers.tokens_per_s + 1e-7)))

    def text(self, before: int, now: int) -> str:
        """Return what is shown of the tokens between two counts: hidden ones show nothing, an emoji is two."""
        hidden = self.tokens // 2 if self.script == "hidden thinking" else 0
        shown_before, shown_now = max(0, before - hidden), max(0, now - hidden)
        token = SCRIPTS[self.script][0]
        if token == EMOJI:
            return token * (shown_now // 2 - shown_before // 2)
        return token * (shown_now - shown_before)

    def bill(self, truth: Truth, tokens: int) -> None:
        """Add what was generated to what the user is billed for."""
        truth.input_tokens += self.answers.input_tokens
        truth.output_tokens += tokens
        truth.short += tokens < self.whole_tokens


@dataclass(slots=True)
class Draws:
    """Answers drawn from a seed, in the order in which requests come."""

    answers: Answers
    chance: random.Random
    truths: dict[str, Truth] = field(default_factory=dict)

    def begin(self, user: str, asked_tokens: int) -> tuple[Generation, Truth]:
        """Draw one answer to a user's request for at most so many tokens."""
        answers = self.answers
        drawn = answers.fixed_tokens or int(self.chance.lognormvariate(0, SIGMA) * MEDIAN_TOKENS) + 1
        [script] = self.chance.choices(list(SCRIPTS), [share for _, share in SCRIPTS.values()])
        whole = min(drawn, answers.max_tokens)
        truth = self.truths.setdefault(user, Truth())
        truth.requests += 1
        truth.running += 1
        generation = Generation(
            answers, whole, min(whole, asked_tokens), "prose" if answers.plain else script
        )
        return generation, truth
