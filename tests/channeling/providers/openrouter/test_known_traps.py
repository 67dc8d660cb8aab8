"""Every one of the known traps of translating gateways is proved on OpenRouter's route, or said not to be of it.

Most have golden cases, which bear their numbers. What proves others is what is no translation: the pipeline, which
all routes share, counts and errors. What is left is not of this route, each for the reason given.
"""

from collections.abc import Mapping

import pytest

from channeling.providers.openrouter.request import translate_request
from tests.channeling.providers.chat_completions.golden_answers import transcripts
from tests.channeling.providers.golden_answers import events_of
from tests.channeling.providers.golden_requests import cases
from tests.channeling.providers.known_traps import NUMBERS, golden_numbers, is_there

GOLDEN = golden_numbers("openrouter") | golden_numbers("chat_completions")

_HERE = "tests/channeling/providers/openrouter/"
_CHAT = "tests/channeling/providers/chat_completions/"
_GATEWAY = "tests/channeling/gateway/openrouter/"
# The pipeline is one for all providers: its tests run on OpenAI's stand-in.
_PIPELINE = "tests/channeling/gateway/openai/"

# What is proved by a test and no golden case: `file::test`, the situation in words.
PROVED: Mapping[int, tuple[str, ...]] = {
    # A first chunk that is empty begins nothing.
    5: (_CHAT + "test_stream.py::test_the_message_begins_with_its_first_words",),
    # An estimate of the input in `message_start`.
    8: (_HERE + "test_known_traps.py::test_every_message_starts_with_an_estimate_of_its_input",),
    # A 200 with no JSON, or nothing; of a page.
    12: (
        _GATEWAY + "test_failures.py::test_refusals",
        _CHAT + "test_response.py::test_what_is_no_answer_is_an_error",
    ),
    104: (_GATEWAY + "test_failures.py::test_refusals",),
    # Signatures are kept whole.
    22: (_CHAT + "test_reasoning_signature.py::test_details_come_back_as_they_were",),
    # Failures in a stream are errors of Anthropic's shape.
    40: (_CHAT + "test_stream.py::test_failing_at_any_event_ends_with_the_error",),
    41: (_CHAT + "test_stream.py::test_failing_at_any_event_ends_with_the_error",),
    # Each record has its `event:` line: the official SDK drops others.
    43: (_CHAT + "test_stream.py::test_official_sdk_reads_the_same_message",),
    # Token counts, of system and tools too, without a call.
    48: (_GATEWAY + "test_messages.py::test_a_count_asks_nobody",),
    # Overloaded is 529 and a rate limit 429, with when to come back; few tries of our own.
    52: (_GATEWAY + "test_failures.py::test_refusals",),
    53: ("tests/channeling/test_upstream.py::test_an_overloaded_upstream_is_tried_at_most_three_times",),
    # Pings in silence, before the first byte too.
    54: (
        _PIPELINE
        + "test_failures.py::test_silence_is_filled_with_pings_and_an_error_after_one_comes_as_an_event",
    ),
    # The client's beta headers do not go up.
    56: (
        _HERE + "test_adapter.py::test_a_call_goes_to_chat_completions_with_our_headers_and_the_app_s_name",
    ),
    # What is compressed comes down plain, and says so; errors too.
    58: (_PIPELINE + "test_failures.py::test_what_is_compressed_comes_down_plain",),
    59: (_PIPELINE + "test_failures.py::test_what_is_compressed_comes_down_plain",),
    # Characters that are cut in two.
    60: (_CHAT + "test_stream.py::test_byte_by_byte_it_is_the_same",),
    # A client that leaves stops the provider, and pays for what was written.
    62: (_GATEWAY + "test_failures.py::test_a_client_that_leaves_ends_the_call",),
    63: (_GATEWAY + "test_failures.py::test_a_client_that_leaves_ends_the_call",),
    # A `user` of more than 128 characters.
    69: ("tests/channeling/providers/test_caller_identity.py::test_any_string_will_do",),
    # When to come back to a free model.
    70: (
        _GATEWAY + "test_failures.py::test_a_free_model_s_429_says_when_to_come_back",
        _HERE + "test_errors.py::test_a_free_models_429_says_how_long_to_wait",
    ),
    # `[1m]` behind a name.
    78: ("tests/channeling/routing/test_route.py::test_the_long_context_suffix_is_cut_everywhere",),
    # The list of models has names of every provider's.
    79: (_PIPELINE + "test_messages.py::test_models_of_openai_are_listed",),
    # A model that does not exist.
    80: (_GATEWAY + "test_failures.py::test_refusals",),
    # A refusal is an answer: it is asked for once.
    91: (_PIPELINE + "test_failures.py::test_a_refusal_is_an_answer_and_is_asked_for_once",),
    # A context that is too long, in the words that Claude Code compacts on.
    94: (
        _GATEWAY + "test_failures.py::test_a_context_that_is_too_long_is_said_as_claude_code_knows_it",
        _HERE + "test_errors.py::test_an_overflow_is_said_as_anthropic_says_it",
    ),
    # `?beta=true` and probes.
    97: ("tests/channeling/gateway/test_bad_input.py::test_probes_are_answered_at_once",),
    # Either header for the credential, which never goes up.
    99: (
        "tests/channeling/auth/test_credential.py::test_finds_the_token",
        _HERE + "test_adapter.py::test_a_call_goes_to_chat_completions_with_our_headers_and_the_app_s_name",
    ),
    # Claude Code's session header.
    100: (_HERE + "test_request.py::test_the_session_that_is_named_outside_of_the_body",),
    # Real pings, not comments alone.
    101: ("tests/channeling/test_sse.py::test_the_ping_is_one_whole_record",),
    # An error before any output has a status.
    102: (_GATEWAY + "test_failures.py::test_refusals",),
    # The same body without a stream, and an exact message for those who ask for none.
    103: (_GATEWAY + "test_messages.py::test_whole_and_streamed_answers_are_one_message",),
    107: (_CHAT + "test_response.py::test_it_is_the_message_of_its_stream",),
    127: (_CHAT + "test_response.py::test_it_is_the_message_of_its_stream",),
    # Large bodies.
    108: ("tests/channeling/gateway/test_bad_input.py::test_a_body_of_thirty_megabytes_passes_whole",),
    # The first block is of the kind that comes first; one start of a message; no mark of an end after it.
    109: (_CHAT + "test_stream.py::test_golden",),
    113: (_CHAT + "test_stream.py::test_random_cuts_with_pings_between_are_strict",),
    128: (_CHAT + "test_stream.py::test_random_cuts_with_pings_between_are_strict",),
    # Reasoning that another provider sealed.
    114: (_CHAT + "test_second_try.py::test_reasoning_that_another_provider_signed",),
    # A client that leaves is noticed, before the first byte too, and its call closed.
    123: (
        "tests/channeling/gateway/test_failures.py::test_a_client_that_leaves_before_the_answer_stops_the_provider",
    ),
    124: ("tests/channeling/test_upstream.py::test_cancelling_closes_the_connection",),
    # Usage at the start, and no count at Anthropic for other models.
    125: (
        _HERE + "test_known_traps.py::test_every_message_starts_with_an_estimate_of_its_input",
        _GATEWAY + "test_messages.py::test_a_count_asks_nobody",
    ),
    # `pause_turn` is never said.
    130: (_CHAT + "test_finish_reasons.py::test_outcomes",),
}

