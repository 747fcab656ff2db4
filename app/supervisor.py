"""The processes of a service on one machine: its database where none is named, children that serve and work.

The embedded PostgreSQL belongs to this process and not to one that serves: those come and go.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from app.core.embedded import EmbeddedPostgres, ends_with_parent
from app.core.roles import ROLES, DatabaseUrls, bootstrap, new_passwords
from app.core.sealing import VARIABLE as ENCRYPTION_KEYS
from app.core.sealing import own_keys
from app.core.settings import Settings
from app.core.telemetry import SHARED_METRICS, log

PROJECT = Path(__file__).resolve().parent.parent
DATABASE = "paceline"
BACKLOG = 2048

MOST_QUICK_ENDS, QUICK_SECONDS = 5, 10.0
LONGEST_PAUSE_SECONDS = 10.0
PATIENCE_SECONDS = 15.0
DATABASE_CHECK_SECONDS = 1.0
OTHER_CONNECTIONS = 60
"""To the embedded server, beside those of the processes: of commands, and of people who look."""


class ServiceEnded(RuntimeError):  # noqa: N818 - how the service went, and with which code
    """A process that the service cannot do without ended; `code` is to be ours."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Child:
    """A process to be kept running: a command of ours with its environment and inherited descriptors."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()
    ended: Callable[[], None] | None = None
    """What is done when it has ended, before it is started again."""

    async def start(self) -> asyncio.subprocess.Process:
        """Start it; where the system can do so, it ends with us however we end. From the main thread."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", *self.command),
            cwd=PROJECT,
            env={**_without_databases(), **self.environment},
            pass_fds=self.descriptors,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; we tell our children
            preexec_fn=ends_with_parent(),
        )


def _without_databases() -> dict[str, str]:
    """Our environment, but for URLs of roles: a process is given its own only."""
    return {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith("PACELINE_") and name.endswith("DATABASE_URL"))
    }


def migrate(url: str) -> None:
    """Bring the tables of a database up to this code; waits for another who does so."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations").replace("%", "%%"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


@contextmanager
def embedded_database(settings: Settings, processes: int = 1) -> Iterator[tuple[EmbeddedPostgres, DatabaseUrls]]:
    """The server in the data directory, running and migrated, stopped at the end; from the main thread.

    It has connections for so many processes that serve, and a worker. Where another process runs it already it is used
    as it is.
    """
    connections = 2 * settings.pool_size * (processes + 1) + OTHER_CONNECTIONS  # each has two pools (`core/db.py`)
    with EmbeddedPostgres(settings.data_dir, settings={"max_connections": str(connections)}) as server:
        urls = asyncio.run(bootstrap(server.superuser_url, DATABASE, _passwords(server.directory)))
        if server.is_owner:
            migrate(urls.owner)
        yield server, urls


def keys_of(settings: Settings, directory: Path) -> dict[str, str]:
    """What tells children of an embedded database by which keys to keep secrets: as configured, else its own."""
    keys = settings.encryption_keys
    return {ENCRYPTION_KEYS: keys.get_secret_value() if keys else own_keys(directory)}


@dataclass(frozen=True)
class Listeners:
    """Sockets that listen at one address, one for each process; children inherit them, so that none finds it taken."""

    sockets: Sequence[socket.socket]

    @property
    def url(self) -> str:
        """The base URL under which this machine reaches them."""
        host, port = self.sockets[0].getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def leave_to_others(self, one: socket.socket) -> None:
        """Let connections go to the other sockets while nobody takes those of this one.

        It stays bound, and whoever inherits it next listens again when he is ready. Without it a share of the
        connections would wait for that. The last that listens stays as it is: they wait rather than be refused.
        """
        if any(each is not one and each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for each in self.sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.sockets:
            each.close()


def listen(host: str, port: int, processes: int = 1) -> Listeners:
    """Listen for so many processes. Raises `OSError` where the port is taken.

    Linux shares connections out among sockets of one port. Of one socket the process that wakes first takes all that
    come together, and keeps them while they last: of 32 it was all 32, and the other had nothing to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    first = socket.create_server((host, port), family=family, backlog=BACKLOG)
    if processes == 1 or sys.platform != "linux":
        return Listeners([first] * processes)
    with first:  # it has told that nobody else has the port, which the others would share with him
        place = first.getsockname()
    return Listeners(
        [socket.create_server(place, family=family, backlog=BACKLOG, reuse_port=True) for _ in range(processes)]
    )


