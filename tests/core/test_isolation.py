"""The database keeps organizations apart by itself, whatever a query forgets."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core import rowsecurity
from app.models import metadata
from tests.support import World

TABLES = [table.name for table in rowsecurity.tenant_tables(metadata)]


async def test_every_tenant_table_forces_row_level_security(world: World) -> None:
    async with world.database.directory() as session:
        rows = await session.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
                "AND relrowsecurity AND relforcerowsecurity"
            )
        )
        assert {row.relname for row in rows} == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
async def test_without_an_organization_nothing_is_seen(world: World, table: str) -> None:
    await world.organization()
    async with world.database.directory() as session:
        assert (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0


async def test_an_organization_sees_and_writes_only_its_own_rows(world: World) -> None:
    mine, theirs = await world.organization(), await world.organization()
    async with world.database.read(mine.org_id) as session:
        found = (await session.execute(text("SELECT id FROM organization"))).scalars().all()
        assert found == [mine.org_id]
    with pytest.raises(DBAPIError, match="row-level security"):
        async with world.database.write(mine.org_id) as session:
            await session.execute(
                text("INSERT INTO event_type (org_id, type, description, created_at) VALUES (:org, 'a.b', '', now())"),
                {"org": theirs.org_id},
            )


async def test_a_read_cannot_write(world: World) -> None:
    api = await world.organization()
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with world.database.read(api.org_id) as session:
            await session.execute(text("UPDATE organization SET name = 'x'"))


async def test_the_worker_sees_what_is_due_across_organizations_and_nothing_else(world: World) -> None:
    api = await world.organization()
    async with world.database.write(api.org_id) as session:
        await session.execute(
            text("INSERT INTO job (org_id, id, kind, payload) VALUES (:org, uuidv7(), 'test-none', '{}')"),
            {"org": api.org_id},
        )
    async with world.worker_database.directory() as session:
        due = await session.execute(text("SELECT org_id FROM job WHERE kind = 'test-none'"))
        assert api.org_id in due.scalars().all()
        assert (await session.execute(text("SELECT count(*) FROM organization"))).scalar_one() == 0
        with pytest.raises(DBAPIError, match="row-level security"):
            await session.execute(
                text("INSERT INTO job (org_id, id, kind, payload) VALUES (:org, uuidv7(), 'x', '{}')"),
                {"org": api.org_id},
            )


async def test_no_role_of_the_service_is_a_superuser_or_bypasses_row_level_security(world: World) -> None:
    async with world.database.directory() as session:
        rows = await session.execute(
            text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'paceline%' AND (rolsuper OR rolbypassrls)")
        )
        assert rows.all() == []
