"""One request, one transaction: begun when the caller is known, committed before the answer is sent."""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import simplejson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.core import etags, idempotency
from app.core.admission import Writers
from app.core.db import Database, OrganizationId
from app.core.problems import MalformedJson, UnsupportedMediaType, from_database
from app.core.settings import Settings

MAX_EXPONENT = 400
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def read_only(endpoint: Endpoint) -> Endpoint:
    """Mark a POST that changes nothing: it runs in a read-only snapshot and has no `Idempotency-Key`."""
    endpoint.is_read_only = True  # type: ignore[attr-defined]  # functions carry attributes
    return endpoint


def streams_body(endpoint: Endpoint) -> Endpoint:
    """Mark an operation that reads its body itself, piece by piece, and tells `remember` the digest of the whole."""
    endpoint.streams_body = True  # type: ignore[attr-defined]  # functions carry attributes
    return endpoint


def returns_secrets(*fields: str) -> Callable[[Endpoint], Endpoint]:
    """Mark an operation whose answer shows secrets once: they are not remembered for its `Idempotency-Key`."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.secret_fields = fields  # type: ignore[attr-defined]  # functions carry attributes
        return endpoint

    return mark


class Shortcut(BaseRoute):
    """Finds an operation by its method, the number of its path's segments and the second of them.

    Routers are asked one after the other whether a path is theirs, and ask each of their routes: with some 200
    operations that took longer than most of them take. What is not found here is looked for as always.
    """

    def __init__(self, contexts: Iterable[Any]) -> None:
        self._found: dict[tuple[str, int, str], list[Any]] = defaultdict(list)
        for context in contexts:
            segments = context.path_format.split("/")
            is_plain = all(isinstance(each, StringConvertor) for each in context.param_convertors.values())
            if is_plain and len(segments) > 2:
                for method in context.methods:
                    self._found[method, len(segments), segments[2]].append(context)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The operation, in the child's scope."""
        if scope["type"] == "http" and not scope.get("root_path"):
            segments = scope["path"].split("/")
            key = (scope["method"], len(segments), segments[2] if len(segments) > 2 else "")
            for context in self._found.get(key, ()):
                match, child = context.matches(scope)
                if match is Match.FULL:
                    return match, {**child, "route": context.original_route, "shortcut": context.app}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the operation that was found."""
        await scope["shortcut"](scope, receive, send)


class Transaction:
    """The request's transaction: opened once the organization is known, and only then."""

    def __init__(self, stack: AsyncExitStack, database: Database, writers: Writers, *, reads: bool) -> None:
        self._stack = stack
        self._database = database
        self._writers = writers
        self.reads = reads
        self.session: AsyncSession | None = None

    async def open(self, org_id: OrganizationId) -> AsyncSession:
        """Begin; the same session when it was begun already. Raises `Unavailable` where too many write already."""
        if self.session is None:
            if not self.reads:
                await self._stack.enter_async_context(self._writers.admitted(org_id))
            begin = self._database.read if self.reads else self._database.write
            self.session = await self._stack.enter_async_context(begin(org_id))
        return self.session

    async def end(self) -> None:
        """End it early: what was found in it must not be used any more."""
        self.session = None
        await self._stack.aclose()


class TransactionalRoute(APIRoute):
    """Reads the body with care, runs the handler in its transaction, and answers conditional requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, wrapped."""
        handle = super().get_route_handler()
        reads = self.methods == {"GET"} or getattr(self.endpoint, "is_read_only", False)
        secrets = getattr(self.endpoint, "secret_fields", ())
        streams = getattr(self.endpoint, "streams_body", False)

        async def run(request: Request) -> Response:
            request.state.operation = f"{request.method} {self.path_format}"
            _refuse_compressed(request)
            if not streams:
                await _read_json(request, needs_json=self.body_field is not None)
            try:
                async with AsyncExitStack() as stack:
                    state = request.app.state
                    transaction = Transaction(stack, state.database, state.writers, reads=reads)
                    request.state.transaction = transaction
                    request.state.idempotency = None
                    request.state.streams_body = streams
                    response = await handle(request)
                    if request.state.idempotency is not None and transaction.session is not None:
                        await transaction.session.flush()
                        await request.state.idempotency.store(transaction.session, response, secrets)
            except idempotency.Replay as replay:
                return replay.response
            except DBAPIError as error:
                raise from_database(error) from error
            if reads and etags.is_fresh(request.headers.get("if-none-match"), response.headers.get("etag")):
                return Response(status_code=304, headers={"ETag": response.headers["etag"]})
            return response

        return run


