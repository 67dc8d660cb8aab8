"""Each way in which users of other gateways lost, or were charged, money by mistake has a test here."""

import ast
import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.channeling.gateway.conftest import message
from tests.fetched_tools import ROOT
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import GatewayServer

LITELLM = "https://github.com/BerriAI/litellm"
GATEWAY = "channeling/gateway"


@dataclass(frozen=True)
class PeerFailure:
    """What went wrong elsewhere, where that is told in public, and the tests that show that it cannot here."""

    situation: str
    link: str
    tests: tuple[str, ...]


def failure(situation: str, link: str, *tests: str) -> PeerFailure:
    return PeerFailure(situation, link, tests)


PEER_FAILURES = (
    failure("parallel agents are told «exceeded» with nothing spent", f"{LITELLM}/pull/38647",
            f"{GATEWAY}/test_budgets.py::test_money_held_by_others_is_another_refusal"),
    failure("holds priced at the base rate of a model with dearer ones", f"{LITELLM}/pull/40002",
            "channeling/budgets/test_quote.py::test_what_the_body_can_lead_to_is_priced_in",
            "channeling/budgets/test_quote.py::test_no_bill_is_above_its_quote"),
    failure("a request too large is forwarded under a smaller hold", f"{LITELLM}/pull/40002",
            f"{GATEWAY}/test_budgets.py::test_what_does_not_fit_is_clamped_in_the_body_and_said_in_a_header"),
    failure("a hold that cannot be written is forwarded", f"{LITELLM}/issues/33923",
            f"{GATEWAY}/test_budgets.py::test_the_store_unreachable_fails_closed"),
    failure("one route never settles its holds", f"{LITELLM}/pull/36592",
            "money/test_peer_failures.py::test_identical_calls_leave_nothing_held"),
    failure("a crash between hold and settle leaks money", "https://github.com/QuantumNous/new-api/issues/4429",
            "channeling/budgets/test_settlement.py::test_a_death_before_any_record_costs_what_was_held"),
    failure("a settle that is retried counts twice", f"{LITELLM}/issues/35569",
            "money/test_races.py::test_one_end_of_many_counts",
            f"{GATEWAY}/test_budgets.py::test_a_settle_whose_answer_was_lost_is_asked_again"),
    failure("who hangs up pays nothing", f"{LITELLM}/pull/33736",
            f"{GATEWAY}/test_failures.py::test_a_client_that_leaves_stops_the_provider_and_pays_for_what_was_written"),
    failure("a whole answer is not charged when its client left", f"{LITELLM}/issues/13245",
            f"{GATEWAY}/test_failures.py::test_a_client_that_leaves_before_the_answer_stops_the_provider"),
    failure("a cancelled stream is priced at message_start's placeholder", f"{LITELLM}/pull/39893",
            "channeling/providers/anthropic/test_stream.py::test_the_first_output_count_is_a_placeholder"),
    failure("an error without output is charged", "https://github.com/QuantumNous/new-api/issues/4168",
            f"{GATEWAY}/test_failures.py::test_an_error_event_before_any_output_costs_nothing"),
    failure("cache writes of streams are undercounted", f"{LITELLM}/issues/42663",
            "channeling/providers/anthropic/test_usage.py::test_cache_writes"),
    failure("cached tokens are billed twice", f"{LITELLM}/issues/9812",
            "channeling/pricing/test_cost.py::test_golden_costs"),
    failure("a model without a price is free", f"{LITELLM}/issues/25874",
            "channeling/pricing/test_price_book.py::test_there_is_always_a_price_and_it_is_never_0_by_accident"),
    failure("a custom price is silently not used", "https://github.com/BerriAI/litellm-docs",
            f"{GATEWAY}/test_settings_at_work.py::test_a_custom_price_makes_the_bill"),
    failure("a price typed in the wrong unit, and no way to credit it", f"{LITELLM}/issues/20615",
            "channeling/pricing/test_custom_price.py::test_a_bad_price_is_refused",
            "channeling/budgets/test_operations.py::test_an_adjustment_moves_what_is_settled_and_says_who_and_why"),
    failure("a mistyped budget means no limit", "https://github.com/maximhq/bifrost/issues/5673",
            "channeling/auth/test_token.py::test_refuses_the_claim"),
    failure("other routes skip the budget", f"{LITELLM}/issues/10750",
            f"{GATEWAY}/test_bad_input.py::test_other_paths_and_methods"),
    failure("a free model falls back to one that costs", f"{LITELLM}/pull/41379",
            "channeling/budgets/test_quote.py::test_the_dearest_of_all_models_counts"),
    failure("old spend blocks a new window", f"{LITELLM}/issues/29576",
            "channeling/budgets/test_admission.py::test_an_ended_window_is_moved_aside_with_its_holds"),
    failure("a changed duration carries old spend along", f"{LITELLM}/issues/34492",
            f"{GATEWAY}/test_budgets.py::test_each_window_kind_is_a_budget_of_its_own"),
    failure("the enforced figure is not the one shown", f"{LITELLM}/issues/27735",
            "money/test_peer_failures.py::test_the_refusal_and_the_headers_read_the_figures_of_the_store"),
    failure("several requests pass one check", f"{LITELLM}/issues/34732",
            "money/test_races.py::test_threads_on_one_user_are_admitted_to_exactly_the_limit"),
    failure("the first requests of a new user all pass", f"{LITELLM}/issues/40095",
            "money/test_races.py::test_threads_on_one_user_are_admitted_to_exactly_the_limit"),
    failure("each process counts for itself", f"{LITELLM}/issues/34238",
            "money/test_races.py::test_processes_on_one_user_are_admitted_to_exactly_the_limit"),
    failure("a spent budget is retried as if it were transient", "https://github.com/QwenLM/qwen-code/issues/73",
            f"{GATEWAY}/test_budgets.py::test_a_spent_budget_is_refused_as_documented"),
    failure("a budget that is not enforced at all", f"{LITELLM}/issues/26672",
            f"{GATEWAY}/test_budgets.py::test_a_spent_budget_is_refused_as_documented"),
    failure("the client names whom to charge", f"{LITELLM}/pull/19931",
            "money/test_peer_failures.py::test_who_is_charged_is_the_tokens_user_alone"),
    failure("a record is lost before it is written", f"{LITELLM}/issues/33873",
            "channeling/budgets/test_settlement.py::test_a_death_between_record_and_settle_is_healed_at_the_record"),
    failure("a reported 0 is taken for missing", f"{LITELLM}/issues/37992",
            "channeling/providers/anthropic/test_usage.py::test_counts"),
    failure("model discovery is blocked by a spent budget", f"{LITELLM}/issues/27923",
            f"{GATEWAY}/test_model_pages.py::test_a_spent_budget_still_sees_the_models"),
    failure("negative counts credit the budget", f"{LITELLM}/pull/38010",
            "channeling/providers/anthropic/test_usage.py::test_a_count_is_not_replaced_by_nonsense"),
)  # fmt: skip


