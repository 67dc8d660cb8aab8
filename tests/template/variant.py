"""A template as one set of parameters makes it: conditions decided, what they take away gone."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.sam_cli import HOME, sam_environ

TRANSFORM = Path(__file__).parent / "sam_transform.py"
_NOTHING = object()
PSEUDO = {"AWS::Region": "us-east-1", "AWS::Partition": "aws", "AWS::StackName": "channeling"}


def transform(*asked: tuple[Mapping[str, str], str | None]) -> list[dict[str, Any]]:
    """Return what SAM's transform makes of template.yaml for each (parameters, what has changed)."""
    wanted = [{"parameters": dict(parameters), "changed": changed} for parameters, changed in asked]
    ran = subprocess.run(
        [str(HOME / "bin/python"), str(TRANSFORM)],
        input=json.dumps(wanted),
        env=sam_environ(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    templates: list[dict[str, Any]] = json.loads(ran.stdout)
    return templates


class Variant:
    """The resources, outputs and rules of a template under some parameters and in a region."""

    def __init__(
        self, template: Mapping[str, Any], parameters: Mapping[str, str], region: str = "us-east-1"
    ) -> None:
        self.source = template
        declared = {name: str(each["Default"]) for name, each in template["Parameters"].items()}
        assert set(parameters) <= set(declared), "no such parameter"
        self._given = dict(parameters)
        self._values = {**declared, **parameters, **PSEUDO, "AWS::Region": region}
        self.resources: dict[str, Any] = self._kept("Resources")
        self.outputs: dict[str, Any] = self._kept("Outputs")

    def template(self) -> dict[str, Any]:
        """Return a template of what is left: conditions decided, the parameters' values their defaults."""
        return {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Parameters": {
                name: each | ({"Default": self._given[name]} if name in self._given else {})
                for name, each in self.source["Parameters"].items()
            },
            "Resources": self.resources,
            "Outputs": self.outputs,
        }

    def broken_rules(self) -> list[str]:
        """Return what the rules say against these parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self.source.get("Rules", {}).values()
            if self._is_true(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self._is_true(assertion["Assert"])
        ]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the properties of the resources of a type, by name."""
        return {name: each["Properties"] for name, each in self.resources.items() if each["Type"] == kind}

    def _kept(self, section: str) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, each in self.source[section].items():
            if "Condition" not in each or self._condition(each["Condition"]):
                kept[name] = self._decided({key: value for key, value in each.items() if key != "Condition"})
        return kept

    def _condition(self, name: str) -> bool:
        return self._is_true(self.source["Conditions"][name])

    def _is_true(self, expression: Any) -> bool:
        [(function, value)] = expression.items()
        match function:
            case "Condition":
                return self._condition(value)
            case "Fn::Not":
                return not self._is_true(value[0])
            case "Fn::And":
                return all(map(self._is_true, value))
            case "Fn::Or":
                return any(map(self._is_true, value))
            case "Fn::Equals":
                return self._text(value[0]) == self._text(value[1])
        raise AssertionError(f"no condition: {expression}")

    def _text(self, value: Any) -> str:
        return self._values[value["Ref"]] if isinstance(value, dict) else str(value)

    def _decided(self, value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"Fn::If"}:
                name, then, otherwise = value["Fn::If"]
                return self._decided(then if self._condition(name) else otherwise)
            if value == {"Ref": "AWS::NoValue"}:
                return _NOTHING
            decided = {key: self._decided(each) for key, each in value.items()}
            return {key: each for key, each in decided.items() if each is not _NOTHING}
        if isinstance(value, list):
            return [each for each in map(self._decided, value) if each is not _NOTHING]
        return value


def references(value: Any) -> set[str]:
    """Return the names that a value refers to."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "Ref" and isinstance(each, str):
                found.add(each)
            elif key == "Fn::GetAtt":
                found.add(each[0] if isinstance(each, Sequence) and not isinstance(each, str) else str(each))
            else:
                found |= references(each)
    elif isinstance(value, list):
        found = found.union(*map(references, value))
    return found