async def begin_idempotent(request: Request, session: AsyncSession, org_id: OrganizationId, caller_id: Any) -> None:
    """Look the request's `Idempotency-Key` up, if it has one and changes something."""
    if request.method != "POST" or request.state.transaction.reads or request.state.streams_body:
        return
    if idempotency.key_of(request) is not None and request.state.idempotency is None:
        await remember(request, session, org_id, caller_id, await request.body())


async def remember(
    request: Request, session: AsyncSession, org_id: OrganizationId, caller_id: Any, body: bytes
) -> None:
    """Look the `Idempotency-Key` up, and let the answer be remembered; `body` is the body, or a digest of it."""
    key = idempotency.key_of(request)
    if key is None:
        return
    digest = idempotency.digest_of(request, body)
    remembered = idempotency.Remembered(org_id, caller_id, request.state.operation, key, digest)
    settings: Settings = request.app.state.settings
    await remembered.look_up(session, timedelta(hours=settings.idempotency_hours))
    request.state.idempotency = remembered


_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def _refuse_compressed(request: Request) -> None:
    is_plain = request.headers.get("content-encoding", "identity").strip().lower() in {"", "identity"}
    if not is_plain and request.method not in _WITHOUT_BODY:
        raise UnsupportedMediaType("The body must not be compressed: send it without Content-Encoding.")


async def _read_json(request: Request, *, needs_json: bool) -> None:
    """Parse a JSON body exactly: no floats, no NaN, no lone surrogates, no bottomless nesting."""
    if request.method in _WITHOUT_BODY:
        return
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        if needs_json and await request.body():
            raise UnsupportedMediaType("The body must be JSON: say `Content-Type: application/json`.")
        return
    body = await request.body()
    if body:
        settings: Settings = request.app.state.settings
        request._json = parse_json(body, settings.max_json_depth)  # noqa: SLF001  # Starlette's own cache of it


def parse_json(body: bytes, max_depth: int) -> Any:
    """The document with numbers as int and Decimal. Raises `MalformedJson`."""
    try:
        if not _is_shallow(body, max_depth) and _depth(body) > max_depth:
            raise MalformedJson(f"The document is nested deeper than {max_depth} levels.")
        from_json(body, allow_inf_nan=False)
        return simplejson.loads(body.decode(), parse_float=_decimal)
    except UnicodeDecodeError as error:
        raise MalformedJson(f"The body is not UTF-8 at byte {error.start}.") from None
    except ValueError as error:
        raise MalformedJson(f"The body cannot be read as JSON: {str(error)[:200]}.") from None


def _decimal(text: str) -> Decimal:
    """A number with a point or an exponent; one beyond all doubles would take hours as an integer."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = None
    if number is None or abs(number.adjusted()) > MAX_EXPONENT:
        raise ValueError(f"the exponent of a number lies beyond {MAX_EXPONENT}")
    return number


def _is_shallow(body: bytes, most: int) -> bool:
    """Whether it is nested at most so deep and its brackets close, told in a few passes that are quick."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(unescaped.translate(_ALIKE, _NO_BRACKETS).split(b'"')[::2])
    for _ in range(most):  # each takes the innermost away
        if not brackets:
            break
        brackets = brackets.replace(b"{}", b"")
    return not brackets


# What is wanted here is only how deep it is: `[}` is the parser's to refuse.
_ALIKE = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))


def _depth(body: bytes) -> int:
    """The deepest nesting, in one pass that cannot itself run out of stack."""
    deepest = depth = 0
    in_string = escaped = False
    for byte in body.translate(None, _PLAIN):
        if escaped:
            escaped = False
        elif in_string:
            if byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


# Everything that says nothing of nesting is dropped before the pass; an escaped character must stay.
_PLAIN = bytes(set(range(256)) - set(b'[]{}"\\') - set(b"/bfnrtu"))
