"""The API's description as one page of plain HTML: no script, one style sheet of its own."""

from html import escape
from typing import Any

DOCS_STYLE = """:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
section { border-top: 1px solid #8888; padding: .5rem 0; }
h2 { margin-top: 2.5rem; } h3 { margin: .5rem 0; font-size: 1rem; }
table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; vertical-align: top; }
"""


def docs_page(openapi: dict[str, Any]) -> str:
    """Return the page of an OpenAPI description."""
    info = openapi["info"]
    schemas = openapi.get("components", {}).get("schemas", {})
    by_tag: dict[str, list[str]] = {}
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            section = _operation(method, path, operation, schemas)
            by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(section)
    sections = "".join(
        f"<h2>{escape(tag.capitalize())}</h2>{''.join(operations)}" for tag, operations in by_tag.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(info["title"])}</title><link rel="stylesheet" href="docs.css"></head><body><main>'
        f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>"
        "<p>Every call carries an admin token, <code>Authorization: Bearer TOKEN</code>; paths begin after this"
        ' page\'s own. For tools: <a href="openapi.json">openapi.json</a>.</p>'
        f"{sections}</main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    rows = [
        _row(
            each["name"],
            f"{each['in']}, {_type(each['schema'])}",
            each.get("description", ""),
            each.get("required"),
        )
        for each in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = schemas.get(content.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
    required = body.get("required", [])
    rows += [
        _row(name, f"body, {_type(each)}", each.get("description", ""), name in required)
        for name, each in body.get("properties", {}).items()
    ]
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    return (
        f"<section><h3><code>{escape(method.upper())} {escape(path)}</code></h3>"
        f"<p>{escape(operation.get('description', operation.get('summary', '')))}</p>{table}</section>"
    )


def _row(name: str, kind: str, description: str, required: object) -> str:
    needed = "required" if required else ""
    cells = (f"<code>{escape(name)}</code>", escape(kind), needed, escape(description))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _type(schema: dict[str, Any]) -> str:
    choices = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    names = [
        " | ".join(map(str, each["enum"]))
        if "enum" in each
        else str(each.get("format") or each.get("type", "value"))
        for each in choices
    ]
    return " | ".join(names)
