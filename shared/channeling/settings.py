"""What a deployment is configured with, read once from environment variables.

    CHANNELING_PROJECTS_TABLE  CHANNELING_BUDGETS_TABLE  CHANNELING_USAGE_TABLE    table names, required
    CHANNELING_KMS_KEY_ID | CHANNELING_KEY_FILE          what secrets are encrypted with: exactly one
    CHANNELING_ANTHROPIC_BASE_URL                        https://api.anthropic.com        (without /v1)
    CHANNELING_OPENAI_BASE_URL                           https://api.openai.com/v1
    CHANNELING_OPENROUTER_BASE_URL                       https://openrouter.ai/api/v1
    CHANNELING_MAX_REQUEST_SECONDS                       900       longest request
    CHANNELING_PING_AFTER_SECONDS                        15        silence in a stream before a ping is sent
    CHANNELING_PROJECT_CACHE_MILLISECONDS                60000     how long a project that was read counts as fresh
    CHANNELING_MAX_BODY_BYTES                            33554432  largest request body
    CHANNELING_CORS_ORIGINS                              none      comma-separated, or *
    CHANNELING_ENFORCEMENT                               elastic   strict or soft; a project may set its own
    CHANNELING_MAX_CONCURRENT                            100       requests in flight per user and window kind
    CHANNELING_CEILING_INPUT_USD_PER_MTOK                30        the price of a model that no price is known for
    CHANNELING_CEILING_OUTPUT_USD_PER_MTOK               150
    CHANNELING_ALERT_EVENT_BUS                           none      EventBridge bus that is told of marks of budgets
    CHANNELING_METRICS_DEPLOYMENT                        none      name of its metrics, which are lines of JSON

An empty variable counts as unset: CloudFormation parameters without a value arrive that way.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from msgspec import Struct, field

from channeling.base_url import BaseUrlInvalid, checked_base_url
from channeling.enforcement import Enforcement
from channeling.provider import Provider
from channeling.tables import TableNames

# Each in the convention of that vendor's own SDK, so that a value set for the SDK works here.
DEFAULT_BASE_URLS: Mapping[Provider, str] = MappingProxyType(
    {
        "anthropic": "https://api.anthropic.com",
        "openai": "https://api.openai.com/v1",
        "openrouter": "https://openrouter.ai/api/v1",
    }
)
_BASE_URL_VARIABLES: Mapping[Provider, str] = MappingProxyType(
    {
        "anthropic": "CHANNELING_ANTHROPIC_BASE_URL",
        "openai": "CHANNELING_OPENAI_BASE_URL",
        "openrouter": "CHANNELING_OPENROUTER_BASE_URL",
    }
)
NANOUSD_PER_USD = 1_000_000_000
# A hold outlives the longest request by this much, and no hold may outlive the shortest window (an hour).
HOLD_MARGIN_S = 60
MAX_REQUEST_S_LIMIT = 3600 - HOLD_MARGIN_S - 1


class SettingsError(ValueError):
    """A variable is missing or malformed; the message names it and says what it should hold."""


class Settings(Struct, frozen=True):
    """A deployment's configuration. Prices in nanodollars per million tokens."""

    tables: TableNames
    kms_key_id: str | None = None
    key_file: Path | None = None
    base_urls: Mapping[Provider, str] = field(default_factory=lambda: DEFAULT_BASE_URLS)
    max_request_s: int = 900
    ping_after_s: float = 15.0
    project_cache_ms: int = 60_000
    max_body_bytes: int = 32 * 1024 * 1024
    cors_origins: tuple[str, ...] = ()
    enforcement: Enforcement = "elastic"
    max_concurrent: int = 100
    ceiling_input_nanousd_per_mtok: int = 30 * NANOUSD_PER_USD
    ceiling_output_nanousd_per_mtok: int = 150 * NANOUSD_PER_USD
    alert_event_bus: str | None = None
    metrics_deployment: str | None = None
    # A function on AWS Lambda, by a variable that its runtime sets: what is beside it are its own credentials.
    on_lambda: bool = False

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts, with port, that the deployment itself sends requests to."""
        return frozenset(urlsplit(base_url).netloc for base_url in self.base_urls.values())

    @property
    def hold_lifetime_s(self) -> int:
        """Seconds after which a hold counts as left behind by a request that died."""
        return self.max_request_s + HOLD_MARGIN_S

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from environment variables; raise SettingsError naming the first that is wrong."""
        variables = {name: value.strip() for name, value in environ.items() if value.strip()}
        kms_key_id, key_file = variables.get("CHANNELING_KMS_KEY_ID"), variables.get("CHANNELING_KEY_FILE")
        if (kms_key_id is None) == (key_file is None):
            raise SettingsError(
                "set exactly one of CHANNELING_KMS_KEY_ID (a KMS key) and CHANNELING_KEY_FILE (the path of a "
                f"local key file): {'both are' if kms_key_id else 'neither is'} set"
            )
        return cls(
            tables=TableNames(
                _required(variables, "CHANNELING_PROJECTS_TABLE"),
                _required(variables, "CHANNELING_BUDGETS_TABLE"),
                _required(variables, "CHANNELING_USAGE_TABLE"),
            ),
            kms_key_id=kms_key_id,
            key_file=Path(key_file) if key_file else None,
            base_urls=base_urls_from(variables),
            max_request_s=_integer(variables, "CHANNELING_MAX_REQUEST_SECONDS", 900, 1, MAX_REQUEST_S_LIMIT),
            ping_after_s=_integer(variables, "CHANNELING_PING_AFTER_SECONDS", 15, 1, 300),
            project_cache_ms=_integer(variables, "CHANNELING_PROJECT_CACHE_MILLISECONDS", 60_000, 0, 60_000),
            max_body_bytes=_integer(variables, "CHANNELING_MAX_BODY_BYTES", 32 * 1024 * 1024, 1024, 2**30),
            cors_origins=_origins(variables, "CHANNELING_CORS_ORIGINS"),
            enforcement=_enforcement(variables, "CHANNELING_ENFORCEMENT"),
            # A budget item of 128 holds stays under 3 KB, so under 3 write units.
            max_concurrent=_integer(variables, "CHANNELING_MAX_CONCURRENT", 100, 1, 128),
            ceiling_input_nanousd_per_mtok=_price(variables, "CHANNELING_CEILING_INPUT_USD_PER_MTOK", 30),
            ceiling_output_nanousd_per_mtok=_price(variables, "CHANNELING_CEILING_OUTPUT_USD_PER_MTOK", 150),
            alert_event_bus=variables.get("CHANNELING_ALERT_EVENT_BUS"),
            metrics_deployment=_dimension(variables, "CHANNELING_METRICS_DEPLOYMENT"),
            on_lambda="AWS_LAMBDA_FUNCTION_NAME" in variables,
        )


