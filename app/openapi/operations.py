"""Operations of the document: their words, headers, problems and examples."""

import re
from collections.abc import Sequence
from typing import Any

from app.core.idempotency import HEADER, REPLAYED, IdempotencyKeyBusy, IdempotencyKeyReused
from app.core.problems import (
    MEDIA_TYPE,
    BodyTooLarge,
    Conflict,
    InternalError,
    MalformedJson,
    NotAuthenticated,
    PermissionMissing,
    Problem,
    TooExpensive,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
    problems,
)
from app.core.routing import TransactionalRoute
from app.openapi.answers import recorded
from app.openapi.schemas import Json, example, example_id, resolve

_REQUEST_ID = "X-Request-Id"
_HEADERS: dict[str, Json] = {
    _REQUEST_ID: {
        "description": "Finds the request in the server's logs: give it when you report something.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "ETag": {
        "description": "The version of what was answered, for `If-Match` and `If-None-Match`.",
        "schema": {"type": "string", "examples": ['"3"']},
    },
    REPLAYED: {
        "description": "`true` where the answer is the remembered one of an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "schema": {"type": "string", "examples": ['Bearer realm="paceline"']},
    },
}
_PARAMETERS: dict[str, Json] = {
    HEADER: {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "A key of your choice, new for each change: a repetition within 24 hours gets the first answer "
        "and changes nothing.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
        "example": "5f0c7c1e-import-42",
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The ETag you have: 304 without a body where it is still the answer's.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
}


def finish(whole: Json, operation: Json, route: Any) -> None:  # Any: an APIRoute as effective below its routers
    """Complete one operation in place."""
    is_ours = isinstance(route.original_route, TransactionalRoute)
    reads = route.methods == {"GET"} or getattr(route.endpoint, "is_read_only", False)
    is_idempotent = is_ours and not reads and route.methods == {"POST"}
    has_etag = is_ours and _sets_etag(operation, route)
    _tell(operation, is_ours=is_ours)
    _describe_paths(operation)
    if is_idempotent:
        _add_parameter(whole, operation, HEADER)
    if has_etag and reads:
        _add_parameter(whole, operation, "If-None-Match")
        operation["responses"]["304"] = {"description": "The answer is still the one with your ETag."}
    _show_requests(whole, operation)
    _tell_problems(whole, operation, _common(operation, is_ours=is_ours, reads=reads, is_idempotent=is_idempotent))
    headers = [_REQUEST_ID, *["ETag"] * has_etag, *[REPLAYED] * is_idempotent]
    for status, answer in operation["responses"].items():
        if status.startswith(("2", "3")):
            _add_headers(whole, answer, headers if status != "304" else [_REQUEST_ID, "ETag"])
            _show_answer(whole, answer, recorded(operation["operationId"], status))
        elif "$ref" not in answer:
            _add_headers(whole, answer, [_REQUEST_ID])


def _sets_etag(operation: Json, route: Any) -> bool:  # Any: as above
    """Whether answers carry an ETag: the handler takes the response to write it, and there is one kind of success."""
    successes = [status for status in operation["responses"] if status.startswith("2")]
    takes_response = route.dependant.response_param_name is not None
    return takes_response and len(successes) == 1


def _tell(operation: Json, *, is_ours: bool) -> None:
    """The first sentence of the handler's docstring is the summary; the description also tells the scopes."""
    text = operation.get("description", "")
    first, _, rest = text.partition("\n\n")
    sentence = re.split(r"(?<=\.) |; ", " ".join(first.split()), maxsplit=1)[0]
    operation["summary"] = sentence.removesuffix(".")
    told = rest if rest and sentence == " ".join(first.split()) else text
    operation["description"] = f"{told}\n\n{_scopes(operation, is_ours=is_ours)}"


def _scopes(operation: Json, *, is_ours: bool) -> str:
    if not is_ours:
        return "Needs no API key: the source's own secret proves the call."
    scopes = [f"`{scope}`" for needed in operation["security"] for scope in next(iter(needed.values()))]
    return f"Needs the scope {' and '.join(scopes)}." if scopes else "Any valid API key may ask."


def _describe_paths(operation: Json) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] != "path":
            continue
        noun = parameter["name"].removesuffix("_id").replace("_", " ")
        parameter.setdefault("description", f"Identifier of the {noun}.")
        if "examples" in parameter["schema"]:
            parameter["example"] = parameter["schema"].pop("examples")[0]
        elif "example" not in parameter:
            parameter["example"] = example_id(parameter["name"])


