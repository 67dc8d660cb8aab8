"""Each way to deploy is a template that CloudFormation takes, with the URL on what is meant, open to callers."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from emulator.sam_cli import HOME, sam_environ
from tests.template.variant import PSEUDO, Variant, references, transform

pytestmark = pytest.mark.sam

ROOT = Path(__file__).parents[2]
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/mine/12345678-1234-1234-1234-123456789012"
INSTANCES = {
    "ComputeMode": "ManagedInstances",
    "InstanceSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "InstanceSecurityGroupIds": "sg-0123456789abcdef0",
}
DOMAIN = {"DomainName": "ai.example.com", "CertificateArn": CERTIFICATE}
EVERYTHING = {
    "ComputeMode": "SnapStart",
    "AlarmEmail": "ops@example.com",
    "Tracing": "Active",
    "MessagesReservedConcurrency": "50",
    "ReconcileReservedConcurrency": "2",
    "AdminReservedConcurrency": "10",
    **DOMAIN,
}
VARIANTS: dict[str, tuple[dict[str, str], str]] = {
    "defaults": ({}, "us-east-1"),
    "x86_64": ({"Architecture": "x86_64"}, "us-east-1"),
    "SnapStart": ({"ComputeMode": "SnapStart"}, "us-east-1"),
    "ManagedInstances": (INSTANCES, "us-east-1"),
    "domain": (DOMAIN, "us-east-1"),
    "domain-elsewhere": (DOMAIN, "eu-central-1"),
    "domain-and-web-acl": ({**DOMAIN, "WebAclArn": WEB_ACL}, "eu-central-1"),
    "instances-with-domain": ({**INSTANCES, **DOMAIN}, "us-east-1"),
    "everything": (EVERYTHING, "us-east-1"),
}
# Parameters, what has other code, and whether that makes a new version of the function.
CHANGES: list[tuple[dict[str, str], str | None, bool]] = [
    ({}, None, False),
    ({}, "MessagesFunction", True),
    # Almost all code is in layers.
    ({}, "CoreLayer", True),
    ({}, "RuntimeLayer", True),
    ({}, "MessagesDependenciesLayer", True),
    ({}, "AdminLayer", False),
    ({"MessagesMemoryMegabytes": "1024"}, None, True),
    ({"Enforcement": "strict"}, None, True),
    ({"ComputeMode": "SnapStart"}, None, True),
    ({"CorsOrigins": "*"}, None, False),  # what `Release` is for
    ({"CorsOrigins": "*", "Release": "2"}, None, True),
]


@pytest.fixture(scope="module")
def variants() -> dict[str, Variant]:
    templates = transform(*((parameters, None) for parameters, _ in VARIANTS.values()))
    return {
        name: Variant(template, *VARIANTS[name]) for name, template in zip(VARIANTS, templates, strict=True)
    }


def test_cfn_lint_finds_nothing_in_any(variants: dict[str, Variant], tmp_path: Path) -> None:
    files = []
    for name, variant in variants.items():
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(variant.template()))
        files.append(str(file))
    # W2001: a parameter that is used only by what is not in this variant.
    ran = subprocess.run(
        [str(HOME / "bin/cfn-lint"), "--format", "parseable", "--ignore-checks", "W2001", "--", *files],
        env=sam_environ(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.stdout.splitlines() == []
    assert ran.returncode == 0, ran.stderr


def test_sam_takes_the_template() -> None:
    """`sam validate`, which samconfig.toml has lint as well."""
    ran = subprocess.run(
        [str(HOME / "bin/sam"), "validate", "--config-env", "prod"],
        cwd=ROOT,
        env=sam_environ(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_refers_to_what_is_not_there(variants: dict[str, Variant], name: str) -> None:
    variant = variants[name]
    there = set(variant.resources) | set(variant.template()["Parameters"]) | set(PSEUDO) | {"AWS::AccountId"}
    assert references(variant.resources) | references(variant.outputs) <= there


@pytest.mark.parametrize("name", VARIANTS)
def test_there_is_one_messages_function_whose_alias_everybody_may_call_by_url(
    variants: dict[str, Variant], name: str
) -> None:
    variant = variants[name]
    expected = "MessagesOnInstancesFunction" if "nstances" in name else "MessagesFunction"
    functions = variant.of_type("AWS::Lambda::Function")
    assert set(functions) == {expected, "ReconcileFunction", "AdminFunction"}
    alias = {"Ref": f"{expected}Aliaslive"}
    url = variant.of_type("AWS::Lambda::Url")[f"{expected}Url"]
    assert url == {"TargetFunctionArn": alias, "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}
    permissions = [
        each for each in variant.of_type("AWS::Lambda::Permission").values() if each["FunctionName"] == alias
    ]
    assert sorted(permissions, key=lambda each: str(each["Action"])) == [
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": alias,
            "Principal": "*",
            "InvokedViaFunctionUrl": True,
        },
        {
            "Action": "lambda:InvokeFunctionUrl",
            "FunctionName": alias,
            "Principal": "*",
            "FunctionUrlAuthType": "NONE",
        },
    ]


def test_how_it_runs_is_one_of_three(variants: dict[str, Variant]) -> None:
    def of(name: str, function: str) -> dict[str, Any]:
        properties: dict[str, Any] = variants[name].of_type("AWS::Lambda::Function")[function]
        return properties

    on_demand, snap_start = (of(name, "MessagesFunction") for name in ("defaults", "SnapStart"))
    instances = of("ManagedInstances", "MessagesOnInstancesFunction")
    assert on_demand["SnapStart"] == {"ApplyOn": "None"}
    assert snap_start["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert "SnapStart" not in instances
    assert "CapacityProviderConfig" not in on_demand
    [(attribute, config)] = instances["CapacityProviderConfig"].items()
    assert attribute == "LambdaManagedInstancesCapacityProviderConfig"
    assert config["CapacityProviderArn"] == {"Fn::GetAtt": ["InstanceCapacity", "Arn"]}
    # What is the same for both is the same: code, layers, handler, role, variables, log.
    differing = {"Description", "MemorySize", "SnapStart", "CapacityProviderConfig", "Code"}
    for name in set(on_demand) | set(instances):
        if name not in differing:
            assert on_demand.get(name) == instances.get(name), name


def test_managed_instances_leave_nothing_that_the_others_are_deployed_by(
    variants: dict[str, Variant],
) -> None:
    assert variants["ManagedInstances"].of_type("AWS::CodeDeploy::DeploymentGroup") == {}
    [group] = variants["defaults"].of_type("AWS::CodeDeploy::DeploymentGroup").values()
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    named = {each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]}
    assert named == {"MessagesErrorsAlarm", "GatewayFailuresAlarm"}


@pytest.mark.parametrize(
    ("name", "has_acl", "acl"),
    [
        ("domain", True, {"Fn::GetAtt": ["WebAcl", "Arn"]}),
        ("domain-elsewhere", False, None),
        ("domain-and-web-acl", False, {"Ref": "WebAclArn"}),
    ],
)
def test_a_web_acl_is_made_where_cloudfront_takes_it_from(
    variants: dict[str, Variant], name: str, has_acl: bool, acl: object
) -> None:
    variant = variants[name]
    assert bool(variant.of_type("AWS::WAFv2::WebACL")) == has_acl
    [distribution] = variant.of_type("AWS::CloudFront::Distribution").values()
    assert distribution["DistributionConfig"].get("WebACLId") == acl


def test_without_a_domain_there_is_no_distribution(variants: dict[str, Variant]) -> None:
    assert variants["defaults"].of_type("AWS::CloudFront::Distribution") == {}
    assert variants["defaults"].of_type("AWS::SNS::Topic") == {}


@pytest.mark.parametrize("name", ["defaults", "everything"])
def test_alarms_write_to_somebody_where_somebody_is_named(variants: dict[str, Variant], name: str) -> None:
    alarms = variants[name].of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) == 13
    actions = [{"Ref": "AlarmTopic"}] if name == "everything" else None
    assert [each.get("AlarmActions") for each in alarms.values()] == [actions] * len(alarms)


@pytest.mark.parametrize(
    ("parameters", "broken"),
    [
        ({}, []),
        (INSTANCES, []),
        (DOMAIN, []),
        ({"DomainName": "ai.example.com"}, ["DomainName needs CertificateArn."]),
        (
            {"ComputeMode": "ManagedInstances"},
            [
                "ManagedInstances need InstanceSubnetIds.",
                "ManagedInstances need InstanceSecurityGroupIds.",
            ],
        ),
    ],
)
def test_what_needs_more_says_so(
    variants: dict[str, Variant], parameters: dict[str, str], broken: list[str]
) -> None:
    template = variants["defaults"].source
    assert Variant(template, parameters).broken_rules() == broken


def _version(template: dict[str, Any]) -> str:
    [name] = [
        name
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Version" and name.startswith("MessagesFunction")
    ]
    return str(name)


@pytest.mark.parametrize(("parameters", "changed", "is_new"), CHANGES)
def test_a_change_makes_a_new_version_of_the_function(
    versions: dict[str, str], parameters: dict[str, str], changed: str | None, is_new: bool
) -> None:
    assert (versions[_key(parameters, changed)] != versions[_key({}, None)]) == is_new


def _key(parameters: dict[str, str], changed: str | None) -> str:
    return json.dumps([parameters, changed], sort_keys=True)


@pytest.fixture(scope="module")
def versions() -> dict[str, str]:
    asked = [(parameters, changed) for parameters, changed, _ in CHANGES]
    return {
        _key(parameters, changed): _version(template)
        for (parameters, changed), template in zip(asked, transform(*asked), strict=True)
    }
