"""Whole bills, from a model's name to nanodollars, are those that a person computed by hand."""

import pytest

from channeling.pricing.cost import BilledPart, cost_nanousd, cost_of_parts
from channeling.pricing.custom_price import parse_custom_price
from channeling.pricing.model_price import Rates
from channeling.pricing.price_book import PriceBook
from channeling.pricing.price_table import PriceTable
from tests.channeling.pricing.golden_bills import BILLS, Bill

CEILING = Rates(30_000_000_000, 150_000_000_000, 30_000_000_000, 37_500_000_000, 60_000_000_000)
NAMES = [f"{bill.provider}: {bill.name}" for bill in BILLS]


def _parts(table: PriceTable, bill: Bill) -> list[BilledPart]:
    book = PriceBook(
        table,
        [parse_custom_price(item) for item in bill.project_prices],
        [parse_custom_price(item) for item in bill.global_prices],
        CEILING,
    )
    return [
        BilledPart(book.price_of(bill.provider, part.model, bill.at_s), part.counts, part.terms)
        for part in bill.parts
    ]


@pytest.mark.parametrize("bill", BILLS, ids=NAMES)
def test_a_bill_is_what_a_person_computes(table: PriceTable, bill: Bill) -> None:
    parts = _parts(table, bill)
    assert [part.price.source.split(":")[0] for part in parts] == [bill.source] * len(parts)
    assert cost_of_parts(parts) == bill.cost_nanousd
    if len(parts) == 1:
        assert cost_nanousd(parts[0].price, parts[0].counts, parts[0].terms) == bill.cost_nanousd


def test_every_name_is_used_once() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 40
