"""`channeling project create | list | show | set | delete | restore`."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, get_args

import typer

from channeling.base_url import BaseUrlInvalid, checked_base_url
from channeling.budget_answer import iso_time
from channeling.enforcement import Enforcement
from channeling.money import dollars
from channeling.operations import projects
from channeling.projects.project import ProjectRules, ProjectSecrets, ProjectStatus
from channeling.projects.project_secrets import open_secrets
from channeling.projects.store import StoredProject
from channeling.provider import Provider
from channeling_cli.amounts import microdollars, usd_text
from channeling_cli.confirmation import confirm
from channeling_cli.demo_project import DEMO_KEY
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.operator_name import cli_operator
from channeling_cli.options import AsJson, Profile, Region, Stack, Target, Yes
from channeling_cli.output import print_facts, print_json, print_line, print_table
from channeling_cli.secret_input import fingerprint

app = typer.Typer(no_args_is_help=True, help="Projects: each has its own secrets, provider keys and rules.")

Name = Annotated[str | None, typer.Option(help="What people call it (default: its id).")]
Mode = Annotated[
    Enforcement | None, typer.Option(help="How budgets are enforced (default: as the deployment says).")
]
Concurrency = Annotated[
    int | None, typer.Option(min=1, max=128, help="Requests in flight per user and window kind.")
]
MaxAi = Annotated[
    str | None, typer.Option("--max-ai", metavar="USD", help="The largest budget that a token may carry.")
]
MonthlyCap = Annotated[
    str | None,
    typer.Option(
        "--monthly-cap", metavar="USD", help="The most that all users spend in a month; none: no cap."
    ),
]
Alias = Annotated[
    list[str] | None, typer.Option(metavar="NAME=MODEL", help="A model name of your own. Repeatable.")
]
Unbounded = Annotated[
    bool | None,
    typer.Option(
        "--allow-unbounded-tools/--no-unbounded-tools",
        help="Allow server tools whose cost no hold can bound.",
    ),
]
BaseUrl = Annotated[
    list[str] | None,
    typer.Option(
        "--base-url",
        metavar="PROVIDER=URL",
        help="A server of your own in a provider's place; PROVIDER= takes it back. Repeatable.",
    ),
]
NativeAnthropic = Annotated[
    bool | None,
    typer.Option(
        "--openrouter-native-anthropic/--no-openrouter-native-anthropic",
        help="Ask OpenRouter for Anthropic's models in Anthropic's own format (default: yes).",
    ),
]


@app.command("create")
def create(
    project_id: Annotated[
        str | None, typer.Argument(help="Letters, digits, '_' and '-' (default: a random id).")
    ] = None,
    name: Name = None,
    enforcement: Mode = None,
    max_concurrent: Concurrency = None,
    max_ai: MaxAi = None,
    alias: Alias = None,
    unbounded_tools: Unbounded = None,
    base_url: BaseUrl = None,
    native_anthropic: NativeAnthropic = None,
    monthly_cap: MonthlyCap = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Create a project and print its HMAC secret, this once."""
    rules = ProjectRules(
        name or project_id or "Unnamed",
        enforcement=enforcement,
        aliases=_aliases(alias or []),
        max_concurrent=max_concurrent,
        max_ai_microusd=None if max_ai is None else microdollars(max_ai, "--max-ai"),
        allow_unbounded_tools=bool(unbounded_tools),
        base_urls=_with_base_urls({}, base_url or [], on_lambda=stack is not None),
        openrouter_native_anthropic=native_anthropic is not False,
        monthly_cap_microusd=None if monthly_cap is None else _cap(monthly_cap),
    )
    with open_deployment(Target(stack, region, profile)) as deployment:
        created = asyncio.run(
            projects.create_project(deployment.stores, cli_operator(), rules, project_id=project_id)
        )
    project_id, secret = created.project_id, created.hmac_secret
    if as_json:
        print_json({"project_id": project_id, "hmac_secret": secret, "base_url": deployment.base_url})
        return
    print_facts(
        f"Created project {project_id} in {deployment.label}",
        [("HMAC secret", secret), ("", "Shown this once: keep it where your backend mints tokens.")],
    )
    flags = deployment.target.flags
    print_line(f"\nNext: channeling key set anthropic --project {project_id}{flags}")
    print_line(
        f"      channeling token mint --project {project_id} --user ana --budget 5 --window day{flags}"
    )


