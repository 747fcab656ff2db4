"""Every error becomes a problem document."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import PydanticKnownError
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.core.problems import (
    MEDIA_TYPE,
    ErrorItem,
    InternalError,
    MalformedJson,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unavailable,
    ValidationFailed,
    from_database,
)
from app.core.telemetry import log, request_id_of

_OF_TEXT: Mapping[str, Literal["string_too_long", "string_too_short"]] = {
    "too_long": "string_too_long",
    "too_short": "string_too_short",
}


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _unavailable)
    app.add_exception_handler(OSError, _unavailable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _defect)


def answer(request: Request, problem: Problem) -> Response:
    """The problem as a response."""
    return JSONResponse(
        problem.body(request_id_of(request)), problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  # registered for it
    return answer(request, error)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it
    items = [_item(entry) for entry in error.errors()[:50]]
    if any(entry["type"] == "json_invalid" for entry in error.errors()):
        return answer(request, MalformedJson("The body cannot be read as JSON."))
    first = items[0]
    more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
    return answer(request, ValidationFailed(f"{first.pointer or 'The body'}: {first.message}{more}.", items))


def _item(entry: dict[str, Any]) -> ErrorItem:
    place, *path = entry["loc"]
    if path and path[-1] == "[key]" and entry["type"] != "extra_forbidden":
        path.pop()  # pydantic's word for a key that is wrong itself
    if place == "body":
        pointer = "".join(f"/{_escape(part)}" for part in path)
    else:
        pointer = "?" + ".".join(str(part) for part in path)
    code, message = _told(entry)
    return ErrorItem(pointer=_clean(pointer), message=_clean(message)[:500], code=code)


def _told(entry: dict[str, Any]) -> tuple[str, str]:
    """The code and the words of an error.

    Of a text that is checked for what can be stored before its length, pydantic speaks as of a list of items.
    """
    kind = _OF_TEXT.get(entry["type"])
    if kind is not None and isinstance(entry["input"], str):
        return kind, PydanticKnownError(kind, entry["ctx"]).message()
    return entry["type"], str(entry["msg"]).removeprefix("Value error, ")


def _escape(part: object) -> str:
    return str(part)[:100].replace("~", "~0").replace("/", "~1")


def _clean(value: str) -> str:
    """What a client sent may not be encodable; an error that quotes it must be."""
    return value.encode("utf-8", "backslashreplace").decode()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for it
    if error.status_code == 404:
        return answer(request, NotFound(f"There is no {_clean(request.url.path)[:200]}."))
    if error.status_code == 405:
        headers = {"Allow": (error.headers or {}).get("Allow", "")}
        return answer(request, MethodNotAllowed(f"{request.method} is not possible here.", headers=headers))
    if error.status_code == 400:
        return answer(request, MalformedJson(_clean(str(error.detail))))
    generic = Problem(_clean(str(error.detail)))
    body = generic.body(request_id_of(request)) | {"status": error.status_code}
    return JSONResponse(body, error.status_code, media_type=MEDIA_TYPE)


async def _database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)  # noqa: S101  # registered for it
    if isinstance(error, InterfaceError) or error.connection_invalidated:
        return await _unavailable(request, error)
    try:
        return answer(request, from_database(error))
    except DBAPIError:
        return await _defect(request, error)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("unavailable", error=type(error).__name__)
    return answer(request, Unavailable("The database does not answer right now. Try again in a moment."))


async def _gone(request: Request, error: Exception) -> Response:
    """The sender left before the request was whole: nobody reads this answer, and nothing is wrong with us."""
    return Response(status_code=499)


async def _defect(request: Request, error: Exception) -> Response:
    log.error("defect", exc_info=error)
    return answer(request, InternalError("Something went wrong on our side; the request id finds it in the logs."))
