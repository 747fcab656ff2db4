"""Logs, metrics and request ids."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.ids import new_id
from app.core.problems import MEDIA_TYPE, BodyTooLarge, RequestTimeout

REQUESTS = Counter("paceline_http_requests_total", "Requests answered.", ["method", "path", "status"])
SECONDS = Histogram("paceline_http_request_seconds", "Time to answer.", ["method", "path"])
DELIVERIES = Counter("paceline_deliveries_total", "Webhook calls, by what became of them.", ["system", "outcome"])
JOBS = Counter("paceline_jobs_total", "Jobs done or failed.", ["kind", "outcome"])

SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Names the directory where processes count together; prometheus_client looks for it when it is imported."""

log = structlog.get_logger("paceline")


def metrics() -> bytes:
    """What Prometheus reads: of all processes that share a directory, whichever of them is asked, else of this one."""
    if SHARED_METRICS not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def configure_logging(level: str) -> None:
    """One JSON line per record on standard error; uvicorn's and alembic's records go the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer(), keep_exc_info=False
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell the address of each request to a CRM


class RequestContext:
    """Outermost: gives each request an id, bounds its body, counts and logs it."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        request_seconds: float,
        of_files: Mapping[tuple[str, str], tuple[int, float]],
    ) -> None:
        """`of_files` has other limits for operations (method, path) that take whole files."""
        self.app = app
        self.limits = max_body_bytes, request_seconds
        self.of_files = of_files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = str(new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            most, patience = self.of_files.get((scope["method"], scope["path"]), self.limits)
            if (declared := _declared_length(scope)) is not None and declared > most:
                await _refuse(scope, receive, answer, request_id, most)
            else:
                await self.app(scope, _bounded(receive, most, patience), answer)
        finally:
            path = getattr(scope.get("route"), "path_format", None) or "unmatched"
            spent = time.perf_counter() - started
            answered, seconds = _meters(scope["method"], path, status)
            answered.inc()
            seconds.observe(spent)
            log.info("request", method=scope["method"], path=path, status=status, ms=round(spent * 1000, 1))


def _bounded(receive: Receive, most: int, seconds: float) -> Receive:
    """A body without a declared length is counted while it comes in, and none may take for ever."""
    seen, is_whole = 0, False
    deadline = asyncio.get_running_loop().time() + seconds

    async def counted() -> Message:
        nonlocal seen, is_whole
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            sentence = f"The body did not arrive within {seconds:g} seconds."
            raise RequestTimeout(sentence, headers={"Connection": "close"}) from None
        is_whole = not message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > most:
            raise BodyTooLarge(_sentence(most))
        return message

    return counted


async def _refuse(scope: Scope, receive: Receive, send: Send, request_id: str, most: int) -> None:
    problem = BodyTooLarge(_sentence(most))
    response = JSONResponse(problem.body(request_id), problem.status, media_type=MEDIA_TYPE)
    await response(scope, receive, send)


def _sentence(most: int) -> str:
    return f"The body is larger than {most} bytes; send it in parts."


@lru_cache(maxsize=4096)
def _meters(method: str, path: str, status: int) -> tuple[Counter, Histogram]:
    """What counts and times the answers of an operation."""
    return REQUESTS.labels(method, path, str(status)), SECONDS.labels(method, path)


def _declared_length(scope: Scope) -> int | None:
    value = dict(scope["headers"]).get(b"content-length", b"")
    return int(value) if value.isdigit() else None


def request_id_of(request: Request) -> str | None:
    """The id under which the request is logged."""
    return getattr(request.state, "request_id", None)
