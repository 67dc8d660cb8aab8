"""Makes CloudFormation of template.yaml as `sam deploy` has it made; run by SAM's own Python, for its library.

Reads a JSON list of {"parameters", "changed"} from standard input, writes the list of templates. `changed` names a
layer or function whose code is another than in the other templates.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


def transformed(parameters: dict[str, str], changed: str | None) -> dict[str, Any]:
    """Return the template that CloudFormation works on, with addresses on S3 in place of folders."""
    template = yaml_parse(TEMPLATE.read_text())
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        for code in ("CodeUri", "ContentUri"):
            if code in properties:
                properties[code] = f"s3://built/{name}{'-changed' if name == changed else ''}"
    translator = Translator(
        managed_policy_map=None,
        sam_parser=Parser(),
        plugins=[],
        boto_session=boto3.Session(region_name="us-east-1"),
    )
    made: dict[str, Any] = translator.translate(
        sam_template=template, parameter_values=parameters, get_managed_policy_map=dict
    )
    return made


if __name__ == "__main__":
    logging.disable()
    asked = json.load(sys.stdin)
    json.dump([transformed(each["parameters"], each["changed"]) for each in asked], sys.stdout)
