"""The commands: `demo | serve | worker | migrate | bootstrap | rotate-keys | openapi | organization create`."""

import argparse
import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import DBAPIError

from app.core.roles import APP_ROLE, OWNER_ROLE, ROLES, bootstrap
from app.core.rowsecurity import WORKER_ROLE
from app.core.schemas import CurrencyCode, Instant, Name, TimeZoneName
from app.core.settings import Settings
from app.core.telemetry import configure_logging, log
from app.core.unprivileged import EmbeddedPostgresError
from app.supervisor import (
    Listeners,
    ServiceEnded,
    embedded_database,
    keys_of,
    listen,
    migrate,
    service,
    supervise,
    whole_service,
)

DOCUMENT = Path(__file__).resolve().parent.parent / "openapi" / "openapi.json"
GRACE_SECONDS = 10
# Where clocks may be set by hand an organization has always been there, so that any past can be tested.
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Refusal(Exception):  # noqa: N818 - what the user is told, not an error of ours
    """A command cannot be carried out; the message says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings()
        code: int = options.run(options, settings) or 0
    except ValidationError as error:
        _say(_wrong_settings(error))
        return 2
    except (Refusal, EmbeddedPostgresError) as error:
        _say(str(error))
        return 1
    except ServiceEnded as error:
        _say(str(error))
        return error.code if error.code > 0 else 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="paceline", description="Sales performance as a service.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="the service on demo data, with its own PostgreSQL")
    demo.set_defaults(run=_demo)
    serve = commands.add_parser(
        "serve", help="serve requests; without PACELINE_DATABASE_URL also PostgreSQL and a worker"
    )
    serve.set_defaults(run=_serve)
    for command in (demo, serve):
        command.add_argument("--host", help="address to listen on (PACELINE_HOST)")
        command.add_argument("--port", type=_port, help="port to listen on (PACELINE_PORT); 0 takes a free one")
    serve.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes that serve requests")
    serve.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # an inherited socket: how the supervisor starts us

    commands.add_parser("worker", help="do what is due later").set_defaults(run=_worker)
    commands.add_parser("migrate", help="bring the tables up to this version").set_defaults(run=_migrate)
    commands.add_parser("bootstrap", help="make the three roles and the database").set_defaults(run=_bootstrap)

    rotate = commands.add_parser("rotate-keys", help="seal secrets anew by the first of PACELINE_ENCRYPTION_KEYS")
    rotate.set_defaults(run=_rotate_keys)

    openapi = commands.add_parser("openapi", help="write openapi/openapi.json")
    openapi.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")
    openapi.set_defaults(run=_openapi)

    organization = commands.add_parser("organization", help="organizations").add_subparsers(
        required=True, metavar="COMMAND"
    )
    create = organization.add_parser("create", help="make an organization, and print its first API key")
    create.add_argument("name", metavar="NAME", type=_checked(Name))
    create.add_argument("--time-zone", type=_checked(TimeZoneName), default="UTC", help="IANA zone, Europe/Warsaw")
    create.add_argument("--currency", type=_checked(CurrencyCode), default="EUR", help="ISO 4217 code of results")
    create.add_argument(
        "--now", type=_checked(Instant), help="a clock of its own, for tests; needs PACELINE_MANUAL_CLOCK"
    )
    create.set_defaults(run=_create_organization)
    return parser


def _checked(type_: Any) -> Any:  # Annotated types are no classes
    adapter: TypeAdapter[str] = TypeAdapter(type_)

    def check(text: str) -> str:
        try:
            return adapter.validate_python(text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error.errors()[0]['msg']}") from None

    return check


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _demo(options: argparse.Namespace, settings: Settings) -> None:
    from app.demo.api import DemoFailed
    from app.demo.run import run

    configure_logging("WARNING")
    with _listen(options, settings) as listeners:
        try:
            run(_reached_at(settings, listeners), listeners)
        except DemoFailed as error:
            raise Refusal(f"The demo failed: {error}") from error


def _serve(options: argparse.Namespace, settings: Settings) -> None:
    """One process serves by itself; several, or one without a database, are children of this one."""
    configure_logging(settings.log_level)
    if options.fd is not None:
        _serve_requests(settings, socket.socket(fileno=options.fd))
        return
    with _listen(options, settings, options.workers) as listeners:
        settings = _reached_at(settings, listeners)
        if settings.database_url is None:
            with embedded_database(settings, options.workers) as (server, urls):
                _say(f"Serving on {listeners.url}/docs")
                children = whole_service(settings, listeners, urls, **keys_of(settings, server.directory))
                asyncio.run(supervise(children, server=server))
        elif options.workers > 1:
            asyncio.run(supervise(service(settings, listeners, settings.database_url)))
        else:
            _serve_requests(settings, listeners.sockets[0])


def _serve_requests(settings: Settings, listener: socket.socket) -> None:
    gc.disable()  # until all is imported, and made: of that nothing is garbage
    import uvicorn

    from app.main import create_app

    app = create_app(settings)
    _calm_the_collector()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,  # requests are logged by the application, with their ids
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _calm_the_collector() -> None:
    """Let the garbage collector leave alone what was imported, and look less often.

    Answers and batches make tens of thousands of objects that are no garbage yet: looking for cycles among them was the
    largest single part of a batch of 1,000 events, 150 ms of CPU with it and 90 without.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)


