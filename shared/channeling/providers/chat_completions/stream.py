"""The event stream of chat completions as Anthropic's."""

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.answer_dialect import AnswerDialect
from channeling.providers.chat_completions.answer_translator import ChatTranslator
from channeling.providers.translated_stream import TranslatedStream


class ChatStream(TranslatedStream):
    """`AnswerStream` of chat completions; `request_id` goes into the error events made here."""

    def __init__(
        self,
        request_id: str,
        terms: AnswerTerms,
        dialect: AnswerDialect,
        *,
        max_record_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        super().__init__(ChatTranslator(request_id, terms, dialect), max_record_bytes=max_record_bytes)
