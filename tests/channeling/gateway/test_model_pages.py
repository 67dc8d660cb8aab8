"""GET /v1/models lists what the token may ask for, in Anthropic's pages, without any call to a provider."""

import httpx
import pytest

from channeling.projects.project import ProjectRules
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import GatewayServer


def ids(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return [model["id"] for model in page.json()["data"]]


def test_pages_meet_end_to_start(client: httpx.Client, upstream: AnthropicUpstream) -> None:
    """Walking forwards by after_id and backwards by before_id sees every model once."""
    everything = ids(client.get("/v1/models?limit=1000"))
    assert "claude-sonnet-4-5" in everything
    assert all(model.startswith("claude-") for model in everything)
    forwards: list[str] = []
    page = client.get("/v1/models?limit=7")
    while True:
        forwards += ids(page)
        if not page.json()["has_more"]:
            break
        page = client.get(f"/v1/models?limit=7&after_id={page.json()['last_id']}")
    assert forwards == everything
    before = client.get(f"/v1/models?limit=3&before_id={everything[4]}")
    assert ids(before) == everything[1:4]
    assert before.json()["has_more"] is True
    assert (before.json()["first_id"], before.json()["last_id"]) == (everything[1], everything[3])
    assert upstream.requests == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after_id=no-such", "after_id=a&before_id=b", "limit=²"]
)
def test_wrong_parameters_are_named(client: httpx.Client, query: str) -> None:
    """A page that cannot be had is a 400 that names the parameter."""
    answer = client.get(f"/v1/models?{query}")
    assert answer.status_code == 400
    assert any(name in answer.json()["error"]["message"] for name in ("limit", "after_id", "before_id"))


def test_one_model_by_name(client: httpx.Client) -> None:
    """A listed model is shown as the SDK's ModelInfo; another is a 404 that names it."""
    model = client.get("/v1/models/claude-sonnet-4-5").json()
    assert model["type"] == "model"
    assert model["display_name"] == "Claude Sonnet 4.5"
    assert model["max_input_tokens"] == 200_000
    missing = client.get("/v1/models/claude-none")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    assert "claude-none" in missing.json()["error"]["message"]


def test_aliases_come_first_and_only_where_they_can_be_answered(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """An alias is listed with the model behind it; one whose provider has no key is not listed."""
    rules = ProjectRules("Demo", aliases={"claude-fast": "claude-haiku-4-5", "claude-gpt": "gpt-5.2"})
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, rules) as gateway:
        headers = {"x-api-key": gateway.token()}
        answer = httpx.get(f"{gateway.base_url}/v1/models?limit=1000", headers=headers)
        assert ids(answer)[0] == "claude-fast"
        assert "Haiku" in answer.json()["data"][0]["display_name"]
        assert "claude-gpt" not in ids(answer)


def test_a_spent_budget_still_sees_the_models(gateway: GatewayServer) -> None:
    """Discovery is never budget-gated."""
    headers = {"x-api-key": gateway.token(limit_microusd=0)}
    assert httpx.get(f"{gateway.base_url}/v1/models", headers=headers).status_code == 200
