"""One PostgreSQL for the whole run, one cloned database per worker, one organization per test."""

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from hypothesis import settings as settings_of_searches
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database, OrganizationId, Ready, make_engine
from app.core.embedded import UNSAFE_BUT_FAST, EmbeddedPostgres
from app.core.roles import DatabaseUrls, bootstrap, new_passwords, urls
from app.core.sealing import Keyring, parse_keys
from app.core.settings import Settings
from app.main import create_app
from app.supervisor import migrate
from tests.core.configuration_rules import forgotten, note
from tests.migrations.sql_rules import findings
from tests.support import Api, World

TEMPLATE = "paceline_template"
NOWHERE = "http://127.0.0.1:9"
KEYS = f"tests:{base64.b64encode(bytes(range(32))).decode()}"
UNCONFINED = "core/test_isolation.py"
"""Tests that name no organization on purpose: row security has to hold without."""

settings_of_searches.register_profile("short", max_examples=25)
settings_of_searches.register_profile("long", max_examples=1000)
settings_of_searches.load_profile("short")


class Server:
    """The run's PostgreSQL, with the migrated template; it lives in the controlling process."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="paceline-tests-"))
        self.postgres = EmbeddedPostgres(self.directory, settings={**UNSAFE_BUT_FAST, "max_connections": "200"})
        self.address = {"superuser": self.postgres.start(), "passwords": new_passwords()}
        _make_template(self.address)

    def stop(self) -> None:
        self.postgres.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def _make_template(address: dict[str, Any]) -> None:
    made = asyncio.run(bootstrap(address["superuser"], TEMPLATE, address["passwords"]))
    migrate(made.owner)


def pytest_configure(config: pytest.Config) -> None:
    """Start the server once, in the process that controls the run."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        server = Server()
        config.stash[SERVER] = server
        config.add_cleanup(server.stop)


SERVER = pytest.StashKey[Server]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the server is."""
    node.workerinput["postgres"] = json.dumps(node.config.stash[SERVER].address)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Superuser URL and the roles' passwords."""
    if hasattr(request.config, "workerinput"):
        address: dict[str, Any] = json.loads(request.config.workerinput["postgres"])
        return address
    return request.config.stash[SERVER].address


@pytest.fixture(scope="session")
def database_urls(postgres: dict[str, Any], request: pytest.FixtureRequest) -> DatabaseUrls:
    """A database of this worker's own, cloned from the template."""
    name = f"test_{getattr(request.config, 'workerinput', {}).get('workerid', 'main')}"

    async def clone() -> None:
        server = await asyncpg.connect(postgres["superuser"])
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} STRATEGY file_copy')
        await server.close()

    asyncio.run(clone())
    return urls(postgres["superuser"], name, postgres["passwords"])


@pytest.fixture(scope="session")
def settings(database_urls: DatabaseUrls) -> Settings:
    """The service's settings in tests: the clock may be set by hand."""
    return Settings(
        database_url=database_urls.app,
        worker_database_url=database_urls.worker,
        owner_database_url=database_urls.owner,
        public_base_url="https://paceline.example.com",
        manual_clock=True,
        encryption_keys=SecretStr(KEYS),
        crm_addresses={"*": NOWHERE},
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        _watch(app.state.database)
        _watch(app.state.database.aside)
        yield app


@pytest.fixture(scope="session")
async def worker_database(settings: Settings) -> AsyncIterator[Database]:
    """Connections of the worker's role."""
    assert settings.worker_database_url is not None
    engine = make_engine(settings.worker_database_url, pool_size=5, statement_timeout_ms=60_000, lock_timeout_ms=30_000)
    database = Database(engine, keyring=Keyring(parse_keys(KEYS)))
    _watch(database)
    yield database
    await engine.dispose()


def _watch(database: Database) -> None:
    """Hold every statement that is executed to the rules of Citus: plain PostgreSQL accepts all of them."""

    def check(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if UNCONFINED not in os.environ.get("PYTEST_CURRENT_TEST", ""):
            assert not findings(statement), f"{findings(statement)}: {statement}"

    event.listen(database.engine.sync_engine, "before_cursor_execute", check)
    _watch_configuration(database)


@pytest.fixture(scope="session", autouse=True)
def _watched_driver() -> Iterator[None]:
    """Hold what runs on the driver to the same rules; a test that breaks one on purpose says so by its file."""
    rows, brief = Ready.rows, Database.brief

    async def watched(self: Ready, session: AsyncSession, **parameters: Any) -> Any:
        assert not findings(self.text), f"{findings(self.text)}: {self.text}"
        if "held" in session.info:
            note(session.info.setdefault("transaction", {}), self.text)
        else:
            connection = (await session.connection()).sync_connection
            assert connection is not None
            note(connection.info.setdefault("transaction", {}), self.text)
        return await rows(self, session, **parameters)

    @asynccontextmanager
    async def told(self: Database, org_id: OrganizationId) -> AsyncIterator[AsyncSession]:
        async with brief(self, org_id) as session:
            yield session
            _require_told(session.info.get("transaction", {}))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Ready, "rows", watched)
        patched.setattr(Database, "brief", told)
        yield


def _require_told(transaction: dict[str, Any]) -> None:
    untold = forgotten(transaction)
    assert not untold, f"{sorted(untold)} changed, and ledger_clock.configured did not: call clock.configure"


def _watch_configuration(database: Database) -> None:
    """Hold every transaction to telling that it changes what processes keep."""

    def begin(connection: Any) -> None:
        connection.info["transaction"] = {}

    def execute(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        note(connection.info.setdefault("transaction", {}), statement)

    def commit(connection: Any) -> None:
        _require_told(connection.info.get("transaction", {}))

    for name, listener in (("begin", begin), ("before_cursor_execute", execute), ("commit", commit)):
        event.listen(database.engine.sync_engine, name, listener)


@pytest.fixture
async def world(app: FastAPI, worker_database: Database) -> AsyncIterator[World]:
    """Makes organizations, each with its admin's client; a test's own, so that tests are kept apart as tenants are."""
    made = World(app, worker_database)
    yield made
    await made.close()


@pytest.fixture
async def api(world: World) -> Api:
    """The admin's client of a new organization in Europe/Warsaw, whose clock stands at 2026-07-13 12:00 there."""
    return await world.organization()