@pytest.mark.parametrize("peer", PEER_FAILURES, ids=lambda peer: re.sub(r"\W+", "-", peer.situation))
def test_what_befell_others_is_tested_here(peer: PeerFailure) -> None:
    """Every failure names its public source and tests that exist."""
    assert peer.link.startswith("https://github.com/")
    assert peer.tests
    for node in peer.tests:
        file, _, name = node.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        assert name in {part.name for part in tree.body if isinstance(part, functions)}, node


def post(gateway: GatewayServer, headers: dict[str, str], **changes: Any) -> httpx.Response:
    url = f"{gateway.base_url}/v1/messages"
    return httpx.post(url, json=message(**changes), headers=headers, timeout=30)


@pytest.mark.parametrize("stream", [False, True])
def test_identical_calls_leave_nothing_held(
    gateway: GatewayServer, upstream: AnthropicUpstream, stream: bool
) -> None:
    """https://github.com/BerriAI/litellm/pull/36592: a key 0.4 % used was refused at its fifth call."""
    headers = {"x-api-key": gateway.token()}
    for _ in range(8):
        assert post(gateway, headers, stream=stream).status_code == 200
    costs = {record.cost for record in gateway.records()}
    assert len(costs) == 1
    assert gateway.assert_settled() == 8 * costs.pop()


def test_who_is_charged_is_the_tokens_user_alone(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """https://github.com/BerriAI/litellm/pull/19931: a client that named a user spent that user's budget."""
    headers = {"x-api-key": gateway.token(), "x-user-id": "victim", "x-litellm-end-user-id": "victim"}
    for name in ("victim", '{"device_id":"victim"}'):
        assert post(gateway, headers, metadata={"user_id": name}).status_code == 200
        assert gateway.budget(name).window is None
    assert {record.user_id for record in gateway.records()} == {gateway.user}
    assert len(gateway.records()) == 2


def test_the_refusal_and_the_headers_read_the_figures_of_the_store(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """https://github.com/BerriAI/litellm/issues/27735: refused at a figure that no page showed."""
    upstream.script = Script(usage={"input_tokens": 10}, final_usage={"output_tokens": 64})
    headers = {"x-api-key": gateway.token(limit_microusd=1_500)}
    assert post(gateway, headers, max_tokens=64).status_code == 200
    refused = post(gateway, headers, max_tokens=64)
    assert refused.status_code == 429
    window = gateway.budget().window
    assert window is not None
    assert refused.json()["error"]["details"]["settled_usd"] == "0.00099"
    assert window.settled == window.committed == 990_000
