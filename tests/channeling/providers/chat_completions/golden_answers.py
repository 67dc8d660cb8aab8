"""The golden answers of OpenRouter and of plain servers: see tests/channeling/providers/golden_answers.py."""

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.answer_dialect import PLAIN_ANSWERS
from channeling.providers.chat_completions.stream import ChatStream
from channeling.providers.openrouter.answer_dialect import OPENROUTER_ANSWERS
from tests.channeling.providers.golden_answers import Transcript, transcripts_of

DIALECTS = {"openrouter": OPENROUTER_ANSWERS, "plain": PLAIN_ANSWERS}


def new_stream(terms: AnswerTerms, server: str = "openrouter") -> ChatStream:
    """Return a fresh reader of one kind of server's answer."""
    return ChatStream("req_test", terms, DIALECTS[server])


def transcripts() -> list[Transcript]:
    """Return every case there is."""
    return transcripts_of("openrouter", new_stream, least=70)
