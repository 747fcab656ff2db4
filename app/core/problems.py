"""Problems (RFC 9457): what a client is told when something cannot be done."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError

MEDIA_TYPE = "application/problem+json"


class ErrorItem(BaseModel):
    """One place in the request that is wrong."""

    pointer: str = Field(description="JSON pointer into the body, or `?name` of a parameter.", examples=["/amount"])
    message: str = Field(description="What is wrong and what to write instead.", examples=["Must be a decimal."])
    code: str = Field(description="A stable code of the kind of error.", examples=["decimal_parsing"])
    position: int | None = Field(default=None, description="Offset in the expression, where there is one.")
    length: int | None = Field(default=None, description="Length of the wrong part, where there is one.")
    suggestion: str | None = Field(default=None, description="The nearest thing that would be right.")


class ProblemDetail(BaseModel):
    """The body of every error (RFC 9457)."""

    type: str = Field(description="Address of the problem's page.", examples=["/problems/kpi-not-found"])
    title: str = Field(description="The kind of problem.", examples=["KPI not found"])
    status: int = Field(description="The HTTP status, again.", examples=[404])
    detail: str = Field(description="What happened this time.", examples=["No KPI calls_made."])
    errors: list[ErrorItem] | None = Field(default=None, description="Each wrong place, when there are several.")
    request_id: str | None = Field(default=None, description="Find the request in the logs by it.")


class Problem(Exception):  # noqa: N818  # named by what is so, not by 'Error'
    """Something a client can act on. Subclasses say which; the detail is a sentence with the value."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "Bad request"
    pointer: ClassVar[str | None] = None
    """The place in a request that is always the wrong one, where a constraint of the database tells."""

    def __init__(self, detail: str, errors: Sequence[ErrorItem] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """The problem document, ready to be written as JSON."""
        return ProblemDetail(
            type=f"/problems/{self.code}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            errors=self.errors or None,
            request_id=request_id,
        ).model_dump(exclude_none=True)


class NotAuthenticated(Problem):
    """There is no valid API key in `Authorization: Bearer …`."""

    status, code, title = 401, "not-authenticated", "Not authenticated"


class PermissionMissing(Problem):
    """The key is valid, but lacks the scope that the operation needs."""

    status, code, title = 403, "permission-missing", "Permission missing"


class NotFound(Problem):
    """There is no such thing in this organization, or not at all: we do not tell which."""

    status, code, title = 404, "not-found", "Not found"


class MethodNotAllowed(Problem):
    """The path exists, but not with this method."""

    status, code, title = 405, "method-not-allowed", "Method not allowed"


class ValidationFailed(Problem):
    """The request is well-formed, but a value in it is not: `errors` names each place."""

    status, code, title = 422, "validation-failed", "Validation failed"

    @classmethod
    def at(cls, pointer: str, message: str, code: str = "value_error") -> "ValidationFailed":
        """One wrong place."""
        return cls(message, [ErrorItem(pointer=pointer, message=message, code=code)])


class MalformedJson(Problem):
    """The body is not JSON that can be read: the detail says where it ends to make sense."""

    status, code, title = 400, "malformed-json", "Malformed JSON"


class UnsupportedMediaType(Problem):
    """The body's media type is not one this operation reads."""

    status, code, title = 415, "unsupported-media-type", "Unsupported media type"


class RequestTimeout(Problem):
    """The body of the request did not arrive in time: send it again, faster or in parts."""

    status, code, title = 408, "request-timeout", "Request timeout"


class BodyTooLarge(Problem):
    """The body is larger than this server accepts."""

    status, code, title = 413, "body-too-large", "Body too large"


class Conflict(Problem):
    """The change contradicts what is stored."""

    status, code, title = 409, "conflict", "Conflict"


class PreconditionFailed(Problem):
    """`If-Match` names another version than the stored one: read it again, then decide."""

    status, code, title = 412, "precondition-failed", "Precondition failed"


class TooExpensive(Problem):
    """The question was given up because it ran longer than a statement may."""

    status, code, title = 422, "query-too-expensive", "Query too expensive"


class Unavailable(Problem):
    """The database does not answer right now: try again."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"


class InternalError(Problem):
    """A defect of ours; nothing of the request was stored."""

    status, code, title = 500, "internal-error", "Internal error"


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation that may answer these problems."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        example = {
            "type": f"/problems/{kind.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": (kind.__doc__ or kind.title).strip(),
        }
        entry = by_status.setdefault(
            kind.status, {"model": ProblemDetail, "description": "", "content": {MEDIA_TYPE: {"examples": {}}}}
        )
        entry["description"] = ", ".join(filter(None, [entry["description"], kind.title]))
        entry["content"][MEDIA_TYPE]["examples"][kind.code] = {"summary": kind.title, "value": example}
    return by_status


# Constraint name -> what it means to a client; each domain adds its own where it declares the constraint.
CONSTRAINTS: dict[str, type[Problem]] = {}

_SHARD_SUFFIX = re.compile(r"_\d+$")
_CONSTRAINT_IN_MESSAGE = re.compile(r'constraint "([^"]+)"')


def constraint_problem(name: str, kind: type[Problem]) -> None:
    """Declare which problem the violation of a constraint is."""
    CONSTRAINTS[name] = kind


def from_database(error: DBAPIError) -> Problem:
    """The problem behind a database error: by sqlstate and by the constraint named in the message.

    The name is parsed from the message because a shard's has a numeric suffix (`citus.md` rule 25).
    Raises the error again where it is a defect of ours.
    """
    state = getattr(error.orig, "sqlstate", None) or ""
    message = str(error.orig)
    found = _CONSTRAINT_IN_MESSAGE.search(message)
    name = _SHARD_SUFFIX.sub("", found.group(1)) if found else ""
    if name in CONSTRAINTS:
        kind = CONSTRAINTS[name]
        told = (kind.__doc__ or kind.title).strip().splitlines()[0]
        return kind(told, [ErrorItem(pointer=kind.pointer, message=told, code=kind.code)] if kind.pointer else ())
    if state == "57014":
        return TooExpensive("The question took too long. Ask for fewer windows, subjects or KPIs.")
    if state in {"23505", "23P01", "40001", "40P01", "55P03"}:
        return Conflict("Somebody else changed the same thing at the same moment. Read it again and retry.")
    if state == "23503":
        return Conflict("Something that this refers to does not exist any more, or is still in use.")
    if state in {"22003", "22008", "22021"}:  # what a schema let through that no column or sum can hold
        return ValidationFailed("A value in the request is too large, too far in time, or not valid text.")
    if state[:2] in {"08", "57"}:
        return Unavailable("The database does not answer right now. Try again in a moment.")
    raise error
