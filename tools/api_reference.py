"""Generate the API's OpenAPI document and its reference page from the API's definition.

`python -m tools.api_reference` writes web/public/api/openapi.json, which the portal serves as
/api/openapi.json, and web/public/api.html. A test compares both with the definition.
"""

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from tools.paths import ROOT
from tools.template_yaml import yaml_parse

DEFINITION: Final = ROOT / "stacks" / "school.yaml"
DOCUMENT: Final = ROOT / "web" / "public" / "api" / "openapi.json"
PAGE: Final = ROOT / "web" / "public" / "api.html"
#: The page with the navigation that each page has.
TEMPLATE: Final = ROOT / "web" / "public" / "upgrade.html"
#: In the order of the page.
METHODS: Final = ("get", "post", "put", "delete")
_STUDENTS: Final = "students"
_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": (
        "An access token of the user pool. Pages of the portal send none: CloudFront takes it from "
        "the session's cookie."
    ),
}
#: Limits of a schema that the page shows, with their words.
_LIMITS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxItems": "at most {} items",
}
#: Lines of the page's head, and the lines of the template that they replace.
_HEAD: Final = {
    # The reference is in English only.
    '<html lang="en">': '<html lang="en" data-translated>',
    "": '<meta name="robots" content="noindex">\n',
    "Reference of the API of Meridian School.": "How to open the paid lessons of the school.",
}

_INTRODUCTION: Final = (
    "<p>The paths are below <code>/api</code>. The same as a file: "
    '<a href="/api/openapi.json">openapi.json</a>. An error has the media type '
    "<code>application/problem+json</code> and a stable <code>code</code> "
    '(<a href="#schema-Problem">Problem</a>). The operations with <code>further-1</code> in their '
    "path exist if the stage has a further Region, and the same with <code>further-2</code> to "
    "<code>further-4</code> for the next ones.</p>"
)

type Node = Mapping[str, Any]


def document() -> dict[str, Any]:
    """Return the OpenAPI document without API Gateway's extensions, preflights and refusals."""
    resources = yaml_parse(DEFINITION.read_text())["Resources"]
    body = resources["Api"]["Properties"]["DefinitionBody"]
    components = _included(body["components"])
    paths = {
        path: _path(_included(item)) for path, item in body["paths"].items() if _is_described(path)
    }
    return {
        "openapi": body["openapi"],
        "info": {
            "title": "Meridian School API",
            "version": body["info"]["version"],
            "description": body["info"]["description"],
        },
        "servers": [{"url": "/api"}],
        "paths": paths,
        "components": {
            "securitySchemes": {_STUDENTS: _SCHEME},
            "schemas": components["schemas"],
        },
    }


def _is_described(path: str) -> bool:
    """Return whether the reference has a path: one further Region stands for all."""
    return not re.search(r"/further-[2-9](/|$)", path)


def _included(node: Node) -> Any:
    """Return the file that AWS::Include inserts here, if the stage has the Region."""
    if "Fn::If" in node:
        node = node["Fn::If"][1]
    location = node["Fn::Transform"]["Parameters"]["Location"]
    return yaml_parse((DEFINITION.parent / location).read_text())


def _path(item: Node) -> dict[str, Any]:
    return {method: _operation(item[method]) for method in METHODS if method in item}


def _operation(operation: Node) -> dict[str, Any]:
    described = {name: it for name, it in operation.items() if not name.startswith("x-amazon-")}
    # CloudFront adds the key of the second scheme (decision 0017).
    needs_token = any(_STUDENTS in scheme for scheme in operation["security"])
    # OpenAPI 3.0: scopes are for oauth2 and openIdConnect only.
    return {**described, "security": [{_STUDENTS: []}] if needs_token else []}


def text_of(described: Node) -> str:
    """Return the file's text."""
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


# --- the page ----------------------------------------------------------------------------------


