"""Runs migrations: one at a time, each in a transaction of its own, never waiting long for a lock.

The database's URL is handed over by `app.supervisor.migrate`, by `alembic -x url=…`, or else is
PACELINE_OWNER_DATABASE_URL.
"""

import asyncio
import re

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.core.settings import Settings
from app.models import metadata

# Whoever waits longer for a lock holds up all that come after; a migration can be repeated.
LOCK_TIMEOUT, STATEMENT_TIMEOUT = "10s", "10min"
MIGRATORS = 7_231_904_418
"""Key of the advisory lock that the migrator holds; another waits for it."""


def run() -> None:
    """Migrate, or with `--sql` write what would be done."""
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql", target_metadata=metadata, literal_binds=True, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()
    else:
        asyncio.run(_migrate())


def _url() -> str:
    given = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    url = given or Settings().owner_database_url
    if not url:
        raise SystemExit("PACELINE_OWNER_DATABASE_URL is not set.")
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+asyncpg://", url)


async def _migrate() -> None:
    server_settings = {
        "timezone": "UTC",
        "application_name": "paceline-migrate",
        "citus.propagate_set_commands": "local",
    }
    engine = create_async_engine(_url(), poolclass=pool.NullPool, connect_args={"server_settings": server_settings})
    async with engine.connect() as connection:
        await _wait_for_others(connection)
        await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        await connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        # Alembic begins and commits by itself only where no transaction runs yet. The lock is the session's.
        await connection.commit()
        await connection.run_sync(_run_migrations)
    await engine.dispose()


async def _wait_for_others(connection: AsyncConnection) -> None:
    """Ask again and again: a statement that waited would be waited for by the other's CREATE INDEX CONCURRENTLY."""
    while not (await connection.execute(text(f"SELECT pg_try_advisory_lock({MIGRATORS})"))).scalar_one():
        await connection.commit()
        await asyncio.sleep(0.2)


def _run_migrations(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


run()
