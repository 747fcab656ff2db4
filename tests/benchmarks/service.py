"""The real service as children of the benchmark: processes that serve, one that works, as `paceline serve` has."""

import asyncio
import base64
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from app.core.embedded import ends_with_parent
from app.core.settings import Settings
from app.supervisor import PROJECT, Child, listen, whole_service
from tests.benchmarks.bare import DATABASE_URL, HOOK_TABLE
from tests.benchmarks.client import Connection, Target
from tests.benchmarks.databases import Prepared

# The clock of the organization stands still, and nobody is told to wait: what is measured is the work.
ENVIRONMENT: Mapping[str, str] = {
    "PACELINE_MANUAL_CLOCK": "true",
    "PACELINE_QUERY_SECONDS_PER_MINUTE": "0",
    "PACELINE_LOG_LEVEL": "WARNING",
    "PACELINE_STATEMENT_TIMEOUT_MS": "120000",
    "PACELINE_ENCRYPTION_KEYS": f"benchmark:{base64.b64encode(bytes(32)).decode()}",
}
PATIENCE = 20.0
WORKER = "worker"


@dataclass
class Running:
    """The service's processes, and what they use."""

    base_url: str
    commands: Mapping[str, Child]
    children: dict[str, asyncio.subprocess.Process]
    seconds_to_ready: float

    def target(self, token: str) -> Target:
        """Where the lean client connects to."""
        return Target(self.base_url, token)

    def api(self, token: str) -> httpx.AsyncClient:
        """A comfortable client, for what is not measured."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=f"{self.base_url}/v1", headers=headers, timeout=60)

    def memory_peaks(self) -> dict[str, int]:
        """Bytes that each process has held at most."""
        return {name: _peak(process.pid) for name, process in self.children.items()}

    def memory(self) -> dict[str, int]:
        """Bytes that each process holds now, of pages that it shares with others its part."""
        return {name: _held(process.pid) for name, process in self.children.items()}

    @asynccontextmanager
    async def without_worker(self) -> AsyncIterator[None]:
        """Nothing is done in the background meanwhile; the worker starts anew at the end."""
        await _stop(self.children[WORKER])
        try:
            yield
        finally:
            self.children[WORKER] = await self.commands[WORKER].start()

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time that each process has used."""
        return {name: _cpu(process.pid) for name, process in self.children.items()}


@asynccontextmanager
async def running(prepared: Prepared, processes: int) -> AsyncIterator[Running]:
    """Start the service on a migrated database, with so many processes that serve, and end it."""
    with listen("127.0.0.1", 0, processes) as listeners:
        settings = Settings(public_base_url=listeners.url)
        began = time.monotonic()
        started: dict[str, asyncio.subprocess.Process] = {}
        commands = whole_service(settings, listeners, prepared.urls, **ENVIRONMENT)
        try:
            for child in commands:
                started[child.name] = await child.start()
            await _answers(listeners.url, processes)
            yield Running(listeners.url, {child.name: child for child in commands}, started, time.monotonic() - began)
        finally:
            for process in started.values():
                await _stop(process)


async def seconds_to_ready(prepared: Prepared, processes: int) -> float:
    """From start to ready, once; it is ended then."""
    async with running(prepared, processes) as started:
        return started.seconds_to_ready


@asynccontextmanager
async def bare(prepared: Prepared, processes: int) -> AsyncIterator[str]:
    """The bare application in so many processes of its own, as the app's role; gives its address."""
    superuser = await asyncpg.connect(prepared.superuser_url)
    await superuser.execute(HOOK_TABLE)
    await superuser.close()
    async with AsyncExitStack() as stack:
        listeners = stack.enter_context(listen("127.0.0.1", 0, processes))
        for each in listeners.sockets:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.benchmarks.bare", "--fd", str(each.fileno())),
                cwd=PROJECT,
                env={**os.environ, DATABASE_URL: prepared.urls.app},
                pass_fds=[each.fileno()],
                start_new_session=True,
                preexec_fn=ends_with_parent(),
            )
            stack.push_async_callback(_stop, process)
        await _answers(listeners.url, processes)
        yield listeners.url


async def _answers(base_url: str, processes: int) -> None:
    """Wait until `/readyz` says so, by every process: so many connections meet all of them."""
    target = Target(base_url)
    async with asyncio.timeout(60):
        await asyncio.gather(*(_ask_once(target, target.request("GET", "/readyz")) for _ in range(16 * processes)))


async def _ask_once(target: Target, request: bytes) -> None:
    connection = Connection(target)
    await connection.ask(request)
    connection.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    for how in (process.terminate, process.kill):
        with suppress(ProcessLookupError):
            how()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE)
            return


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _held(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100  # utime and stime in ticks, of which Linux tells 100 a second