def base_urls_from(environ: Mapping[str, str]) -> Mapping[Provider, str]:
    """Return each provider's base URL without a trailing slash; raise SettingsError for what is none."""
    urls: dict[Provider, str] = {}
    for provider, variable in _BASE_URL_VARIABLES.items():
        urls[provider] = _base_url(variable, environ.get(variable) or DEFAULT_BASE_URLS[provider])
    if urls["anthropic"].endswith("/v1"):
        raise SettingsError("CHANNELING_ANTHROPIC_BASE_URL goes without /v1, as in Anthropic's own SDKs")
    return MappingProxyType(urls)


def _required(variables: Mapping[str, str], name: str) -> str:
    if name not in variables:
        raise SettingsError(f"{name} is not set: it holds the name of a DynamoDB table")
    return variables[name]


def _integer(variables: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = variables.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 12) or not low <= int(text) <= high:
        raise SettingsError(f"{name} must be a whole number from {low} to {high}, not {text[:40]!r}")
    return int(text)


def _price(variables: Mapping[str, str], name: str, default_usd: int) -> int:
    text = variables.get(name)
    if text is None:
        return default_usd * NANOUSD_PER_USD
    try:
        usd = Decimal(text)
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or not 0 < usd <= 10_000 or usd != round(usd, 9):
        raise SettingsError(
            f"{name} must be dollars per million tokens, above 0 and at most 10000, not {text[:40]!r}"
        )
    return int(usd * NANOUSD_PER_USD)


def _base_url(name: str, text: str) -> str:
    try:
        return checked_base_url(text)
    except BaseUrlInvalid as error:
        raise SettingsError(f"{name} {error}") from error


def _origins(variables: Mapping[str, str], name: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in variables.get(name, "").split(",") if origin.strip())
    for origin in origins:
        if origin == "*":
            continue
        if _base_url(name, origin) != origin or urlsplit(origin).path:
            raise SettingsError(f"{name} must list origins such as https://app.example.com, not {origin!r}")
    return origins


def _dimension(variables: Mapping[str, str], name: str) -> str | None:
    text = variables.get(name)
    if text is None:
        return None
    # What CloudWatch takes as a dimension's value: ASCII that is seen, and not a colon first.
    if len(text) > 255 or not text.isascii() or not text.isprintable() or text.startswith(":"):
        raise SettingsError(f"{name} must be up to 255 letters and digits, not {text[:40]!r}")
    return text


def _enforcement(variables: Mapping[str, str], name: str) -> Enforcement:
    match variables.get(name, "elastic"):
        case "elastic":
            return "elastic"
        case "strict":
            return "strict"
        case "soft":
            return "soft"
        case other:
            raise SettingsError(f"{name} must be elastic, strict or soft, not {other!r}")
