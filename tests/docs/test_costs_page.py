"""The page's tables are what bench/costs.py computes; its inputs are those of template, code and page."""

import logging
import re
from dataclasses import fields
from decimal import Decimal

import pytest

from bench.answers import answers
from bench.costs import (
    AGENT,
    BATCH,
    CHAT,
    FLEETS,
    FREE_RESPONSE_BYTES,
    LAMBDA_MB,
    MEASURED,
    PRICES,
    SHAPES,
    MillionCosts,
    Prices,
    million_costs,
    tables,
)
from channeling.json_logs import JsonFormatter
from channeling.metrics import EmbeddedMetrics
from channeling.usage.record import UsageRecord, record_fields, record_key
from channeling.usage.token_counts import TokenCounts
from tests.docs.pages import ROOT
from tests.functions.cloudformation_yaml import read_template

PAGE = (ROOT / "docs" / "costs.md").read_text("utf-8")
WORDS = " ".join(PAGE.split())
TEMPLATE = read_template(ROOT / "template.yaml")

# What each price stands beside on the page.
NAMED = {
    "gb_second": "A GB-second on arm64",
    "million_invocations": "A million invocations",
    "streamed_gb": "A GB streamed, beyond the first 6 MB of a response",
    "million_write_units": "A million write request units",
    "log_gb": "A GB of logs",
    "instance_hour": "An m7g.large (2 vCPU, 8 GB), an hour",
    "instance_fee": "Managed Instances, of that",
    "fargate_vcpu_hour": "A vCPU of Fargate on arm64, an hour",
    "fargate_gb_hour": "A GB of memory there, an hour",
    "load_balancer_hour": "An Application Load Balancer, an hour",
    "load_balancer_unit_hour": "A capacity unit of it, an hour",
    "public_address_hour": "A public IPv4 address, an hour",
    "nat_hour": "A NAT gateway, an hour",
    "nat_gb": "A GB through it",
}


def cents(costs: MillionCosts) -> list[str]:
    return [f"${getattr(costs, field.name):.2f}" for field in fields(MillionCosts)]


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.split("|")[1].strip())
def test_a_table_of_the_page_is_the_one_that_is_computed(table: str) -> None:
    assert f"\n\n{table}\n\n" in PAGE, "make costs prints what the page should have"


@pytest.mark.parametrize("name", [field.name for field in fields(Prices)])
def test_a_price_is_the_one_that_the_page_names_with_a_source(name: str) -> None:
    price = getattr(PRICES, name)
    shown = f"{price:.0%}".replace("%", " % more") if name == "instance_fee" else f"${price}"
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {NAMED[name]} |")]
    assert row.split("|")[2].strip() == shown
    assert re.search(r"https://aws\.amazon\.com/|the same", row.split("|")[3])


def test_the_function_is_the_templates() -> None:
    parameters = TEMPLATE["Parameters"]
    assert int(parameters["MessagesMemoryMegabytes"]["Default"]) == LAMBDA_MB
    assert f"`MessagesMemoryMegabytes` is {LAMBDA_MB}." in WORDS
    assert parameters["Architecture"]["Default"] == "arm64"
    assert parameters["ComputeMode"]["Default"] == "OnDemand"


def test_managed_instances_are_the_templates() -> None:
    managed = FLEETS[0]
    most = int(TEMPLATE["Parameters"]["InstanceMaxConcurrency"]["Default"])
    assert managed.most_a_process == most
    process_mb = TEMPLATE["Resources"]["MessagesOnInstancesFunction"]["Properties"]["MemorySize"]
    assert managed.memory_mb == managed.vcpus * process_mb
    assert f"`InstanceMaxConcurrency` ({most}) requests, {process_mb:,} MB" in WORDS


