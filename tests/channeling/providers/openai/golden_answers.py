"""The golden answers of OpenAI: see tests/channeling/providers/golden_answers.py."""

from channeling.providers.openai.stream import OpenAIStream
from tests.channeling.providers.golden_answers import Transcript, events_of, fed, records_of, transcripts_of

__all__ = ["Transcript", "events_of", "fed", "records_of", "transcripts"]


def transcripts() -> list[Transcript]:
    """Return every case there is."""
    return transcripts_of("openai", lambda terms, _: OpenAIStream("req_test", terms), least=40)
