"""Databases of the benchmark: a filled one for each size, kept in the directory, and a copy of it for each run."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.core.embedded import EmbeddedPostgres
from app.core.roles import DatabaseUrls, bootstrap, new_passwords, urls
from app.core.settings import Settings
from app.main import open_database
from app.supervisor import PROJECT, migrate
from tests.benchmarks import ledger, people
from tests.benchmarks.machine import postgres_settings
from tests.benchmarks.world import Organization

RUN = "benchmark"
"""Names of copies begin with it."""


@dataclass(frozen=True)
class Prepared:
    """A database with the organization's data, as each role reaches it."""

    urls: DatabaseUrls
    superuser_url: str
    organization: Organization


@contextmanager
def server_in(directory: Path) -> Iterator[EmbeddedPostgres]:
    """The server of a directory, its data kept in it."""
    directory.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(directory, settings=postgres_settings(), timeout=300) as server:
        yield server


def make(server: EmbeddedPostgres, sizes: Sequence[int], told: Callable[[int], None]) -> None:
    """Make the data of these sizes that is not kept yet, or is not what this code makes."""
    asyncio.run(_all_kept(server, sizes, told))


def prepare(server: EmbeddedPostgres, sizes: Sequence[int], told: Callable[[int], None]) -> list[Prepared]:
    """Fresh copies of the data of these sizes, which is made first where `make` would."""
    return asyncio.run(_ready(server, sizes, told))


async def _ready(server: EmbeddedPostgres, sizes: Sequence[int], told: Callable[[int], None]) -> list[Prepared]:
    organizations = await _all_kept(server, sizes, told)
    return [await _copied(server, organization) for organization in organizations]


async def _all_kept(server: EmbeddedPostgres, sizes: Sequence[int], told: Callable[[int], None]) -> list[Organization]:
    await _drop_copies(server.superuser_url)  # their place may be needed
    return [await _kept(server, events, told) for events in sizes]


async def _copied(server: EmbeddedPostgres, organization: Organization) -> Prepared:
    name = f"{RUN}_{organization.events}"
    await _make_copy(server.superuser_url, name, _name(organization.events))
    superuser_url = _of(server.superuser_url, name)
    await _count_statements(superuser_url)
    return Prepared(urls(server.superuser_url, name, _passwords(server.directory)), superuser_url, organization)


async def _kept(server: EmbeddedPostgres, events: int, told: Callable[[int], None]) -> Organization:
    stamp = server.directory / f"{_name(events)}.json"
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8"))["state"] != _state():
        stamp.unlink(missing_ok=True)
        state = _state()
        organization = await _make(server, _name(events), _passwords(server.directory), events, told)
        stamp.write_text(json.dumps({"state": state, **organization.as_json()}), encoding="utf-8")
    kept = json.loads(stamp.read_text(encoding="utf-8"))
    del kept["state"]
    return Organization.from_json(kept)


def _name(events: int) -> str:
    return f"events_{events}"


async def _make(
    server: EmbeddedPostgres, name: str, passwords: dict[str, str], events: int, told: Callable[[int], None]
) -> Organization:
    await _drop(server.superuser_url, name)
    made = await bootstrap(server.superuser_url, name, passwords)
    # Migrations run an event loop of their own.
    await asyncio.to_thread(migrate, made.owner)
    superuser_url = _of(server.superuser_url, name)
    database = open_database(Settings(manual_clock=True), made.app)
    superuser = await asyncpg.connect(superuser_url)
    try:
        organization = await people.found(database, superuser, events)
    finally:
        await superuser.close()
        await database.close()
    await ledger.load(superuser_url, organization, told)
    return organization


async def _make_copy(superuser_url: str, name: str, template: str) -> None:
    server = await asyncpg.connect(superuser_url)
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    await server.close()


async def _drop_copies(superuser_url: str) -> None:
    server = await asyncpg.connect(superuser_url)
    copies = await server.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", RUN)
    await server.close()
    for copy in copies:
        await _drop(superuser_url, copy["datname"])


async def _drop(superuser_url: str, name: str) -> None:
    server = await asyncpg.connect(superuser_url)
    await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await server.close()


async def _count_statements(superuser_url: str) -> None:
    server = await asyncpg.connect(superuser_url)
    await server.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    await server.execute("SELECT pg_stat_statements_reset()")
    await server.close()


def _of(superuser_url: str, database: str) -> str:
    return urlunsplit(urlsplit(superuser_url)._replace(path=f"/{database}"))


def _passwords(directory: Path) -> dict[str, str]:
    """The roles' passwords; they are the server's, and so are kept with it."""
    path = directory / "roles.json"
    if not path.exists():
        path.touch(0o600)
        path.write_text(json.dumps(new_passwords()), encoding="utf-8")
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _state() -> str:
    """What the data depends on: the migrations, and how it is made."""
    here = PROJECT / "tests" / "benchmarks"
    files = [*sorted((PROJECT / "migrations" / "versions").glob("*.py")), here / "ledger.py", here / "people.py"]
    files.append(here / "world.py")
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
