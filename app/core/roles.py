"""The three database roles: owner migrates, app serves, worker serves and sees what is due.

Made by `paceline bootstrap` with a superuser's connection, never by migrations. None is a superuser or
bypasses row-level security.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from app.core.rowsecurity import WORKER_ROLE

OWNER_ROLE, APP_ROLE = "paceline_owner", "paceline_app"
ROLES = (OWNER_ROLE, APP_ROLE, WORKER_ROLE)


@dataclass(frozen=True)
class DatabaseUrls:
    """One database, as each role reaches it."""

    owner: str
    app: str
    worker: str


def new_passwords() -> dict[str, str]:
    """A random password for each role."""
    return {role: secrets.token_urlsafe(24) for role in ROLES}


def urls(superuser_url: str, database: str, passwords: Mapping[str, str]) -> DatabaseUrls:
    """The roles' URLs of a database on the superuser's server."""
    owner, app, worker = (_url_as(superuser_url, database, role, passwords[role]) for role in ROLES)
    return DatabaseUrls(owner=owner, app=app, worker=worker)


async def bootstrap(superuser_url: str, database: str, passwords: Mapping[str, str]) -> DatabaseUrls:
    """Make the roles, the database and its grants where they are absent; passwords are set anew.

    Safe to repeat. Raises asyncpg's errors where the connection is not allowed to.
    """
    server = await asyncpg.connect(superuser_url)
    try:
        for role in ROLES:
            await _ensure_role(server, role, passwords[role])
        if not await server.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            # A managed server's administrator may give a database only to a role that it is a member of.
            await server.execute(f"GRANT {OWNER_ROLE} TO CURRENT_USER")
            await server.execute(f"CREATE DATABASE {_name(database)} OWNER {OWNER_ROLE}")
    finally:
        await server.close()
    await _grant(_url_with(superuser_url, database))
    return urls(superuser_url, database, passwords)


async def _ensure_role(server: asyncpg.Connection, role: str, password: str) -> None:
    exists = await server.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    literal = await server.fetchval("SELECT quote_literal($1::text)", password)
    await server.execute(f"{verb} ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD {literal}")


async def _grant(url: str) -> None:
    server = await asyncpg.connect(url)
    try:
        # A trusted extension, but made here so that migrations need no right to create one.
        await server.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        await server.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER_ROLE}")
        await server.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}, {WORKER_ROLE}")
        await server.execute(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER_ROLE} IN SCHEMA public "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP_ROLE}, {WORKER_ROLE}"
        )
    finally:
        await server.close()


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _url_with(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path="/" + quote(database, safe="")))


def _url_as(url: str, database: str, role: str, password: str) -> str:
    parts = urlsplit(_url_with(url, database))
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{place}"))