@app.command("list")
def list_all(
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List all projects of the deployment."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        found = asyncio.run(projects.list_projects(deployment.stores))
    if as_json:
        from channeling_admin.answers import rules_answer

        print_json({"projects": [rules_answer(project_id, rules) for project_id, rules in found.items()]})
        return
    if not found:
        print_line(f"There is no project in {deployment.label}.")
        print_line(f"Next: channeling project create shop{deployment.target.flags}")
        return
    rows = [
        [project_id, rules.name, _status(rules), "" if (cap := _cap_usd(rules)) is None else f"${cap}"]
        for project_id, rules in sorted(found.items())
    ]
    print_table(["project", "name", "status", "monthly cap"], rows, right=["monthly cap"])


@app.command("show")
def show(
    project_id: Annotated[str | None, typer.Argument(help="Default: the local server's.")] = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show a project: its rules, and which secrets and keys it has, never their values."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project_id)
        _show(*asyncio.run(_read(deployment, project_id)), as_json=as_json)


@app.command("set")
def set_rules(
    project_id: Annotated[str | None, typer.Argument(help="Default: the local server's.")] = None,
    name: Name = None,
    status: Annotated[ProjectStatus | None, typer.Option(help="disabled: every request gets a 403.")] = None,
    enforcement: Mode = None,
    max_concurrent: Concurrency = None,
    max_ai: MaxAi = None,
    alias: Annotated[
        list[str] | None, typer.Option(metavar="NAME=MODEL", help="Add one; NAME= removes it. Repeatable.")
    ] = None,
    unbounded_tools: Unbounded = None,
    base_url: BaseUrl = None,
    native_anthropic: NativeAnthropic = None,
    monthly_cap: MonthlyCap = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Change a project's rules: those that are named. Servers follow within a minute."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project_id)
        rules = asyncio.run(deployment.read_project(project_id)).rules
        changes: dict[str, Any] = {
            "name": name,
            "status": status,
            "enforcement": enforcement,
            "max_concurrent": max_concurrent,
            "max_ai_microusd": None if max_ai is None else microdollars(max_ai, "--max-ai"),
            "allow_unbounded_tools": unbounded_tools,
            "openrouter_native_anthropic": native_anthropic,
        }
        changes = {rule: value for rule, value in changes.items() if value is not None}
        if alias:
            merged = {**rules.aliases, **_aliases(alias, removable=True)}
            changes["aliases"] = {known: model for known, model in merged.items() if model}
        if base_url:
            changes["base_urls"] = _with_base_urls(rules.base_urls, base_url, on_lambda=stack is not None)
        if monthly_cap is not None:
            changes["monthly_cap_microusd"] = _cap(monthly_cap)
        asyncio.run(projects.change_project(deployment.stores, cli_operator(), project_id, changes))
        _show(*asyncio.run(_read(deployment, project_id)), as_json=as_json)


@app.command("delete")
def delete(
    project_id: Annotated[str, typer.Argument(help="Its id.")],
    grace_days: Annotated[
        int, typer.Option(min=0, max=projects.MAX_GRACE_S // 86_400, help="Until it is removed for good.")
    ] = projects.DEFAULT_GRACE_S // 86_400,
    yes: Yes = False,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Disable a project now, and have it removed when the grace period ends; usage records stay."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        asyncio.run(deployment.read_project(project_id))
        confirm(f"Refuse all requests of project {project_id}, and remove it in {grace_days} days?", yes=yes)
        view = asyncio.run(
            projects.delete_project(
                deployment.stores, cli_operator(), project_id, grace_s=grace_days * 86_400
            )
        )
    flags = deployment.target.flags
    if as_json:
        _print_view(view)
        return
    print_line(f"Project {project_id} is {_status(view.rules)}. {deployment.servers_follow}")
    print_line(f"Next: channeling project restore {project_id}{flags} takes it back until then")


@app.command("restore")
def restore(
    project_id: Annotated[str, typer.Argument(help="Its id.")],
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Take the deletion of a project back, and enable it again."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        view = asyncio.run(projects.restore_project(deployment.stores, cli_operator(), project_id))
    if as_json:
        _print_view(view)
        return
    print_line(f"Project {project_id} is active again. {deployment.servers_follow}")


def _print_view(view: projects.ProjectView) -> None:
    from channeling_admin.answers import project_answer

    print_json(project_answer(view))


def _status(rules: ProjectRules) -> str:
    if rules.delete_at_ms is None:
        return rules.status
    return f"{rules.status}, to be removed at {iso_time(rules.delete_at_ms // 1_000)}"


def _cap(text: str) -> int | None:
    return None if text == "none" else microdollars(text, "--monthly-cap")


def _cap_usd(rules: ProjectRules) -> str | None:
    return None if rules.monthly_cap_microusd is None else usd_text(rules.monthly_cap_microusd)


async def _read(deployment: Deployment, project_id: str) -> tuple[StoredProject, ProjectSecrets]:
    stored = await deployment.read_project(project_id)
    return stored, await open_secrets(deployment.cipher, project_id, stored.sealed)


def _show(stored: StoredProject, opened: ProjectSecrets, *, as_json: bool) -> None:
    rules, spend = stored.rules, stored.month_spend
    max_ai_usd = None if rules.max_ai_microusd is None else usd_text(rules.max_ai_microusd)
    prints = [fingerprint(secret) for secret in opened.hmac_secrets]
    providers = [
        f"{provider} (the built-in demo)" if key == DEMO_KEY else provider
        for provider, key in sorted(opened.provider_keys.items())
    ]
    if as_json:
        print_json(
            {
                "project_id": stored.project_id,
                "name": rules.name,
                "status": rules.status,
                "enforcement": rules.enforcement,
                "max_concurrent": rules.max_concurrent,
                "max_ai_usd": max_ai_usd,
                "monthly_cap_usd": _cap_usd(rules),
                "month_spent_usd": None if spend is None else dollars(spend.total_nanousd),
                "delete_at_ms": rules.delete_at_ms,
                "allow_unbounded_tools": rules.allow_unbounded_tools,
                "aliases": dict(rules.aliases),
                "base_urls": dict(rules.base_urls),
                "openrouter_native_anthropic": rules.openrouter_native_anthropic,
                "hmac_secret_fingerprints": prints,
                "provider_keys": sorted(opened.provider_keys),
                "custom_prices": len(stored.price_items),
            }
        )
        return
    default = "as the deployment says"
    spent = "" if spend is None else f", ${dollars(spend.total_nanousd)} spent in this one"
    print_facts(
        f"Project {stored.project_id}",
        [
            ("name", rules.name),
            ("status", _status(rules)),
            ("enforcement", rules.enforcement or default),
            ("max concurrent", str(rules.max_concurrent or default)),
            ("largest budget", "any" if max_ai_usd is None else f"${max_ai_usd}"),
            ("monthly cap", f"${cap}{spent}" if (cap := _cap_usd(rules)) else "none"),
            ("unbounded tools", "allowed" if rules.allow_unbounded_tools else "refused"),
            ("aliases", ", ".join(f"{name} = {model}" for name, model in rules.aliases.items()) or "none"),
            ("own servers", ", ".join(f"{name} = {url}" for name, url in rules.base_urls.items()) or "none"),
            (
                "Claude at OpenRouter",
                "in its own format" if rules.openrouter_native_anthropic else "translated",
            ),
            (
                "HMAC secrets",
                ", ".join(prints) + " (fingerprints)" if prints else "none: no token is accepted",
            ),
            ("provider keys", ", ".join(providers) or "none"),
            ("custom prices", str(len(stored.price_items))),
        ],
    )


def _aliases(pairs: list[str], *, removable: bool = False) -> dict[str, str]:
    aliases = {}
    for pair in pairs:
        name, equals, model = (part.strip() for part in pair.partition("="))
        if not name or not equals or not (model or removable):
            raise typer.BadParameter(f"{pair!r} is not NAME=MODEL", param_hint="--alias")
        aliases[name] = model
    return aliases


def _with_base_urls(
    known: Mapping[Provider, str], pairs: list[str], *, on_lambda: bool
) -> dict[Provider, str]:
    base_urls = dict(known)
    for pair in pairs:
        name, equals, url = (part.strip() for part in pair.partition("="))
        provider = next((provider for provider in get_args(Provider) if provider == name), None)
        if provider is None or not equals:
            raise typer.BadParameter(f"{name!r} is not PROVIDER=URL", param_hint="--base-url")
        base_urls.pop(provider, None)
        if url:
            try:
                base_urls[provider] = checked_base_url(url, on_lambda=on_lambda)
            except BaseUrlInvalid as error:
                raise typer.BadParameter(f"the base URL {error}", param_hint="--base-url") from error
    return base_urls
