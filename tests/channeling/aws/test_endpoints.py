"""A service is where AWS's own rules put it, or where the environment says; what is no address is refused."""

import itertools

import botocore.session
import pytest
from botocore.regions import EndpointRulesetResolver

from channeling.aws.endpoints import (
    DYNAMODB,
    EVENTBRIDGE,
    KMS,
    Service,
    endpoint_at,
    endpoint_of,
    region_of,
    regional_url,
)
from channeling.aws.errors import AwsConfigurationError

SERVICES = (DYNAMODB, KMS, EVENTBRIDGE)


def test_addresses_are_those_of_botocore() -> None:
    """One region of each partition, GovCloud's both, with every combination of FIPS and dual-stack."""
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    partitions = loader.load_data("partitions")["partitions"]
    regions = [partition["outputs"]["implicitGlobalRegion"] for partition in partitions]
    regions += [
        "us-gov-east-1",
        "eu-central-2",
        "ap-southeast-5",
        "cn-north-1",
        "mx-central-1",
        "us-isob-east-1",
    ]
    for service in SERVICES:
        rules = loader.load_service_model(service.name, "endpoint-rule-set-1")
        resolver = EndpointRulesetResolver(
            endpoint_ruleset_data=rules,
            partition_data=loader.load_data("partitions"),
            service_model=session.get_service_model(service.name),
            builtins={},
            client_context=None,
            event_emitter=session.get_component("event_emitter"),
            use_ssl=True,
        )
        for region, fips, dual in itertools.product(regions, (False, True), (False, True)):
            arguments = {"Region": region, "UseFIPS": fips, "UseDualStack": dual}
            theirs = resolver._provider.resolve_endpoint(**arguments).url
            assert regional_url(service.name, region, fips=fips, dual_stack=dual) == theirs, arguments


def test_service_models_say_the_same_of_each_service() -> None:
    session = botocore.session.get_session()
    for service in SERVICES:
        model = session.get_service_model(service.name)
        assert service.target == model.metadata["targetPrefix"]
        assert service.json_version == model.metadata["jsonVersion"]
        assert service.variable == model.metadata["serviceId"].upper()
        assert service.name == model.signing_name


@pytest.mark.parametrize(
    ("environ", "url", "host"),
    [
        ({}, "https://dynamodb.eu-west-1.amazonaws.com/", "dynamodb.eu-west-1.amazonaws.com"),
        (
            {"AWS_REGION": "cn-north-1", "AWS_DEFAULT_REGION": "eu-west-1"},
            "https://dynamodb.cn-north-1.amazonaws.com.cn/",
            "dynamodb.cn-north-1.amazonaws.com.cn",
        ),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ({"AWS_ENDPOINT_URL": "http://[::1]:8000/"}, "http://[::1]:8000/", "[::1]:8000"),
        (
            {"AWS_ENDPOINT_URL": "http://a.test", "AWS_ENDPOINT_URL_DYNAMODB": "https://B.test:443"},
            "https://b.test/",
            "b.test",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://a.test", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://dynamodb.eu-west-1.amazonaws.com/",
            "dynamodb.eu-west-1.amazonaws.com",
        ),
        (
            {"AWS_USE_FIPS_ENDPOINT": "TRUE", "AWS_USE_DUALSTACK_ENDPOINT": "false"},
            "https://dynamodb-fips.eu-west-1.amazonaws.com/",
            "dynamodb-fips.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_the_environment_says_where(environ: dict[str, str], url: str, host: str) -> None:
    endpoint = endpoint_of(DYNAMODB, {"AWS_REGION": "eu-west-1", **environ})
    assert (endpoint.url, endpoint.host) == (url, host)


def test_a_port_that_the_scheme_implies_is_not_part_of_the_host() -> None:
    """The host is signed, and HTTP clients leave that port out of it."""
    assert endpoint_at(KMS, "http://kms.test:80", "eu-west-1").host == "kms.test"
    assert endpoint_at(KMS, "http://kms.test:443", "eu-west-1").host == "kms.test:443"


@pytest.mark.parametrize(
    "region", ["", "eu-west-1/../..", "EU-WEST-1", "eu-west-1\nx", "eu_west_1", "x" * 500, "münchen-1"]
)
def test_what_is_no_region_is_refused(region: str) -> None:
    """It would become a part of the host that credentials' signatures are sent to."""
    with pytest.raises(AwsConfigurationError, match="AWS_REGION"):
        region_of({"AWS_REGION": region})


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://127.0.0.1",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://user:pass@host",
        "http://host/path",
        "http://host?x=1",
        "http://host#x",
        "http://ho st",
        "http://host\r\nx",
        "http://[::1",
        "http://mün.test",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(AwsConfigurationError, match="AWS_ENDPOINT_URL_KMS"):
        endpoint_of(KMS, {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_KMS": f"{url}"})


def test_no_region_is_said() -> None:
    with pytest.raises(AwsConfigurationError, match="AWS_REGION is not set"):
        endpoint_of(Service("kms", "KMS", "T", "1.1"), {})
