"""What the reader of an answer must know of the request that it answers."""

from collections.abc import Mapping

from msgspec import Struct, field


class AnswerTerms(Struct, frozen=True):
    """How one request's answer is to be written for its client.

    `model` is the name that the client asked for, echoed as `message.model`. `names` leads from each tool name that
    had to be shortened back to the client's own; a name that is not in it was not changed. `stop_sequences` are
    looked for in the answer's text: not every API takes them, and few say which one was met.
    `input_tokens_estimate` (tokens) is what `message_start` says until the provider tells the truth.
    """

    model: str
    names: Mapping[str, str] = field(default_factory=dict)
    stop_sequences: tuple[str, ...] = ()
    input_tokens_estimate: int = 0
    # What the provider calls the model: reasoning that only this model can take back is marked with it.
    upstream_model: str = ""
    # Thinking was asked for, and its display was not `omitted`.
    shows_thinking: bool = False
    # Thinking was asked for, shown or not: only then are there thinking blocks, which carry reasoning on.
    keeps_thinking: bool = False
    # The request offers `web_search`: its calls become server_tool_use and web_search_tool_result blocks.
    has_web_search: bool = False
    # `output_config.format`: the answer's text is one JSON document.
    structured_output: bool = False
    # The tool_use ids of the history: no call of the answer may be given one of them.
    used_tool_ids: frozenset[str] = frozenset()

    def client_name(self, upstream_name: str) -> str:
        """Return what the client calls the tool that goes by this name upstream."""
        return self.names.get(upstream_name, upstream_name)
