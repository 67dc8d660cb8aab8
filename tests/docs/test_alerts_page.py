"""The alerts' page has the fields, the source, the type and the marks that the product has."""

import json
import re

from channeling.alert_door import EVENT_SOURCE, EVENT_TYPE, TIMEOUT_S, alert_fields
from channeling.budgets.alert import MARKS_PERCENT, BudgetAlert
from channeling.budgets.item import BudgetKey
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "alerts.md"
TEXT = PAGE.read_text("utf-8")


def test_the_line_has_the_fields_of_an_alert() -> None:
    [line] = blocks(PAGE, "json")
    shown = json.loads(line.text)
    alert = BudgetAlert(
        BudgetKey("shop", "ana", "day"), 1_795_478_400, 1_795_564_800, 80, 5 * 10**9, 4_012_500_000
    )
    fields = alert_fields(alert)
    assert list(shown) == ["level", "logger", "message", *fields]
    assert {name: shown[name] for name in fields if name != "alert_id"} == {
        name: value for name, value in fields.items() if name != "alert_id"
    }


def test_the_rule_matches_what_is_sent() -> None:
    [command] = blocks(PAGE, "sh")
    [pattern] = re.findall(r"--event-pattern '(.*)'", command.text)
    rule = json.loads(pattern)
    assert (rule["source"], rule["detail-type"]) == ([EVENT_SOURCE], [EVENT_TYPE])
    assert set(rule["detail"]["percent"]) <= set(MARKS_PERCENT)


def test_the_figures_are_the_product_s() -> None:
    assert MARKS_PERCENT == (50, 80, 100)
    assert "50, 80 or 100 percent" in TEXT
    assert TIMEOUT_S == 4
    assert "within four seconds" in TEXT