def _add_parameter(whole: Json, operation: Json, name: str) -> None:
    whole["components"].setdefault("parameters", {})[name] = _PARAMETERS[name]
    operation.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{name}"})


def _add_headers(whole: Json, answer: Json, names: Sequence[str]) -> None:
    for name in names:
        whole["components"].setdefault("headers", {})[name] = _HEADERS[name]
        answer.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{name}"}


def _show_requests(whole: Json, operation: Json) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "examples" in content:
            continue
        schema = content["schema"]
        options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
        values = resolve(whole, options[0]).get("examples") or [example(whole, options[0])]
        content["examples"] = {f"example_{n}": {"value": value} for n, value in enumerate(values, 1)}


def _show_answer(whole: Json, answer: Json, true: Json) -> None:
    """A true answer where one was recorded, else one made from the schema."""
    for kind, content in answer.get("content", {}).items():
        if "schema" in content:
            is_recorded = true is not None and kind == "application/json"
            value = true if is_recorded else example(whole, content["schema"])
            content.setdefault("examples", {"example_1": {"value": value}})
        if answer["description"] == "Successful Response":
            answer["description"] = resolve(whole, content.get("schema", {})).get("description", "Done.")
    if answer["description"] == "Successful Response":
        answer["description"] = "Done; there is nothing to answer."


def _common(operation: Json, *, is_ours: bool, reads: bool, is_idempotent: bool) -> list[type[Problem]]:
    """The problems that an operation has because of what it is, whatever it does."""
    if not is_ours:
        return [InternalError, Unavailable]
    kinds: list[type[Problem]] = [NotAuthenticated]
    if any(scopes for needed in operation["security"] for scopes in needed.values()):
        kinds.append(PermissionMissing)
    if "requestBody" in operation:
        kinds += [MalformedJson, BodyTooLarge, UnsupportedMediaType]
    if "requestBody" in operation or "parameters" in operation:
        kinds.append(ValidationFailed)
    kinds.append(TooExpensive if reads else Conflict)
    if is_idempotent:
        kinds += [IdempotencyKeyReused, IdempotencyKeyBusy]
    return [*kinds, InternalError, Unavailable]


def _tell_problems(whole: Json, operation: Json, common: Sequence[type[Problem]]) -> None:
    """Every problem as `application/problem+json`, shared by reference between operations that answer the same."""
    responses = operation["responses"]
    known = problems(*common)
    told = {int(status) for status, answer in responses.items() if _is_problem(answer)}
    for status, answer in list(responses.items()):
        if "HTTPValidationError" in str(answer):  # FastAPI's own 422
            del responses[status]
            told.discard(int(status))
    for status in sorted(told | {int(status) for status in known}):
        own = responses.get(str(status), {}).get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
        shared = known.get(status, {}).get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
        responses[str(status)] = _shared(whole, status, {**own, **shared})


def _is_problem(answer: Json) -> bool:
    return MEDIA_TYPE in answer.get("content", {})


def _shared(whole: Json, status: int, examples: Json) -> Json:
    name = "Or".join("".join(word.title() for word in code.split("-")) for code in sorted(examples))
    answer = {
        "description": ", ".join(examples[code]["summary"] for code in sorted(examples)) + ".",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetail"}, "examples": examples}},
    }
    _add_headers(whole, answer, [_REQUEST_ID, *["WWW-Authenticate"] * (status == 401)])
    whole["components"].setdefault("responses", {})[name] = answer
    return {"$ref": f"#/components/responses/{name}"}
