"""Rules of ours over the document, each a generator of complaints; `test_document` has a bad document for each."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from app.core.problems import MEDIA_TYPE
from app.openapi.schemas import resolve
from tests.contract.document import JSON, METHODS, mismatches

Document = dict[str, Any]
Rule = Callable[[Document], Iterator[str]]

_CAMEL = re.compile(r"[a-z]+([A-Z][a-z0-9]*)+")
_SNAKE = re.compile(r"[a-z][a-z0-9_]*")
_PATH = re.compile(r"(/([a-z0-9]+(-[a-z0-9]+)*|\{[a-z_]+\}))+")
_HOOKS = "/v1/hooks/"


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Path, `METHOD path` and operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, f"{method.upper()} {path}", item[method]


def has_words(document: Document) -> Iterator[str]:
    """Every operation has a summary and a description, and no summary is a sentence's end."""
    for _, name, operation in operations(document):
        if not 5 <= len(operation.get("summary", "")) <= 120 or operation["summary"].endswith("."):
            yield f"{name}: no summary of 5 to 120 characters without a period"
        if len(operation.get("description", "")) < 20:
            yield f"{name}: no description"


def has_operation_id(document: Document) -> Iterator[str]:
    """Every operation has an operationId in camelCase of its own."""
    seen: set[str] = set()
    for _, name, operation in operations(document):
        own = operation.get("operationId", "")
        if not _CAMEL.fullmatch(own) or own in seen:
            yield f"{name}: operationId {own!r} is not camelCase, or used twice"
        seen.add(own)


def has_described_tag(document: Document) -> Iterator[str]:
    """Every operation has one tag, and every tag has prose and operations."""
    prose = {tag["name"] for tag in document["tags"] if len(tag.get("description", "")) >= 200}
    used = set()
    for _, name, operation in operations(document):
        tags = operation.get("tags", [])
        used |= set(tags)
        if len(tags) != 1 or tags[0] not in prose:
            yield f"{name}: not one tag with a guide, but {tags}"
    yield from (f"tag {tag['name']}: has no operations" for tag in document["tags"] if tag["name"] not in used)


def tells_scopes(document: Document) -> Iterator[str]:
    """Every operation says what a key must have; only hooks need none."""
    for path, name, operation in operations(document):
        needed = operation.get("security")
        if path.startswith(_HOOKS):
            if needed != []:
                yield f"{name}: a hook has another proof than keys"
        elif not needed or any(not re.fullmatch(r"[a-z-]+:[a-z]+", scope) for one in needed for scope in one["apiKey"]):
            yield f"{name}: no security with scopes"


def tells_problems(document: Document) -> Iterator[str]:
    """Every error is a problem document with an example; those that everybody meets are there."""
    for path, name, operation in operations(document):
        common = {"401", "500", "503"} | ({"400", "413", "415", "422"} if "requestBody" in operation else set())
        if not path.startswith(_HOOKS):
            yield from (f"{name}: no {status}" for status in sorted(common - set(operation["responses"])))
            yield from _wrong_problems(document, name, operation)


def _wrong_problems(document: Document, name: str, operation: Document) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        content = resolve(document, answer).get("content", {})
        if status >= "400" and (list(content) != [MEDIA_TYPE] or not content[MEDIA_TYPE].get("examples")):
            yield f"{name}: {status} is not {MEDIA_TYPE} with an example"


def has_no_framework_errors(document: Document) -> Iterator[str]:
    """FastAPI's own form of validation errors is nowhere."""
    if "HTTPValidationError" in str(document):
        yield "HTTPValidationError appears"


def describes_properties(document: Document) -> Iterator[str]:
    """Every property of every schema says what it is; its name is in snake_case."""
    for owner, schema in document["components"]["schemas"].items():
        for name, part in schema.get("properties", {}).items():
            if not (part.get("description") or resolve(document, part).get("description")):
                yield f"{owner}.{name}: no description"
            if not _SNAKE.fullmatch(name):
                yield f"{owner}.{name}: not snake_case"


def describes_parameters(document: Document) -> Iterator[str]:
    """Every parameter says what it is."""
    for _, name, operation in operations(document):
        for parameter in (resolve(document, one) for one in operation.get("parameters", ())):
            if not parameter.get("description"):
                yield f"{name} {parameter['name']}: no description"
            if parameter["in"] != "header" and not _SNAKE.fullmatch(parameter["name"]):
                yield f"{name} {parameter['name']}: not snake_case"


def has_kebab_paths(document: Document) -> Iterator[str]:
    """Paths are of plural nouns in kebab-case below /v1."""
    for path in document["paths"]:
        if not path.startswith("/v1/") or not _PATH.fullmatch(path):
            yield f"{path}: not kebab-case below /v1"


def has_true_examples(document: Document) -> Iterator[str]:
    """Every body, asked or answered, has an example, and it is what its schema says."""
    for _, name, operation in operations(document):
        parts = [("body", operation.get("requestBody", {}))]
        parts += [(status, resolve(document, answer)) for status, answer in operation["responses"].items()]
        for where, part in parts:
            for kind, content in part.get("content", {}).items():
                yield from (f"{name} {where} {kind}: {wrong}" for wrong in _wrong_examples(document, content))


def _wrong_examples(document: Document, content: Document) -> Iterator[str]:
    if not content.get("examples"):
        yield "no example"
    for shown in content.get("examples", {}).values():
        yield from mismatches(content["schema"], shown["value"], document)


def names_request_ids(document: Document) -> Iterator[str]:
    """Every answer carries its request id."""
    for path, name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if "X-Request-Id" not in resolve(document, answer).get("headers", {}) and not path.startswith(_HOOKS):
                yield f"{name} {status}: no X-Request-Id"


def answers_success(document: Document) -> Iterator[str]:
    """Every operation says what success is; JSON has a schema."""
    for _, name, operation in operations(document):
        successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        if not successes:
            yield f"{name}: no success"
        for answer in successes:
            if JSON in answer.get("content", {}) and not answer["content"][JSON].get("schema"):
                yield f"{name}: success without a schema"


RULES: list[Rule] = [
    has_words,
    has_operation_id,
    has_described_tag,
    tells_scopes,
    tells_problems,
    has_no_framework_errors,
    describes_properties,
    describes_parameters,
    has_kebab_paths,
    has_true_examples,
    names_request_ids,
    answers_success,
]
