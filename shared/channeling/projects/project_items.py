"""Projects as DynamoDB items and back; the secrets as the bytes that are encrypted."""

import json
from types import MappingProxyType
from typing import cast, get_args

from channeling.base_url import BaseUrlInvalid, checked_base_url
from channeling.dynamodb import Item, Value
from channeling.enforcement import Enforcement
from channeling.projects.errors import ProjectInvalid, SecretsTooLarge
from channeling.projects.project import ProjectRules, ProjectSecrets, ProjectStatus
from channeling.provider import Provider

PROJECT_SORT_KEY = "project"
SECRETS_SORT_KEY = "secrets"
PRICE_SORT_KEY_PREFIX = "price#"
GLOBAL_PRICES_PARTITION = "*"

MAX_SECRETS_BYTES = 4_000  # KMS encrypts 4,096 bytes in one call (AWS KMS API Reference, Encrypt)
MAX_HMAC_SECRETS = 2
OPTIONAL_RULES = ("enforcement", "max_concurrent", "max_ai_microusd", "monthly_cap_microusd", "delete_at_ms")
MAX_RULES_BYTES = 64_000  # far below DynamoDB's 400 KB an item: these are read with every request's project


def rules_attributes(rules: ProjectRules) -> Item:
    """Return the attributes of rules; those that are None are left out. Raises ProjectInvalid."""
    _check_rules(rules)
    attributes: Item = {
        "name": rules.name,
        "status": rules.status,
        "allow_unbounded_tools": rules.allow_unbounded_tools,
        "aliases": dict[str, Value](rules.aliases),
        "base_urls": dict[str, Value](rules.base_urls.items()),
        "openrouter_native_anthropic": rules.openrouter_native_anthropic,
    }
    for name in OPTIONAL_RULES:
        value: str | int | None = getattr(rules, name)
        if value is not None:
            attributes[name] = value
    return attributes


def rules_from_item(item: Item) -> ProjectRules:
    """Return the rules of a stored project; attributes of a later version are passed over."""
    aliases = cast(dict[str, str], item.get("aliases") or {})
    base_urls = cast(dict[Provider, str], item.get("base_urls") or {})
    return ProjectRules(
        name=str(item.get("name", "")),
        # Whatever is not plainly active is not served.
        status="active" if item.get("status") == "active" else "disabled",
        enforcement=_enforcement(item.get("enforcement")),
        aliases=MappingProxyType(aliases),
        max_concurrent=cast(int | None, item.get("max_concurrent")),
        max_ai_microusd=cast(int | None, item.get("max_ai_microusd")),
        allow_unbounded_tools=item.get("allow_unbounded_tools") is True,
        monthly_cap_microusd=cast(int | None, item.get("monthly_cap_microusd")),
        delete_at_ms=cast(int | None, item.get("delete_at_ms")),
        base_urls=MappingProxyType(base_urls),
        openrouter_native_anthropic=item.get("openrouter_native_anthropic") is not False,
    )


def encode_secrets(secrets: ProjectSecrets) -> bytes:
    """Return the plaintext to encrypt; raise ProjectInvalid or, over 4,000 bytes, SecretsTooLarge."""
    if len(secrets.hmac_secrets) > MAX_HMAC_SECRETS:
        raise ProjectInvalid(f"a project has at most {MAX_HMAC_SECRETS} HMAC secrets")
    content = {"hmac": list(secrets.hmac_secrets), "keys": dict(secrets.provider_keys)}
    plaintext = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    if len(plaintext) > MAX_SECRETS_BYTES:
        raise SecretsTooLarge(
            f"the secrets of a project may have {MAX_SECRETS_BYTES} bytes together; these have {len(plaintext)}"
        )
    return plaintext


def decode_secrets(plaintext: bytes) -> ProjectSecrets:
    """Return the secrets of a decrypted plaintext.

    Keys of providers that only a later version knows stay in, so that changing another key does not lose them.
    """
    content = json.loads(plaintext)
    keys = cast(dict[Provider, str], content["keys"])
    return ProjectSecrets(tuple(content["hmac"]), MappingProxyType(keys))


def _check_rules(rules: ProjectRules) -> None:
    if not rules.name or len(rules.name) > 200 or not rules.name.isprintable():
        raise ProjectInvalid("a project's name has 1 to 200 printable characters")
    if rules.status not in get_args(ProjectStatus):
        raise ProjectInvalid("a project's status is active or disabled")
    if rules.enforcement is not None and rules.enforcement not in get_args(Enforcement):
        raise ProjectInvalid(f"enforcement is one of {', '.join(get_args(Enforcement))}")
    if rules.max_concurrent is not None and not 1 <= rules.max_concurrent <= 128:
        raise ProjectInvalid("max_concurrent is 1 to 128")
    if rules.max_ai_microusd is not None and not 0 <= rules.max_ai_microusd <= 10**12:
        raise ProjectInvalid("max_ai_microusd is 0 to 10^12 (a million dollars)")
    if rules.monthly_cap_microusd is not None and not 0 <= rules.monthly_cap_microusd <= 10**12:
        raise ProjectInvalid("monthly_cap_microusd is 0 to 10^12 (a million dollars)")
    if not all(alias and target for alias, target in rules.aliases.items()):
        raise ProjectInvalid("neither an alias nor the model it stands for can be empty")
    if any(len(name) > 256 or not name.isprintable() for name in (*rules.aliases, *rules.aliases.values())):
        raise ProjectInvalid("an alias and the model it stands for have up to 256 printable characters")
    if len(json.dumps(dict(rules.aliases))) > MAX_RULES_BYTES:
        raise ProjectInvalid(f"a project's aliases are over {MAX_RULES_BYTES} bytes together")
    for provider, base_url in rules.base_urls.items():
        _check_base_url(provider, base_url)


def _check_base_url(provider: str, base_url: str) -> None:
    if provider not in get_args(Provider):
        raise ProjectInvalid(f"a base URL is for one of {', '.join(get_args(Provider))}")
    try:
        checked = checked_base_url(base_url)
    except BaseUrlInvalid as error:
        raise ProjectInvalid(f"the base URL of {provider} {error}") from error
    if checked != base_url:
        raise ProjectInvalid(f"the base URL of {provider} must not end with a slash")
    if provider == "anthropic" and base_url.endswith("/v1"):
        raise ProjectInvalid("the base URL of anthropic goes without /v1, as in Anthropic's own SDKs")


def _enforcement(value: Value) -> Enforcement | None:
    for known in get_args(Enforcement):
        if value == known:
            return cast(Enforcement, known)
    # An unknown word is not read as "as the deployment says", which may be the laxer one.
    return None if value is None else "strict"
