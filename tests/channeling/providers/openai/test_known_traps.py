"""Every one of the known traps of translating gateways is proved on OpenAI's route, or is said not to be of it.

The traps are 133 situations, by number, in which gateways between Anthropic's clients and other providers were seen
to fail. Most have golden cases, which bear their numbers. The others are proved by tests of what is not a
translation: the pipeline, counts, errors. What is left is not of this route, each for the reason given.
"""

from collections.abc import Mapping

import pytest

from channeling.providers.openai.request import translate_request
from tests.channeling.providers.golden_requests import cases
from tests.channeling.providers.known_traps import NUMBERS, golden_numbers, is_there
from tests.channeling.providers.openai.golden_answers import events_of, transcripts

GOLDEN = golden_numbers("openai")
_HERE = "tests/channeling/providers/openai/"
_GATEWAY = "tests/channeling/gateway/openai/"

# What is proved by a test and no golden case: `file::test`, the situation in words.
PROVED: Mapping[int, tuple[str, ...]] = {
    # An estimate of the input in `message_start`.
    8: (_HERE + "test_known_traps.py::test_every_message_starts_with_an_estimate_of_its_input",),
    # A 200 with no JSON, or nothing.
    12: (
        _GATEWAY + "test_failures.py::test_refusals",
        _HERE + "test_response.py::test_what_is_no_answer_is_an_error",
    ),
    # Our own thinking must not reach Anthropic.
    18: (
        "tests/channeling/providers/anthropic/test_request.py::test_what_another_provider_made_is_taken_out",
    ),
    # Signatures are kept whole.
    22: (_HERE + "test_reasoning_signature.py::test_it_comes_back_as_it_was",),
    # Errors in a stream have Anthropic's shape.
    41: (_HERE + "test_stream.py::test_failing_at_any_event_ends_with_the_error",),
    # Each record has its `event:` line: the official SDK drops others.
    43: (_HERE + "test_stream.py::test_official_sdk_reads_the_same_message",),
    # Token counts, of system and tools too, without a call.
    48: (_GATEWAY + "test_messages.py::test_token_counts_are_estimated_without_a_call",),
    # Overloaded is 529 and a rate limit 429, with when to come back.
    52: (
        _GATEWAY + "test_failures.py::test_refusals",
        _GATEWAY
        + "test_failures.py::test_a_rate_limit_says_when_to_come_back_and_an_account_s_trouble_that_it_is_no_use",
    ),
    # Few tries of our own.
    53: ("tests/channeling/test_upstream.py::test_an_overloaded_upstream_is_tried_at_most_three_times",),
    # Pings in silence, before the first byte too.
    54: (
        _GATEWAY
        + "test_failures.py::test_silence_is_filled_with_pings_and_an_error_after_one_comes_as_an_event",
    ),
    # The client's beta headers do not go to OpenAI.
    56: (_GATEWAY + "test_messages.py::test_credentials_and_headers_of_the_client_never_reach_openai",),
    # What is compressed comes down plain, and says so; errors too.
    58: (_GATEWAY + "test_failures.py::test_what_is_compressed_comes_down_plain",),
    59: (_GATEWAY + "test_failures.py::test_what_is_compressed_comes_down_plain",),
    # Characters that are cut in two.
    60: (_HERE + "test_stream.py::test_byte_by_byte_it_is_the_same",),
    # A client that leaves stops the provider, and pays for what was written.
    62: (
        _GATEWAY + "test_failures.py::test_a_client_that_leaves_stops_openai_and_pays_for_what_was_written",
    ),
    63: (
        _GATEWAY + "test_failures.py::test_a_client_that_leaves_stops_openai_and_pays_for_what_was_written",
    ),
    # Which stop sequence it was.
    72: (_GATEWAY + "test_failures.py::test_a_stop_sequence_ends_the_answer_leaves_openai_and_is_billed",),
    # `[1m]` behind a name.
    78: (_GATEWAY + "test_messages.py::test_an_alias_and_the_long_context_suffix_lead_to_openai",),
    # The list of models.
    79: (_GATEWAY + "test_messages.py::test_models_of_openai_are_listed",),
    # A model that does not exist.
    80: (_GATEWAY + "test_failures.py::test_refusals",),
    # A refusal is an answer: it is asked for once.
    91: (_GATEWAY + "test_failures.py::test_a_refusal_is_an_answer_and_is_asked_for_once",),
    # A context that is too long, in the words that Claude Code compacts on.
    94: (
        _GATEWAY + "test_failures.py::test_refusals",
        _HERE + "test_errors.py::test_an_overflow_is_said_as_anthropic_says_it",
    ),
    # `?beta=true` and probes.
    97: (
        _GATEWAY + "test_messages.py::test_credentials_and_headers_of_the_client_never_reach_openai",
        "tests/channeling/gateway/test_bad_input.py::test_probes_are_answered_at_once",
    ),
    # Either header for the credential, which never goes up.
    99: (
        "tests/channeling/auth/test_credential.py::test_finds_the_token",
        _GATEWAY + "test_messages.py::test_credentials_and_headers_of_the_client_never_reach_openai",
    ),
    # Claude Code's session header.
    100: (_HERE + "test_adapter.py::test_the_session_that_a_header_names_keeps_to_one_cache",),
    # Real pings, not comments alone.
    101: ("tests/channeling/test_sse.py::test_the_ping_is_one_whole_record",),
    # An error before any output has a status.
    102: (
        _GATEWAY + "test_failures.py::test_refusals",
        _HERE + "test_stream.py::test_the_message_begins_with_its_first_item",
    ),
    # The same body without a stream.
    103: (_GATEWAY + "test_messages.py::test_whole_and_streamed_answers_are_one_message",),
    # A 200 of a page.
    104: (_GATEWAY + "test_failures.py::test_refusals",),
    # An exact message for those who ask for no stream.
    107: (_HERE + "test_response.py::test_it_is_the_message_of_its_stream",),
    127: (_HERE + "test_response.py::test_it_is_the_message_of_its_stream",),
    # Large bodies.
    108: ("tests/channeling/gateway/test_bad_input.py::test_a_body_of_thirty_megabytes_passes_whole",),
    # A client that leaves is noticed, before the first byte too, and its call closed.
    123: (
        "tests/channeling/gateway/test_failures.py::test_a_client_that_leaves_before_the_answer_stops_the_provider",
    ),
    124: ("tests/channeling/test_upstream.py::test_cancelling_closes_the_connection",),
    # Usage at the start, and no count at Anthropic for OpenAI's models.
    125: (
        _HERE + "test_known_traps.py::test_every_message_starts_with_an_estimate_of_its_input",
        _GATEWAY + "test_messages.py::test_token_counts_are_estimated_without_a_call",
    ),
    # `pause_turn` is never said.
    130: (_HERE + "test_answer_wire_formats.py::test_golden_answers_agree",),
}

_CHAT = "of chat completions"
_OPENROUTER = "of OpenRouter"
_ANTHROPIC = "of Anthropic's own route, whose bytes pass as they are"
EXCUSED: Mapping[int, str] = {
    17: _CHAT,
    19: _ANTHROPIC,
    20: _ANTHROPIC,
    37: _ANTHROPIC,
    55: _ANTHROPIC,
    64: _OPENROUTER,
    65: _OPENROUTER,
    66: _CHAT,
    67: _OPENROUTER,
    68: _OPENROUTER,
    69: _OPENROUTER,
    70: _OPENROUTER,
    95: _ANTHROPIC,
    96: _ANTHROPIC,
    106: "what Claude Code leaves off behind any gateway",
    120: "a choice that another gateway made, no situation",
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
    for case in cases("openai", least=70):
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
