"""What every translation of an answer has: the message in the making, what is billed, one way to end."""

from collections.abc import Iterable, Sequence
from typing import Any

from channeling.errors import GatewayError
from channeling.providers.answer_stream import AnswerFacts, Emitted
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.client_usage import client_usage, estimated_output_tokens, starting_usage
from channeling.providers.item_blocks import ItemBlocks
from channeling.providers.message_ids import message_id
from channeling.providers.message_writer import MessageWriter
from channeling.providers.output_items import OutputItem, Part, Write, broken_call
from channeling.providers.string_bodies import read_bodies


class TranslatedAnswer:
    """One answer. `writer` holds the message; `emitted` and `facts` are what the pipeline bills by."""

    def __init__(self, request_id: str, terms: AnswerTerms) -> None:
        self.emitted = Emitted()
        self.facts = AnswerFacts()
        self.writer = MessageWriter(request_id)
        self._request_id = request_id
        self._terms = terms
        self._response_id: str | None = None
        self._blocks = ItemBlocks(self.writer, terms, request_id)

    def fail(self, error: GatewayError) -> None:
        """End with an error, however far the answer has come."""
        self.writer.fail(error)

    def _take_bodies(
        self, item: OutputItem, part: Part, bodies: Sequence[bytes], *, is_shown: bool = True
    ) -> int:
        """Take pieces of what is being written, as many of them as are texts; return how many."""
        texts, written = read_bodies(bodies)
        if texts:
            item.note(part, "".join(texts))
            if is_shown:
                self.writer.bodies(written)
        return len(texts)

    def _start(self) -> None:
        if not self.writer.started:
            self.writer.start(
                message_id=message_id(self._response_id, self._request_id),
                model=self._terms.model,
                usage=starting_usage(self._terms.input_tokens_estimate),
            )

    def _write_all(self, writes: Iterable[Sequence[Write]]) -> None:
        """Write blocks, and end where a stop sequence is met; raises UpstreamFailed for a call that is none."""
        for some in writes:
            self._start()
            self._blocks.write(some)
            if self._blocks.stopped_at is not None:
                if self._blocks.has_broken_call:
                    raise broken_call()
                self._end_well("stop_sequence", stop_sequence=self._blocks.stopped_at)
                return

    def _end_well(
        self,
        stop_reason: str,
        *,
        stop_sequence: str | None = None,
        explanation: str | None = None,
        output_tokens: int | None = None,
    ) -> None:
        if self.writer.ended:
            return
        self.facts.stop_reason = stop_reason
        details = {"type": "refusal", "category": None, "explanation": explanation} if explanation else None
        self.writer.end(
            stop_reason, self._usage(output_tokens), stop_sequence=stop_sequence, stop_details=details
        )

    def _usage(self, metered_tokens: int | None) -> dict[str, Any]:
        if self.facts.usage is not None:
            return client_usage(self.facts.usage)
        estimate = estimated_output_tokens(self.emitted) if metered_tokens is None else metered_tokens
        return {"input_tokens": self._terms.input_tokens_estimate, "output_tokens": estimate}
