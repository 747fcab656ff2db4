"""The second migration, on a database in which organizations live already."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from app.core.ids import new_id
from app.core.roles import DatabaseUrls, bootstrap
from app.supervisor import PROJECT, migrate


@pytest.fixture
def lived_in(postgres: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[DatabaseUrls]:
    """A database at the first version."""
    name = f"lived_in_{getattr(request.config, 'workerinput', {}).get('workerid', 'main')}"
    made = asyncio.run(bootstrap(postgres["superuser"], name, postgres["passwords"]))
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    config.attributes["url"] = made.owner
    command.upgrade(config, "0001")
    yield made
    asyncio.run(_run(postgres["superuser"], f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _run(url: str, *statements: str) -> list[Any]:
    """The rows of the last statement."""
    connection = await asyncpg.connect(url)
    rows: list[Any] = []
    try:
        for statement in statements:
            rows = await connection.fetch(statement)
    finally:
        await connection.close()
    return rows


def test_organizations_keep_the_fiscal_years_that_they_have(lived_in: DatabaseUrls) -> None:
    """Also where a server of the version before writes settings while the database is ahead of it."""
    org_id = new_id()

    def settings(recorded: str, superseded: str) -> str:
        return (
            "INSERT INTO organization_settings (org_id, row_id, time_zone, currency, week_starts_on,"
            " fiscal_year_starts, fiscal_year_named_after, recorded_at, superseded_at)"
            f" VALUES ('{org_id}', '{new_id()}', 'Europe/Warsaw', 'EUR', 0, 4, 'ends', '{recorded}', {superseded})"
        )

    asyncio.run(
        _run(
            lived_in.owner,
            f"INSERT INTO organization VALUES ('{org_id}', 'Acme Sales', 1, '2026-01-05')",
            settings("2026-01-05", "'2026-07-01'"),
            f"INSERT INTO source VALUES ('{org_id}', '{new_id()}', 'api', 'API', 'api', NULL, '2026-01-05', NULL, 1)",
        )
    )
    migrate(lived_in.owner)
    asyncio.run(_run(lived_in.owner, settings("2026-07-01", "NULL")))
    kept = "SELECT fiscal_year_starts, fiscal_pattern, fiscal_week_rule FROM organization_settings"
    assert [tuple(row) for row in asyncio.run(_run(lived_in.owner, kept))] == [(4, "months", "last")] * 2


@pytest.mark.parametrize(("column", "value"), [("fiscal_pattern", "4-4-4"), ("fiscal_week_rule", "first")])
def test_the_database_takes_no_fiscal_year_that_nobody_knows(lived_in: DatabaseUrls, column: str, value: str) -> None:
    migrate(lived_in.owner)
    org_id = new_id()
    with pytest.raises(asyncpg.CheckViolationError, match=column):
        asyncio.run(
            _run(
                lived_in.owner,
                f"INSERT INTO organization VALUES ('{org_id}', 'Acme Sales', 1, '2026-01-05')",
                "INSERT INTO organization_settings (org_id, row_id, time_zone, currency, week_starts_on,"
                f" fiscal_year_starts, fiscal_year_named_after, recorded_at, {column})"
                f" VALUES ('{org_id}', '{new_id()}', 'UTC', 'EUR', 0, 1, 'ends', '2026-01-05', '{value}')",
            )
        )