def page_of(described: Node) -> str:
    """Return the reference page, in the frame that each page of the portal has."""
    # The reference is in English only; web/public/js/i18n.js translates pages with this mark.
    frame = TEMPLATE.read_text().replace(" data-translated", "", 1)
    head, _, rest = frame.partition('<main id="main">')
    foot = rest.partition("</main>")[2]
    script = '<script type="module" src="/js/upgrade.js"></script>\n'
    head = head.replace(script, "").replace("Paid lesson", "API")
    for mine, of_template in _HEAD.items():
        head = head.replace(of_template, mine)
    operations = [
        (method, path, operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
    ]
    lines = [
        '<main id="main">',
        "<h1>API</h1>",
        f'<p class="lead">{escape(described["info"]["description"])}</p>',
        _INTRODUCTION,
        '<section class="card" aria-labelledby="operations">',
        '<h2 id="operations">Operations</h2>',
        '<ul class="list">',
        *(_entry(*one) for one in operations),
        "</ul>",
        "</section>",
        *(line for one in operations for line in _operation_section(*one)),
        '<h2 id="schemas">Schemas</h2>',
        *(
            line
            for name, schema in described["components"]["schemas"].items()
            for line in _schema_section(name, schema)
        ),
        "</main>",
    ]
    return head + "\n".join(lines) + foot


def _entry(method: str, path: str, operation: Node) -> str:
    link = f'<a href="#{operation["operationId"]}">{method.upper()} {escape(path)}</a>'
    return f'<li><div><p>{link}</p><p class="quiet">{escape(operation["summary"])}</p></div></li>'


def _operation_section(method: str, path: str, operation: Node) -> Iterable[str]:
    name = operation["operationId"]
    yield f'<section class="card" aria-labelledby="{name}">'
    yield f'<h2 id="{name}">{method.upper()} {escape(path)}</h2>'
    yield f"<p>{escape(operation['summary'])}</p>"
    needs_token = "Needs an access token." if operation["security"] else "Needs no sign-in."
    yield f'<p class="quiet">{needs_token}</p>'
    if "parameters" in operation:
        rows = (
            (it["name"], it["in"], _type(it["schema"]), escape(it.get("description", "")))
            for it in operation["parameters"]
        )
        yield _table(f"Parameters of {name}", ("Name", "In", "Type", "Meaning"), rows)
    if "requestBody" in operation:
        yield f"<p>Body: {_content(operation['requestBody'])}</p>"
    responses = (
        (status, escape(it["description"]), _content(it))
        for status, it in operation["responses"].items()
    )
    yield _table(f"Responses of {name}", ("Status", "Meaning", "Body"), responses)
    yield "</section>"


def _schema_section(name: str, schema: Node) -> Iterable[str]:
    yield f'<section class="card" aria-labelledby="schema-{name}">'
    yield f'<h3 id="schema-{name}">{name}</h3>'
    if schema["type"] == "object" and "properties" in schema:
        required = schema.get("required", ())
        rows = (
            (
                property_name,
                "yes" if property_name in required else "no",
                _type(property_schema),
                escape(property_schema.get("description", "")),
            )
            for property_name, property_schema in schema["properties"].items()
        )
        yield _table(f"Properties of {name}", ("Name", "Required", "Type", "Meaning"), rows)
    else:
        yield f"<p>{_type(schema)}. {escape(schema.get('description', ''))}</p>"
    yield "</section>"


def _content(holder: Node) -> str:
    schemas = [_type(it["schema"]) for it in holder.get("content", {}).values()]
    return ", ".join(schemas) or "none"


def _type(schema: Node) -> str:
    """Return a schema in a cell's words, with links to named schemas."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if schema["type"] == "array":
        return f"array of {_type(schema['items'])}"
    if schema["type"] == "object" and "properties" in schema:
        inside = (f"{name}: {_type(it)}" for name, it in schema["properties"].items())
        return f"object with {'; '.join(inside)}"
    if "enum" in schema:
        return "one of " + ", ".join(escape(str(it)) for it in schema["enum"])
    limits = [words.format(schema[key]) for key, words in _LIMITS.items() if key in schema]
    return ", ".join([escape(schema["type"]), *limits])


def _table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{it}</th>' for it in columns)
    body = "\n".join("<tr>" + "".join(f"<td>{it}</td>" for it in row) + "</tr>" for row in rows)
    # Keyboard users scroll an element that can have the focus.
    return (
        f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0">\n'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def write(document_path: Path = DOCUMENT, page_path: Path = PAGE) -> None:
    """Write both files."""
    described = document()
    document_path.parent.mkdir(parents=True, exist_ok=True)
    document_path.write_text(text_of(described), encoding="utf-8")
    page_path.write_text(page_of(described), encoding="utf-8")


if __name__ == "__main__":
    write()
