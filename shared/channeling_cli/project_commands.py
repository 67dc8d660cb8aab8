"""`channeling project create | show | set`."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, get_args

import typer

from channeling.auth.mint import new_hmac_secret
from channeling.base_url import BaseUrlInvalid, checked_base_url
from channeling.enforcement import Enforcement
from channeling.projects.project import ProjectRules, ProjectSecrets, ProjectStatus
from channeling.projects.project_secrets import create_project, open_secrets
from channeling.projects.store import StoredProject
from channeling.provider import Provider
from channeling_cli.amounts import microdollars, usd_text
from channeling_cli.demo_project import DEMO_KEY
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.options import AsJson, Profile, Region, Stack, Target
from channeling_cli.output import print_facts, print_json, print_line
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
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Create a project and print its HMAC secret, this once."""
    project_id = project_id or f"proj_{secrets.token_hex(8)}"
    rules = ProjectRules(
        name or project_id,
        enforcement=enforcement,
        aliases=_aliases(alias or []),
        max_concurrent=max_concurrent,
        max_ai_microusd=None if max_ai is None else microdollars(max_ai, "--max-ai"),
        allow_unbounded_tools=bool(unbounded_tools),
        base_urls=_with_base_urls({}, base_url or [], on_lambda=stack is not None),
        openrouter_native_anthropic=native_anthropic is not False,
    )
    secret = new_hmac_secret(secrets.token_bytes)
    with open_deployment(Target(stack, region, profile)) as deployment:
        asyncio.run(
            create_project(
                deployment.projects,
                deployment.cipher,
                project_id,
                rules,
                ProjectSecrets((secret,)),
                now_ms=time.time_ns() // 1_000_000,
            )
        )
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
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Change a project's rules: those that are named. Servers follow within a minute."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project_id)
        rules = asyncio.run(deployment.read_project(project_id)).rules
        merged = {**rules.aliases, **_aliases(alias or [], removable=True)}
        rules = replace(
            rules,
            name=name or rules.name,
            status=status or rules.status,
            enforcement=enforcement or rules.enforcement,
            aliases={known: model for known, model in merged.items() if model},
            max_concurrent=max_concurrent or rules.max_concurrent,
            max_ai_microusd=rules.max_ai_microusd if max_ai is None else microdollars(max_ai, "--max-ai"),
            allow_unbounded_tools=rules.allow_unbounded_tools if unbounded_tools is None else unbounded_tools,
            base_urls=_with_base_urls(rules.base_urls, base_url or [], on_lambda=stack is not None),
            openrouter_native_anthropic=(
                rules.openrouter_native_anthropic if native_anthropic is None else native_anthropic
            ),
        )
        asyncio.run(deployment.projects.change_rules(project_id, rules))
        _show(*asyncio.run(_read(deployment, project_id)), as_json=as_json)


async def _read(deployment: Deployment, project_id: str) -> tuple[StoredProject, ProjectSecrets]:
    stored = await deployment.read_project(project_id)
    return stored, await open_secrets(deployment.cipher, project_id, stored.sealed)


def _show(stored: StoredProject, opened: ProjectSecrets, *, as_json: bool) -> None:
    rules = stored.rules
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
    print_facts(
        f"Project {stored.project_id}",
        [
            ("name", rules.name),
            ("status", rules.status),
            ("enforcement", rules.enforcement or default),
            ("max concurrent", str(rules.max_concurrent or default)),
            ("largest budget", "any" if max_ai_usd is None else f"${max_ai_usd}"),
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
