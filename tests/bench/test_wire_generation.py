"""The provider's stand-in of the study over the wire: what is generated, shown and billed by when."""

import random
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from bench.wire.generation import Answers, Draws, Generation, Truth
from bench.wire.processes import running_provider

ANSWERS = Answers(max_tokens=1024, input_tokens=40, tokens_per_s=50.0, first_token_s=0.4)


@pytest.mark.parametrize(
    ("elapsed_s", "tokens"),
    [(0.0, 0), (0.4, 0), (0.42, 1), (0.5, 5), (1.4, 50), (2.0, 80), (2.4, 100), (9.0, 100)],
)
def test_tokens_come_at_a_constant_rate_until_the_answer_is_whole(elapsed_s: float, tokens: int) -> None:
    assert Generation(ANSWERS, 100, 100, "prose").generated(elapsed_s) == tokens


@pytest.mark.parametrize(
    ("script", "before", "now", "text"),
    [
        ("prose", 0, 2, "wordword"),
        ("CJK", 3, 4, "\u4f60"),
        ("emoji", 0, 5, "\U0001f600" * 2),
        ("emoji", 5, 6, "\U0001f600"),
        ("hidden thinking", 0, 50, ""),
        ("hidden thinking", 45, 51, "word"),
    ],
)
def test_what_is_shown_of_the_tokens(script: str, before: int, now: int, text: str) -> None:
    assert Generation(ANSWERS, 100, 100, script).text(before, now) == text


def test_an_answer_that_was_left_or_lowered_is_billed_for_what_was_generated_and_counts_as_short() -> None:
    truth = Truth()
    Generation(ANSWERS, 100, 100, "prose").bill(truth, 100)
    Generation(ANSWERS, 100, 100, "prose").bill(truth, 99)
    Generation(ANSWERS, 100, 60, "prose").bill(truth, 60)
    assert asdict(truth) == {
        "requests": 0, "input_tokens": 120, "output_tokens": 259, "short": 2, "running": 0,
    }  # fmt: skip


def test_draws_depend_on_the_seed_and_keep_to_what_was_asked_for() -> None:
    first = [Draws(ANSWERS, random.Random(7)).begin("a", 1024)[0] for _ in range(2)]
    assert first[0] == first[1]
    draws = Draws(ANSWERS, random.Random(7))
    generations = [draws.begin("a", 64)[0] for _ in range(500)]
    assert max(one.tokens for one in generations) == 64
    assert max(one.whole_tokens for one in generations) == 1024
    assert sorted(one.whole_tokens for one in generations)[250] == pytest.approx(150, rel=0.2)
    assert draws.truths["a"].requests == 500


async def test_the_stand_in_bills_to_the_end_or_until_it_was_left(tmp_path: Path) -> None:
    quick = Answers(max_tokens=400, fixed_tokens=400, tokens_per_s=100.0, first_token_s=0.0, event_s=0.01)
    asked = {"model": "m", "max_tokens": 400, "stream": True, "metadata": {"user_id": "stayed"}}
    with running_provider(asdict(quick), 1, tmp_path) as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            whole = await client.post("/v1/messages", json={**asked, "max_tokens": 20})
            assert b'"stop_reason":"max_tokens"' in whole.content
            assert b"event: message_stop" in whole.content
            async with client.stream(
                "POST", "/v1/messages", json={**asked, "metadata": {"user_id": "left"}}
            ) as answer:
                async for _ in answer.aiter_raw():
                    break
            truths = (await client.get("/truth")).json()
            while truths["left"]["running"]:
                truths = (await client.get("/truth")).json()
    assert truths["stayed"] == {
        "requests": 1, "input_tokens": 40, "output_tokens": 20, "short": 1, "running": 0,
    }  # fmt: skip
    assert truths["left"]["short"] == 1
    # It notices 0.1 seconds late, which is 10 tokens here.
    assert 10 <= truths["left"]["output_tokens"] < 400