@pytest.mark.parametrize(
    "said",
    [
        f"{MEASURED.stream_ms} ms a stream, {MEASURED.delta_ms} ms each event when one comes each 50 ms",
        f"{MEASURED.large_body_ms} ms for a body of 93 kB, {MEASURED.whole_ms} ms an answer in one piece",
        f"{MEASURED.process_mb} MB a process, {MEASURED.small_mb} MB a stream, {MEASURED.large_mb} MB with a body",
        f"its bill ({MEASURED.settled_line_bytes} bytes",
        f"its metrics ({MEASURED.metrics_line_bytes} bytes)",
        f"two of its own, {MEASURED.lambda_lines_bytes} bytes",
        f"plus {MEASURED.store_ms} ms for three writes",
    ],
)
def test_the_page_says_what_it_counts_with(said: str) -> None:
    assert said in WORDS


def test_what_the_sentences_say_follows_from_the_inputs() -> None:
    costs = million_costs(CHAT)
    lines = costs.settled_lines + costs.metrics_lines + costs.lambda_lines
    assert f"| ${lines.quantize(Decimal('0.01'), 'ROUND_HALF_UP')} a million requests |" in PAGE
    # An agent's stream holds more once a second.
    assert f"${AGENT.seconds * PRICES.million_write_units:.2f} a million more" in WORDS
    used = AGENT.own_cpu_ms(MEASURED) / 1_000 / AGENT.seconds / (Decimal(LAMBDA_MB) / 1_769)
    assert f"{used:.1%}".replace("%", " %") + " of what is paid for is used" in WORDS
    at_peak = 2 * FLEETS[1].streams_a_unit(CHAT)
    assert f"of 0.25 vCPU they serve {at_peak // 3} chats at once" in WORDS
    assert cents(costs)[2] == "$0.00"
    assert f"some {FREE_RESPONSE_BYTES // 130 // 1_000 * 1_000:,} events" in WORDS


def test_a_stream_has_the_units_of_the_pages_first_table() -> None:
    """That table is measured (tests/dynamodb_local)."""
    [row] = [line for line in PAGE.splitlines() if line.startswith("| Stream | 1 |")]
    budgets, usage, index = map(int, row.split("|")[3:6])
    assert budgets + usage + index == MEASURED.write_units


def test_responses_are_about_as_long_as_the_stand_ins() -> None:
    [messages] = [each for each in answers() if "/v1/messages" in each.paths]
    [delta] = messages.deltas
    for shape in SHAPES:
        if shape.deltas:
            assert shape.received_bytes == pytest.approx(shape.deltas * len(delta), rel=0.2)
    assert BATCH.received_bytes == pytest.approx(len(str(messages.json)), rel=0.2)


RECORD = UsageRecord(
    key=record_key("shop", "user-0123456789", "day", "tozsg0uv183t4b", 1_795_500_000),
    project_id="shop",
    user_id="user-0123456789",
    window_kind="day",
    window_start_s=1_795_478_400,
    started_ms=1_795_500_000_123,
    request_id="req_0123456789abcdef01234567",
    status="ok",
    cost=9_300_000,
    provider="anthropic",
    model_asked="claude-sonnet-4-5-20250929",
    model_used="claude-sonnet-4-5-20250929",
    price_source="default",
    counts=TokenCounts(input_tokens=1_000, output_tokens=420),
    stop_reason="end_turn",
    duration_ms=10_234,
    first_token_ms=812,
    streamed=True,
)


def test_the_line_of_a_bill_is_as_long_as_is_counted() -> None:
    line = logging.LogRecord("channeling.settle_request", logging.INFO, "", 0, "settled", None, None)
    line.fields = record_fields(RECORD)
    written = JsonFormatter(lambda: "8f5079c0-4a2b-4c4c-9e0a-2f0a1f6a0f5e").format(line)
    assert len(written) == pytest.approx(MEASURED.settled_line_bytes, rel=0.05)


def test_the_line_of_metrics_is_as_long_as_is_counted() -> None:
    class Clock:
        def now_ms(self) -> int:
            return RECORD.started_ms

    lines: list[str] = []
    EmbeddedMetrics("channeling-prod", Clock(), lines.append).request_ended(RECORD, settled=True)
    [written] = lines
    assert len(written) == pytest.approx(MEASURED.metrics_line_bytes, rel=0.05)
