"""A role of template.yaml as IAM reads it: which statements allow a call, and under which conditions."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.template.recording_aws import AwsCall


@dataclass(frozen=True)
class Statement:
    """A statement that allows `actions` on `resource`, an ARN's last part or a name, where its conditions hold."""

    sid: str
    actions: tuple[str, ...]
    resource: str
    conditions: Mapping[str, Mapping[str, Any]]

    def allows(self, call: AwsCall) -> bool:
        """Whether this statement allows a call. Source: IAM User Guide, "Condition operators"."""
        return (
            call.action in self.actions
            and call.resource == self.resource
            and all(
                _holds(operator, key, value, call.context)
                for operator, tests in self.conditions.items()
                for key, value in tests.items()
            )
        )


def _holds(operator: str, key: str, expected: Any, context: Mapping[str, list[str]]) -> bool:
    patterns = expected if isinstance(expected, list) else [expected]
    values = context.get(key, [])
    match operator:
        case "ForAllValues:StringLike":  # true also where there are none
            return all(any(fnmatchcase(value, pattern) for pattern in patterns) for value in values)
        case "ForAllValues:StringEquals":
            return all(value in patterns for value in values)
        case "StringEquals":
            return len(values) == 1 and values[0] in patterns
        case "Null":
            return (not values) == (expected == "true")
    raise AssertionError(f"a condition that this does not know: {operator}")


def statements_of(role: Mapping[str, Any], names: Mapping[str, str]) -> list[Statement]:
    """Return a role's statements; `names` are the deployed names of what they refer to."""
    # The first policy is there where traces are asked for, and is X-Ray's.
    _, policy = role["Properties"]["Policies"]
    return [
        Statement(
            each["Sid"],
            (each["Action"],) if isinstance(each["Action"], str) else tuple(each["Action"]),
            _named(each["Resource"], names),
            each.get("Condition", {}),
        )
        for each in policy["PolicyDocument"]["Statement"]
    ]


def _named(resource: Mapping[str, Any], names: Mapping[str, str]) -> str:
    [(function, value)] = resource.items()
    if function == "Fn::Sub":
        return str(value).rpartition("/")[2]
    return names[value[0] if function == "Fn::GetAtt" else value]
