"""The OpenAPI document cut into what the page `/docs` shows: operations by resource, and the shapes of bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Answer", "Field", "Group", "Kind", "Operation", "Shape", "groups_of", "shapes_of"]

_FIRST: Final = ("gateway", "audit-logs", "reports", "policies")
"""Resources that most readers come for, in this order; the others follow by name."""

_TEXT: Final = "text"


class Kind(NamedTuple):
    """The type of a value, in words; `shape` names the part of the page that shows it, if there is one."""

    words: str
    shape: str = ""


class Field(NamedTuple):
    """A parameter, or a member of a shape."""

    name: str
    kinds: Sequence[Kind]
    where: str
    is_required: bool
    says: str


class Answer(NamedTuple):
    """One answer that an operation can give."""

    status: str
    says: str
    media: Sequence[tuple[str, Sequence[Kind]]]


class Operation(NamedTuple):
    """One operation; `roles` is None where no key is needed."""

    id: str
    method: str
    path: str
    summary: str
    says: str
    roles: Sequence[str] | None
    fields: Sequence[Field]
    body: Sequence[tuple[str, Sequence[Kind]]]
    answers: Sequence[Answer]
    curl: str


class Group(NamedTuple):
    """The operations of one resource."""

    name: str
    operations: Sequence[Operation]


class Shape(NamedTuple):
    """A named schema."""

    name: str
    says: str
    fields: Sequence[Field]
    values: Sequence[str]


def groups_of(document: dict[str, Any]) -> list[Group]:
    """Return all operations, by resource."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(document, method.upper(), path, operation))
    order = {name: place for place, name in enumerate(_FIRST)}
    names = sorted(groups, key=lambda name: (order.get(name, len(order)), name))
    return [
        Group(name, sorted(groups[name], key=lambda one: (one.path.removeprefix("/llm"), one.path))) for name in names
    ]


def shapes_of(document: dict[str, Any]) -> list[Shape]:
    """Return all named schemas."""
    return [
        Shape(name, schema.get("description", ""), list(_members(schema)), [str(one) for one in schema.get("enum", ())])
        for name, schema in document["components"]["schemas"].items()
    ]


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Operation:
    fields = [
        Field(
            one["name"],
            _kinds(one["schema"]),
            one["in"],
            bool(one.get("required")),
            one.get("description") or one["schema"].get("description", ""),
        )
        for one in operation.get("parameters", ())
    ]
    content = operation.get("requestBody", {}).get("content", {})
    return Operation(
        id=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        says=operation.get("description", ""),
        roles=operation.get("x-roles"),
        fields=fields,
        body=_media(content),
        answers=[_answer(document, status, answer) for status, answer in sorted(operation["responses"].items())],
        curl=_curl(method, path, operation),
    )


def _answer(document: dict[str, Any], status: str, answer: dict[str, Any]) -> Answer:
    if "$ref" in answer:
        answer = document["components"]["responses"][_named(answer["$ref"])]
    return Answer(status, answer["description"], _media(answer.get("content", {})))


def _media(content: dict[str, Any]) -> list[tuple[str, Sequence[Kind]]]:
    return [(media, _kinds(part["schema"])) for media, part in content.items()]


def _members(schema: dict[str, Any]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        yield Field(name, _kinds(member), "", name in required, member.get("description", ""))


def _kinds(schema: dict[str, Any]) -> list[Kind]:
    """Return the alternatives that a schema allows."""
    if "$ref" in schema:
        return [Kind(_named(schema["$ref"]), _named(schema["$ref"]))]
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return [kind for one in schema[name] for kind in _kinds(one)]
    if schema.get("type") == "array":
        inner = _kinds(schema.get("items", {}))
        return [Kind(f"list of {kind.words}", kind.shape) for kind in inner]
    if "enum" in schema or "const" in schema:
        return [Kind(json.dumps(one)) for one in schema.get("enum", [schema.get("const")])]
    kind = {"string": _TEXT, "number": "number", "integer": "integer"}.get(schema.get("type", ""), schema.get("type"))
    return [Kind(f"{kind or 'any'}{_bounds(schema)}")]


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f" ≥ {low}" if high is None else f" ≤ {high}"
    return f" {low} to {high}"


def _named(reference: str) -> str:
    return reference.rpartition("/")[2]


def _curl(method: str, path: str, operation: dict[str, Any]) -> str:
    """Return a line for a shell that works once address, key and what stands in braces are filled in."""
    answered = operation["responses"].get("200", {}).get("content", {})
    unbuffered = ["-N"] if [*answered] == ["text/event-stream"] else []
    parts = ["curl", *unbuffered, *([] if method == "GET" else ["-X", method]), f'"$SCRIBA_URL{path}"']
    if "x-roles" in operation:
        parts += ["-H", '"Authorization: Bearer $SCRIBA_KEY"']
    if content := operation.get("requestBody", {}).get("content", {}):
        body = '{"model": "sandbox/echo", "messages": []}' if path.endswith("/chat/completions") else "{…}"
        parts += ["-H", f'"Content-Type: {next(iter(content))}"', "-d", f"'{body}'"]
    return " ".join(parts)
