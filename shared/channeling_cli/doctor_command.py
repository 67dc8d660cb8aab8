"""`channeling doctor`: is everything in place, and if not, what to do."""

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from channeling.errors import StoreUnavailable
from channeling.projects.cipher import CipherUnavailable
from channeling.projects.project_secrets import open_secrets
from channeling.provider import Provider
from channeling.settings import base_urls_from
from channeling_cli.demo_project import DEMO_KEY
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.findings import (
    Finding,
    check_clock,
    check_health_answer,
    check_private_files,
    check_project,
    check_provider_answer,
    check_tables,
    worst,
)
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_json, print_line

_TIMEOUT_S = 5.0
_MARKS = {"ok": ("ok  ", "green"), "warning": ("warn", "yellow"), "problem": ("FAIL", "bold red")}


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Do not try the keys on the providers.")] = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Check configuration, tables, keys and clock, and say what to do about what is wrong."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        findings = asyncio.run(_examine(deployment, project, offline=offline))
    level = worst(findings)
    if as_json:
        fields = ("level", "subject", "message", "next_step")
        listed = [{name: getattr(finding, name) for name in fields} for finding in findings]
        print_json({"ok": level != "problem", "deployment": deployment.label, "findings": listed})
    else:
        _print(deployment.label, findings)
    if level == "problem":
        raise typer.Exit(ExitCode.UNHEALTHY)


async def _examine(deployment: Deployment, project: str | None, *, offline: bool) -> list[Finding]:
    findings = [await _health(deployment.base_url)]
    tables = await asyncio.to_thread(check_tables, deployment.dynamodb_client, deployment.tables)
    findings += tables
    if worst(tables) != "ok":
        return findings
    findings.append(
        await asyncio.to_thread(check_clock, deployment.dynamodb_client, deployment.tables, time.time())
    )
    if deployment.local is not None:
        findings += check_private_files([deployment.local.key_file])
    findings += await _examine_project(deployment, project, offline=offline)
    return findings


async def _examine_project(deployment: Deployment, project: str | None, *, offline: bool) -> list[Finding]:
    flags = deployment.target.flags
    if project is None and deployment.local is None:
        return [Finding("warning", "project", "none was named, so none was looked at", "add --project ID")]
    try:
        stored = await deployment.read_project(deployment.project_id(project))
        opened = await open_secrets(deployment.cipher, stored.project_id, stored.sealed)
    except CommandFailed as failure:
        return [Finding("problem", "project", failure.message, failure.next_step)]
    except CipherUnavailable as failure:
        step = "these credentials, and the function's, need kms:Decrypt on the stack's key"
        if deployment.local is not None:
            step = "bring back the key file that the secrets were sealed with, or use an empty store"
        return [Finding("problem", "secrets", failure.reason, step)]
    except StoreUnavailable as failure:
        return [
            Finding("problem", "project", f"{failure.message} ({failure.__cause__})", "check the network")
        ]
    findings = check_project(stored, opened, flags)
    real = {provider: key for provider, key in opened.provider_keys.items() if key != DEMO_KEY}
    if not offline:
        # Not at the top: no other command needs the providers.
        from channeling.providers.registry import is_other_chat_server

        # A running server's own addresses: the key of a company's gateway is not sent to anybody else.
        urls = base_urls_from(os.environ) if deployment.local is None else deployment.local.provider_urls
        trials = (
            _try_key(
                provider,
                key,
                # So is that of a project's own server.
                stored.rules.base_urls.get(provider) or urls[provider],
                is_openrouter=not is_other_chat_server(provider, stored.rules.base_urls.get(provider)),
            )
            for provider, key in real.items()
        )
        findings += await asyncio.gather(*trials)
    return findings


async def _health(base_url: str) -> Finding:
    status, failure = await _status(f"{base_url}/healthz", {})
    return check_health_answer(base_url, status, failure)


async def _try_key(provider: Provider, key: str, base_url: str, *, is_openrouter: bool) -> Finding:
    # Each costs nothing and needs a valid key: Anthropic's and OpenAI's lists of models, OpenRouter's account,
    # and of any other server in its place the list of models.
    bearer = {"authorization": f"Bearer {key}"}
    requests: Mapping[Provider, tuple[str, Mapping[str, str]]] = {
        "anthropic": (
            f"{base_url}/v1/models?limit=1",
            {"x-api-key": key, "anthropic-version": "2023-06-01"},
        ),
        "openai": (f"{base_url}/models", bearer),
        "openrouter": (f"{base_url}/{'key' if is_openrouter else 'models'}", bearer),
    }
    status, failure = await _status(*requests[provider])
    return check_provider_answer(provider, status, failure)


async def _status(url: str, headers: Mapping[str, str]) -> tuple[int | None, str]:
    from channeling.http1.client import HttpClient
    from channeling.http1.errors import HttpError

    client = HttpClient()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            response = await client.send("GET", url, list(headers.items()), b"")
            await response.aclose()
            return response.status, ""
    except HttpError as error:
        return None, f"{error} ({error.__cause__})" if error.__cause__ else str(error)
    except TimeoutError:
        return None, f"no answer within {_TIMEOUT_S:.0f} seconds"
    finally:
        await client.aclose()


def _print(label: str, findings: list[Finding]) -> None:
    print_line(label[0].upper() + label[1:], style="bold")
    for finding in findings:
        mark, style = _MARKS[finding.level]
        print_line(
            f"  {mark}  {finding.subject}: {finding.message}", style="" if finding.level == "ok" else style
        )
        if finding.next_step:
            print_line(f"        next: {finding.next_step}")
