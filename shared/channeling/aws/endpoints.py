"""Which region a process works in, and where a service of AWS is in it.

    AWS_REGION | AWS_DEFAULT_REGION
    AWS_ENDPOINT_URL_<SERVICE> | AWS_ENDPOINT_URL      unless AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true
    AWS_USE_FIPS_ENDPOINT  AWS_USE_DUALSTACK_ENDPOINT  true | false

Source: AWS SDKs and Tools Reference Guide, "AWS Region", "Service-specific endpoints" and "Dual-stack and FIPS
endpoints"; a test compares the addresses with those of botocore.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from channeling.aws.errors import AwsConfigurationError

_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+){1,3}-\d{1,2}", re.ASCII)
# By the beginning of a region's name, the longest first: the suffix of its hosts, and that of its dual-stack hosts.
# Source: botocore's partitions.json.
_SUFFIXES = (
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("", "amazonaws.com", "api.aws"),
)
# In GovCloud these have no FIPS hosts of their own, the second not even among the dual-stack ones.
# Source: the endpoint rule sets in botocore's data.
_NO_FIPS_HOST_IN_GOVCLOUD = frozenset({("dynamodb", False), ("events", False), ("events", True)})


class Service(Struct, frozen=True):
    """A service of AWS that speaks JSON: what its API model says of it.

    `variable` is the end of AWS_ENDPOINT_URL_…; `target` comes before an operation's name in X-Amz-Target.
    """

    name: str
    variable: str
    target: str
    json_version: str


DYNAMODB = Service("dynamodb", "DYNAMODB", "DynamoDB_20120810", "1.0")
KMS = Service("kms", "KMS", "TrentService", "1.1")
EVENTBRIDGE = Service("events", "EVENTBRIDGE", "AWSEvents", "1.1")


class Endpoint(Struct, frozen=True):
    """A service at an address: its URL, the host as the request names it, and the region that is signed for."""

    service: Service
    url: str
    host: str
    region: str


def region_of(environ: Mapping[str, str]) -> str:
    """Return the region of a process; raise AwsConfigurationError."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        region = environ.get(name, "").strip()
        if region:
            if not _REGION.fullmatch(region):
                raise AwsConfigurationError(
                    f"{name} must be an AWS region such as eu-central-1, not {region[:40]!r}"
                )
            return region
    raise AwsConfigurationError("AWS_REGION is not set: it names the AWS region")


def endpoint_of(service: Service, environ: Mapping[str, str]) -> Endpoint:
    """Return where a service is reached; raise AwsConfigurationError."""
    region = region_of(environ)
    if not _is_true(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        for name in (f"AWS_ENDPOINT_URL_{service.variable}", "AWS_ENDPOINT_URL"):
            url = environ.get(name, "").strip()
            if url:
                return endpoint_at(service, url, region, named=name)
    url = regional_url(
        service.name,
        region,
        fips=_is_true(environ, "AWS_USE_FIPS_ENDPOINT"),
        dual_stack=_is_true(environ, "AWS_USE_DUALSTACK_ENDPOINT"),
    )
    return endpoint_at(service, url, region)


def endpoint_at(service: Service, url: str, region: str, *, named: str = "the endpoint") -> Endpoint:
    """Return a service at a URL; raise AwsConfigurationError where that is no bare http(s) address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AwsConfigurationError(f"{named} is not a URL") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
        or any(character <= " " or character > "~" for character in url)
    ):
        raise AwsConfigurationError(f"{named} must be an address such as http://127.0.0.1:8000")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        host = f"{host}:{port}"
    return Endpoint(service, f"{parts.scheme}://{host}/", host, region)


def regional_url(service: str, region: str, *, fips: bool = False, dual_stack: bool = False) -> str:
    """Return the address of a service in a region, by AWS's own rules."""
    suffix, dual_suffix = next(
        (plain, dual) for beginning, plain, dual in _SUFFIXES if region.startswith(beginning)
    )
    if region.startswith("us-gov-") and (service, dual_stack) in _NO_FIPS_HOST_IN_GOVCLOUD:
        fips = False
    return f"https://{service}{'-fips' if fips else ''}.{region}.{dual_suffix if dual_stack else suffix}"


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "true"
