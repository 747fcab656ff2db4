"""`paceline demo`: a service with data, from nothing to tables in a terminal."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Collection
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.core.settings import Settings
from app.demo.api import DemoFailed, Paceline
from app.demo.load import Loaded, load, opening
from app.demo.show import show, where_to_look
from app.demo.story import ZONE, Scale
from app.supervisor import Listeners, embedded_database, keys_of, supervise, whole_service

FILE = "demo.json"
NOT_A_TERMINAL = 120  # columns
ORGANIZATION, CURRENCY = "Example Sales", "EUR"
READY_SECONDS, TRANSLATED_SECONDS, POLL_SECONDS = 60.0, 60.0, 0.08


def run(settings: Settings, listeners: Listeners) -> None:
    """Start the service, load the story if that was not done yet, show what came of it, and go on serving."""
    level = os.environ.get("PACELINE_LOG_LEVEL", "WARNING")  # a line for each of some thousand webhooks helps nobody
    with embedded_database(settings) as (server, urls):
        own = {"PACELINE_MANUAL_CLOCK": "true", "PACELINE_LOG_LEVEL": level, **keys_of(settings, server.directory)}
        children = whole_service(settings, listeners, urls, **own)
        demo = partial(_demo, listeners.url, settings.public_base_url, server.directory / FILE, urls.app)
        asyncio.run(supervise(children, server=server, meanwhile=demo))


async def _demo(reached_at: str, public_base_url: str, file: Path, database_url: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else NOT_A_TERMINAL)
    async with httpx.AsyncClient(base_url=reached_at, timeout=60) as client:
        await _ready(client)
        if (kept := _kept(file)) is None:
            kept = await _load(client, public_base_url, database_url, console)
            _keep(file, kept)
        made = Loaded(**kept["made"])
        await show(Paceline(client, kept["token"]), made, console)
        console.print(where_to_look(reached_at, kept["token"], made), soft_wrap=True, highlight=False, markup=False)


async def _load(client: httpx.AsyncClient, base_url: str, database_url: str, console: Console) -> dict[str, Any]:
    """Load; gives the admin's token and what was made, which only then is kept: an interrupted start begins anew."""
    scale = Scale()
    token = await _found(database_url, scale)
    api = Paceline(client, token)
    started = time.monotonic()
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(),
        console=console, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("Founding the organization", total=None)

        def tell(day: date, posted: int, total: int) -> None:
            bar.update(task, description=f"Webhooks of {day:%-d %B %Y}", completed=posted, total=total)

        made = await load(api, base_url, scale, partial(settled, api), tell)
    console.print(f"Six months of webhooks, posted and translated in {time.monotonic() - started:.0f} s.")
    return {"token": token, "made": made.as_json()}


async def _found(database_url: str, scale: Scale) -> str:
    """A new organization with a clock of its own; gives its admin's token."""
    from app.main import open_database
    from app.onboarding import create_organization

    database = open_database(Settings(), database_url)
    try:
        _, token = await create_organization(
            database, ORGANIZATION, time_zone=ZONE.key, currency=CURRENCY, now=opening(scale)
        )
    finally:
        await database.close()
    return token


async def _ready(client: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise DemoFailed(f"The service at {client.base_url} was not ready within {READY_SECONDS:.0f} seconds.")


async def settled(api: Paceline, sources: Collection[str]) -> None:
    """Wait until every delivery of these sources is translated."""
    deadline = time.monotonic() + TRANSLATED_SECONDS
    for source in sources:
        while (await api.get(f"/sources/{source}/deliveries", verdict="received", limit=1))["items"]:
            if time.monotonic() > deadline:
                raise DemoFailed("Deliveries are not being translated; is the worker running?")
            await asyncio.sleep(POLL_SECONDS)


def _kept(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _keep(file: Path, content: dict[str, Any]) -> None:
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(0o600)
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    draft.replace(file)
