"""The output items of one answer: found by index, begun where they were never announced, written in order."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from channeling.errors import UpstreamFailed
from channeling.providers.answer_stream import Emitted
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.event_types import REFUSED_ITEMS
from channeling.providers.openai.output_items import MessageItem, ReasoningItem, WebSearchItem
from channeling.providers.output_items import FunctionCallItem, ItemQueue, OutputItem, Write

AnyItem = TypeVar("AnyItem", bound=OutputItem)

ITEM_CLASSES: Mapping[str, type[OutputItem]] = {
    "message": MessageItem,
    "reasoning": ReasoningItem,
    "function_call": FunctionCallItem,
    "web_search_call": WebSearchItem,
}


class AnswerItems:
    """Every item so far. `unknown_kinds` are of items newer than this code, which no block was made of."""

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        self.unknown_kinds: list[str] = []
        self._terms = terms
        self._emitted = emitted
        self._by_index: dict[int, OutputItem] = {}
        self._all: list[OutputItem] = []
        self._indexes: dict[OutputItem, int] = {}
        self._queue = ItemQueue()

    @property
    def searches(self) -> int:
        """How many searches of the web there were."""
        return sum(isinstance(item, WebSearchItem) and item.is_search for item in self._all)

    @property
    def refusal(self) -> str:
        """What the model said why it refuses; empty where it did not."""
        return "".join(item.refusal for item in self._all if isinstance(item, MessageItem))

    def begin(self, event: Mapping[str, Any]) -> None:
        """Take `output_item.added`. An index that is used anew ends the item that had it; raises UpstreamFailed."""
        index, data = _index_of_item(event), _item_of(event)
        known = self._by_index.get(index)
        if known is not None and not known.done:
            if known.id is None or known.id == data.get("id"):
                known.identify(data)
                return
            known.finish({}, cut_off=False)
        self._new(index, data)

    def finish(self, event: Mapping[str, Any]) -> None:
        """Take `output_item.done`: the item as a whole, announced or not; raises UpstreamFailed."""
        self._finish(_index_of_item(event), _item_of(event), cut_off=False)

    def finish_all(self, output: Any, *, cut_off: bool) -> None:
        """Take the items of the whole response, those that are not done by now, and end the rest.

        Raises UpstreamFailed. Some servers say everything with the last event alone, some nothing with it.
        """
        ended_ids = [item.id for item in self._all if item.done]
        for index, data in enumerate(output if isinstance(output, list) else ()):
            if not isinstance(data, dict):
                continue
            known = self._by_index.get(index)
            is_over = known.done if known is not None else data.get("id", "") in ended_ids
            if not is_over:
                self._finish(index, data, cut_off=cut_off)
        self._queue.finish_all(cut_off=cut_off)

    def item(self, event: Mapping[str, Any], kind: type[AnyItem]) -> AnyItem:
        """Return the item that an event is about; it begins with it where it was never announced.

        Raises UpstreamFailed for an event that says of no item, or of one of another kind.
        """
        item_id = event.get("item_id")
        index = index_of(event, "output_index")
        if index is None:
            same = (at for at, item in self._by_index.items() if item.id is not None and item.id == item_id)
            index = next(same, None)
        if index is None:
            raise garbled("a piece of output without an index")
        item = self._by_index.get(index)
        if item is None or (item.done and not isinstance(item, kind)):
            new = kind(self._terms, self._emitted)
            new.identify({"id": item_id})
            return self._add(index, new)
        if not isinstance(item, kind):
            raise garbled("a piece of output that does not belong to its item")
        return item

    @property
    def writing(self) -> tuple[int, OutputItem] | None:
        """The item that may write, once all `writes` were taken, and the index that events know it by: another
        gets that only when this one is done."""
        item = self._queue.writing
        return None if item is None else (self._indexes[item], item)

    def writes(self) -> Iterator[list[Write]]:
        """Yield what may be written now."""
        return self._queue.writes()

    def _finish(self, index: int, data: Mapping[str, Any], *, cut_off: bool) -> None:
        item: OutputItem | None = self._by_index.get(index)
        if item is not None and not item.done and type(item) is not ITEM_CLASSES.get(str(data.get("type"))):
            raise garbled("an output item that ends as another kind than it began")
        if item is None or (item.done and item.id != data.get("id")):
            item = self._new(index, data)
        if item is not None:
            item.finish(data, cut_off=cut_off or data.get("status") == "incomplete")

    def _new(self, index: int, data: Mapping[str, Any]) -> OutputItem | None:
        kind = str(data.get("type"))
        if kind in REFUSED_ITEMS:
            raise UpstreamFailed(f"the upstream provider sent an output item that was not asked for: {kind}")
        if kind not in ITEM_CLASSES:
            self.unknown_kinds.append(kind)
            return None
        item = ITEM_CLASSES[kind](self._terms, self._emitted)
        item.identify(data)
        return self._add(index, item)

    def _add(self, index: int, item: AnyItem) -> AnyItem:
        self._by_index[index] = item
        self._all.append(item)
        self._indexes[item] = index
        self._queue.add(item)
        return item


def index_of(event: Mapping[str, Any], name: str) -> int | None:
    """Return an index that an event holds, or None."""
    value = event.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def garbled(what: str) -> UpstreamFailed:
    """Return the error of a stream that says something which is not of its API."""
    return UpstreamFailed(f"the upstream provider sent something that is not an event of its API: {what}")


def _index_of_item(event: Mapping[str, Any]) -> int:
    index = index_of(event, "output_index")
    if index is None:
        raise garbled("an output item without an index")
    return index


def _item_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    item = event.get("item")
    if not isinstance(item, dict):
        raise garbled("an event of an output item without the item")
    return item