_RESPONSES = "of OpenAI's Responses API"
_ANTHROPIC = "of Anthropic's own format, whose bytes pass as they are, at OpenRouter too"
EXCUSED: Mapping[int, str] = {
    16: "OpenRouter gives reasoning itself where OpenAI's chat completions count it only",
    19: _ANTHROPIC,
    20: _ANTHROPIC,
    35: _ANTHROPIC,
    37: _ANTHROPIC,
    42: _ANTHROPIC,
    55: _ANTHROPIC,
    95: _ANTHROPIC,
    96: _ANTHROPIC,
    106: "what Claude Code leaves off behind any gateway",
    115: _RESPONSES,
    116: _RESPONSES,
    120: "a choice that another gateway made, no situation",
    122: _RESPONSES,
}


def test_every_trap_is_proved_or_excused() -> None:
    assert sorted(GOLDEN | PROVED.keys() | EXCUSED.keys()) == list(NUMBERS)


def test_none_is_excused_that_is_proved() -> None:
    assert EXCUSED.keys() & (GOLDEN | PROVED.keys()) == set()


@pytest.mark.parametrize("number", PROVED)
def test_what_proves_it_is_there(number: int) -> None:
    """A test that was renamed or taken away proves nothing any longer."""
    for proof in PROVED[number]:
        assert is_there(proof), proof


def test_every_message_starts_with_an_estimate_of_its_input() -> None:
    """Clients show how full the context is by it, and add costs up from it; a zero there would stay one."""
    for case in cases("openrouter", least=50):
        if case.refusal is None:
            terms = translate_request(
                case.request, model=case.request.model, max_tokens=None, stream=True
            ).terms
            assert terms.input_tokens_estimate > 0, case.name
    starts = [
        (event["message"]["usage"]["input_tokens"], case.terms.input_tokens_estimate)
        for case in transcripts()
        for event in events_of(case.client)
        if event["type"] == "message_start"
    ]
    assert len(starts) > 40
    assert all(said == estimate > 0 for said, estimate in starts)
