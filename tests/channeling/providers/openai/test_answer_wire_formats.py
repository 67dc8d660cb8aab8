"""docs/wire-formats.md says of each part of an answer from OpenAI whether it is written, as golden answers show."""

import pytest

from tests.channeling.providers.answer_walk import PARTS, AnswerWalk
from tests.channeling.providers.wire_formats import Written, read_answer_table

WALK = AnswerWalk(
    read_answer_table("Answers from OpenAI"),
    folder="openai",
    module="shared/channeling/providers/openai/answer_translator.py",
)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_is_in_the_table(name: str) -> None:
    WALK.assert_in_the_table(name)


@pytest.mark.parametrize("row", WALK.table.parts, ids=lambda row: row.name)
def test_golden_answers_agree(row: Written) -> None:
    WALK.assert_golden_answers_agree(row)
