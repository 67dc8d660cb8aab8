"""OpenRouter as a vendor of chat completions: its errors hold the vendor's words, its usage what is billed."""

from channeling.providers.chat_completions.answer_dialect import AnswerDialect
from channeling.providers.openrouter.cost import reported_cost
from channeling.providers.openrouter.errors import error_answer, stream_error

OPENROUTER_ANSWERS = AnswerDialect(error_answer, stream_error, reported_cost)
