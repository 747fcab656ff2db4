"""Makes the application: state, middleware, problems, routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import openapi
from app.accounts.keyuse import KeyUse
from app.accounts.models import ApiKeyDirectory
from app.api import routers
from app.core import handlers, telemetry
from app.core.admission import Writers
from app.core.budget import QueryBudget
from app.core.configuration import Configurations
from app.core.db import Database, make_engine
from app.core.directory import Directory
from app.core.problems import NotFound, Problem
from app.core.routing import Shortcut
from app.core.sealing import Keyring, parse_keys
from app.core.settings import Settings
from app.core.telemetry import RequestContext
from app.integrations.clients.http import Outside
from app.integrations.models import SourceDirectory
from app.integrations.receiving import Inbox


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings; the database is connected when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = open_database(settings, settings.database_url)
        app.state.database = database
        app.state.outside = Outside(settings.crm_addresses)
        ttl = settings.directory_ttl_seconds
        app.state.directory = Directory(database, ttl, ApiKeyDirectory.key_id, ApiKeyDirectory.org_id)
        app.state.source_directory = Directory(database, ttl, SourceDirectory.source_id, SourceDirectory.org_id)
        app.state.key_use = KeyUse(database.aside)
        app.state.inbox = Inbox(database, settings.public_base_url)
        yield
        await app.state.outside.close()
        await app.state.key_use.finish()
        await database.close()

    app = FastAPIOffline(lifespan=lifespan, **openapi.METADATA)
    app.state.settings = settings
    app.state.query_budget = QueryBudget(settings.query_seconds_per_minute, settings.max_concurrent_queries)
    app.state.writers = Writers(settings.max_concurrent_writes)
    handlers.install(app)
    app.include_router(routers())
    _add_operations(app)
    app.add_middleware(
        RequestContext,
        max_body_bytes=settings.max_body_bytes,
        request_seconds=settings.request_seconds,
        of_files={("POST", "/v1/imports"): (settings.max_import_bytes, settings.import_seconds)},
    )
    openapi.install(app)
    app.router.routes.insert(0, Shortcut(openapi.api_routes(app)))
    return app


def open_database(settings: Settings, url: str | None) -> Database:
    """Connections for one role's URL."""
    if url is None:
        raise RuntimeError(
            "PACELINE_DATABASE_URL is not set; `paceline serve` starts an embedded server when it is absent"
        )
    engine, aside = (
        make_engine(
            url,
            pool_size=settings.pool_size,
            statement_timeout_ms=settings.statement_timeout_ms,
            lock_timeout_ms=settings.lock_timeout_ms,
        )
        for _ in range(2)
    )
    keys = settings.encryption_keys
    keyring = Keyring(parse_keys(keys.get_secret_value() if keys else ""))
    return Database(engine, aside, Configurations(), use_partials=settings.use_partials, keyring=keyring)


def _add_operations(app: FastAPI) -> None:
    """What operators and readers of problems need, outside the versioned API."""

    @app.get("/healthz", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def ready(request: Request) -> Response:
        manual = request.app.state.settings.manual_clock
        try:
            async with request.app.state.database.directory() as session:
                revision = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        except (DBAPIError, OSError):
            return JSONResponse({"status": "unavailable", "manual_clock": manual}, 503)
        return JSONResponse({"status": "ok", "manual_clock": manual, "schema": revision})

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:  # in a thread: it may have files to read
        return Response(telemetry.metrics(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/problems/{code}", include_in_schema=False)
    async def problem_page(code: str) -> HTMLResponse:
        for kind in _kinds(Problem):
            if kind.code == code:
                text_of = (kind.__doc__ or "").strip()
                head = f"<!doctype html><title>{kind.title}</title><h1>{kind.title} ({kind.status})</h1>"
                return HTMLResponse(f"{head}<p>{text_of}</p>")
        raise NotFound("There is no such problem.")


def _kinds(kind: type[Problem]) -> list[type[Problem]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _kinds(child))]
