"""A project whose users together reached its spend cap asks no provider until the month ends."""

import asyncio

import httpx

from channeling.projects.month_spend import MonthSpend
from channeling.projects.project import ProjectRules
from channeling.projects.store import ProjectStore
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer


def test_a_project_at_its_spend_cap_asks_no_provider(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    rules = ProjectRules("Demo", monthly_cap_microusd=1_000_000)
    changes = {"project_cache_ms": 0}
    with (
        GatewayServer(
            embedded_dynamodb, tables, upstream.base_url, rules=rules, settings_changes=changes
        ) as capped,
        httpx.Client(base_url=capped.base_url, headers={"x-api-key": capped.token()}, timeout=30) as client,
    ):
        assert client.post("/v1/messages", json=message()).status_code == 200
        asked, calls = len(upstream.requests), capped.dynamodb.calls
        now_s = capped.clock.now_ms() // 1_000
        spend = MonthSpend(now_s - 60, now_s + 600, 10**9, 0, 0, 0)
        asyncio.run(ProjectStore(capped.dynamodb, tables.projects).write_month_spend(PROJECT_ID, spend))
        calls.clear()
        refused = client.post("/v1/messages", json=message())
        assert refused.status_code == 429
        assert refused.json()["error"]["message"] == "project spend cap reached"
        assert refused.headers["x-should-retry"] == "false"
        assert len(upstream.requests) == asked
        assert [operation for operation, _ in calls] == ["query"]