def service(settings: Settings, listeners: Listeners, url: str) -> list[Child]:
    """Processes that serve requests, one for each listener, and know the app's role only."""
    environment = {"PACELINE_DATABASE_URL": url, "PACELINE_PUBLIC_BASE_URL": settings.public_base_url}
    return [
        Child(
            f"service-{number}",
            ("serve", "--fd", str(each.fileno())),
            environment,
            (each.fileno(),),
            partial(listeners.leave_to_others, each),
        )
        for number, each in enumerate(listeners.sockets, 1)
    ]


def whole_service(settings: Settings, listeners: Listeners, urls: DatabaseUrls, **more: str) -> list[Child]:
    """The same and a worker, on the database of these URLs; `more` goes to the environment of both."""
    worker = {"PACELINE_WORKER_DATABASE_URL": urls.worker, "PACELINE_PUBLIC_BASE_URL": settings.public_base_url}
    children = [*service(settings, listeners, urls.app), Child("worker", ("worker",), worker)]
    return [replace(child, environment={**child.environment, **more}) for child in children]


async def supervise(
    children: Sequence[Child],
    *,
    server: EmbeddedPostgres | None = None,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Keep children running until SIGTERM or SIGINT, then end them; `meanwhile` is done beside them.

    A child that ends is started again after a growing pause. What they count and time is told by each of them for all
    (`core/telemetry.py`). Raises `ServiceEnded` when one ends again and again soon after its start, or when the
    database server ends; and what `meanwhile` raises.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with _shared_metrics() as shared:
        told = [replace(child, environment={**child.environment, **shared}) for child in children]
        tasks = [asyncio.create_task(stop.wait()), *(asyncio.create_task(_keep(child)) for child in told)]
        if server is not None:
            tasks.append(asyncio.create_task(_watch(server)))
        side = asyncio.ensure_future(meanwhile()) if meanwhile else None
        try:
            await _first_end(tasks, side)
        finally:
            await _end([*tasks, *([side] if side else [])])


@contextmanager
def _shared_metrics() -> Iterator[dict[str, str]]:
    """What lets children count together: a directory, unless our environment names one already."""
    if SHARED_METRICS in os.environ:
        yield {}
        return
    with TemporaryDirectory(prefix="paceline-metrics-") as directory:
        yield {SHARED_METRICS: directory}


async def _first_end(tasks: list[asyncio.Task[bool]], side: asyncio.Future[None] | None) -> None:
    """Wait for the first of the tasks to end, or the side task to fail; raise what it raised."""
    waiting: set[asyncio.Future[bool] | asyncio.Future[None]] = {*tasks, *([side] if side else [])}
    while True:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
        if done != {side}:
            return


async def _end(tasks: Sequence[asyncio.Future[bool] | asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _keep(child: Child) -> bool:
    """Start a child again whenever it ends; its end comes with this task's."""
    quick = 0
    while True:
        started = time.monotonic()
        process = await child.start()
        try:
            code = await process.wait()
        finally:
            await _stop(process)
        if child.ended:
            child.ended()
        quick = quick + 1 if time.monotonic() - started < QUICK_SECONDS else 0
        if quick >= MOST_QUICK_ENDS:
            raise ServiceEnded(f"The process {child.name} ends soon after each start, the last time with {code}.", code)
        log.warning("process-ended", process=child.name, code=code)
        await asyncio.sleep(min(0.5 * 2**quick, LONGEST_PAUSE_SECONDS))


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and insist when it does not."""
    for how in (process.terminate, process.kill):
        with suppress(ProcessLookupError):
            how()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
            return


async def _watch(server: EmbeddedPostgres) -> bool:
    while not server.has_ended:  # noqa: ASYNC110 - a process has no event
        await asyncio.sleep(DATABASE_CHECK_SECONDS)
    raise ServiceEnded(f"PostgreSQL ended; {server.directory / 'postgres.log'} says why.", 1)


def _passwords(directory: Path) -> dict[str, str]:
    """The roles' passwords, made at the first start and kept in a file for us alone."""
    path = directory / "roles.json"
    if not path.exists():
        draft = path.with_name(f"roles.{os.getpid()}.draft")
        draft.touch(0o600, exist_ok=False)
        draft.write_text(json.dumps(new_passwords()), encoding="utf-8")
        draft.replace(path)
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return {role: kept[role] for role in ROLES}
