"""The event stream of OpenAI's Responses API as Anthropic's."""

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.answer_translator import AnswerTranslator
from channeling.providers.translated_stream import TranslatedStream


class OpenAIStream(TranslatedStream):
    """`AnswerStream` of the OpenAI route; `request_id` goes into the error events made here."""

    def __init__(
        self, request_id: str, terms: AnswerTerms, *, max_record_bytes: int = 32 * 1024 * 1024
    ) -> None:
        super().__init__(AnswerTranslator(request_id, terms), max_record_bytes=max_record_bytes)