def _listen(options: argparse.Namespace, settings: Settings, processes: int = 1) -> Listeners:
    host = settings.host if options.host is None else options.host
    port = settings.port if options.port is None else options.port
    try:
        return listen(host, port, processes)
    except OSError as error:
        raise Refusal(
            f"Cannot listen on {host}, port {port}: {error.strerror}. "
            "Choose another by --port or PACELINE_PORT; 0 takes a free one."
        ) from error


def _reached_at(settings: Settings, listeners: Listeners) -> Settings:
    """Unless the public address was configured it is where we listen: signatures of webhooks cover it."""
    if "public_base_url" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"public_base_url": listeners.url})


def _worker(options: argparse.Namespace, settings: Settings) -> None:
    import uvloop

    configure_logging(settings.log_level)
    url = _needed(settings.worker_database_url, "PACELINE_WORKER_DATABASE_URL")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings, url))


async def _work(settings: Settings, url: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # first of all: imports take seconds, in which we may be told to end
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    from app.core import errands
    from app.goals.jobs import ERRANDS as OF_GOALS
    from app.goals.jobs import HANDLERS as BEGIN_GOALS
    from app.imports.jobs import HANDLERS as OF_IMPORTS
    from app.integrations.clients.http import Outside
    from app.integrations.jobs import HANDLERS, errands_of
    from app.kpis.partials.clearing import HANDLERS as OF_FIGURES
    from app.kpis.partials.keeper import Keeper
    from app.main import open_database
    from app.worker import run

    log.info("worker-started")
    database, outside = open_database(settings, url), Outside(settings.crm_addresses)
    _calm_the_collector()
    try:
        await asyncio.gather(
            run(database, {**HANDLERS, **OF_FIGURES, **OF_IMPORTS, **BEGIN_GOALS}, stop),
            errands.run(database, {**errands_of(outside), **OF_GOALS}, stop),
            Keeper(database).run(stop),
        )
    finally:
        await outside.close()
        await database.close()


def _migrate(options: argparse.Namespace, settings: Settings) -> None:
    configure_logging(settings.log_level)
    try:
        migrate(_needed(settings.owner_database_url, "PACELINE_OWNER_DATABASE_URL"))
    except (DBAPIError, OSError) as error:
        raise Refusal(f"The database could not be migrated: {error}") from error


def _bootstrap(options: argparse.Namespace, settings: Settings) -> None:
    import asyncpg

    secret = settings.superuser_database_url
    url = _needed(secret.get_secret_value() if secret else None, "PACELINE_SUPERUSER_DATABASE_URL")
    database, passwords = _roles_of(settings)
    try:
        asyncio.run(bootstrap(url, database, passwords))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise Refusal(f"The roles and the database could not be made: {error}") from error
    _say(f"The database {database} and the roles {', '.join(ROLES)} are there.")


def _rotate_keys(options: argparse.Namespace, settings: Settings) -> None:
    """In the database of the app's URL, which may be in use: whoever reads opens by all keys meanwhile."""
    url = _needed(settings.database_url, "PACELINE_DATABASE_URL")
    _say(f"{asyncio.run(_sealed_anew(settings, url))} secrets were sealed anew; earlier keys can be taken away.")


async def _sealed_anew(settings: Settings, url: str) -> int:
    from app.core.sealing import CannotOpen, EncryptionKeysMissing
    from app.integrations.sealed import seal_anew
    from app.main import open_database

    database = open_database(settings, url)
    try:
        return await seal_anew(database)
    except EncryptionKeysMissing as error:
        raise Refusal(error.detail) from error
    except CannotOpen as error:
        raise Refusal(f"{error} What was sealed anew stays so.") from error
    except (DBAPIError, OSError) as error:
        raise Refusal(f"The secrets could not be sealed anew: {error}") from error
    finally:
        await database.close()


def _roles_of(settings: Settings) -> tuple[str, dict[str, str]]:
    """The name of the database and each role's password, as the roles' URLs say."""
    urls = {
        OWNER_ROLE: ("PACELINE_OWNER_DATABASE_URL", settings.owner_database_url),
        APP_ROLE: ("PACELINE_DATABASE_URL", settings.database_url),
        WORKER_ROLE: ("PACELINE_WORKER_DATABASE_URL", settings.worker_database_url),
    }
    databases, passwords = set(), {}
    for role, (variable, url) in urls.items():
        parts = urlsplit(_needed(url, variable))
        if parts.username != role or not parts.password or not parts.path.strip("/"):
            raise Refusal(f"{variable} must read postgresql://{role}:PASSWORD@HOST:PORT/DATABASE.")
        databases.add(unquote(parts.path.strip("/")))
        passwords[role] = unquote(parts.password)
    if len(databases) > 1:
        raise Refusal(f"The three roles' URLs name different databases: {', '.join(sorted(databases))}.")
    return databases.pop(), passwords


def _openapi(options: argparse.Namespace, settings: Settings) -> int:
    from app import openapi
    from app.main import create_app

    document = openapi.to_json(openapi.document(create_app(settings)))
    if not options.check:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(document, encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != document:
        _say(f"{DOCUMENT.parent.name}/{DOCUMENT.name} is not what the code says: run `python3 -m app openapi`.")
        return 1
    return 0


def _create_organization(options: argparse.Namespace, settings: Settings) -> None:
    """In the database of the app's URL, else in the embedded one, whether that is being served or not."""
    if options.now is not None and not settings.manual_clock:
        raise Refusal("An organization has a clock of its own only where PACELINE_MANUAL_CLOCK=true allows it.")
    if settings.database_url is not None:
        made = asyncio.run(_organization(options, settings, settings.database_url))
    else:
        with embedded_database(settings) as (_, urls):
            made = asyncio.run(_organization(options, settings, urls.app))
    print(f"organization {made[0]}\nAPI key {made[1]}")


async def _organization(options: argparse.Namespace, settings: Settings, url: str) -> tuple[UUID, str]:
    from app.main import open_database
    from app.onboarding import create_organization

    database = open_database(settings, url)
    try:
        return await create_organization(
            database,
            options.name,
            time_zone=options.time_zone,
            currency=options.currency,
            now=options.now,
            recorded_from=EVER if settings.manual_clock else None,
        )
    except (DBAPIError, OSError) as error:
        raise Refusal(f"The organization could not be made: {error}") from error
    finally:
        await database.close()


def _needed(value: str | None, variable: str) -> str:
    if not value:
        raise Refusal(f"{variable} is not set.")
    return value


def _wrong_settings(error: ValidationError) -> str:
    wrong = [f"PACELINE_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
    return "Wrong settings. " + " ".join(wrong)


def _say(what: str) -> None:
    print(f"paceline: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
