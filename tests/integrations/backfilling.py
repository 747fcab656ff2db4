"""Stories of deals as HubSpot tells them twice: by webhooks, of which some get lost, and by its API."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from app.core import errands
from app.integrations.clients.http import Outside
from app.integrations.jobs import errands_of
from tests.integrations.clients.hubspot import STATIC, HubSpotServer
from tests.integrations.clients.server import Crm, serving
from tests.integrations.crm import DAY, HubSpotBatch, T, at_ms
from tests.integrations.posting import Connection

HOUR = 3_600_000
SINCE = "2020-01-01"


@dataclass
class Story:
    """What happened to deals: `(at, property, value)` by id; a property that is None made the deal."""

    told: dict[int, list[tuple[int, str | None, str]]] = field(default_factory=dict)

    def deal(self, id_: int, *, at: int = T, amount: str = "500", owner: str = "910901") -> "Story":
        """A deal is made."""
        first = {"hubspot_owner_id": owner, "amount": amount, "dealstage": "presentation", "pipeline": "default"}
        self.told[id_] = [(at, None, ""), *((at, name, value) for name, value in first.items())]
        return self

    def set(self, id_: int, at: int, name: str, value: str) -> "Story":
        """A property of it changes."""
        self.told[id_].append((at, name, value))
        return self

    def won(self, id_: int, at: int = T + HOUR) -> "Story":
        """It is won."""
        return self.set(id_, at, "dealstage", "closedwon")

    def messages(self) -> dict[tuple[int, int], bytes]:
        """The webhooks, by the deal and the number of what happened to it."""
        found = {}
        for id_, changes in self.told.items():
            for number, (at, name, value) in enumerate(changes):
                batch = HubSpotBatch()
                batch = batch.made("deal", id_, at) if name is None else batch.set("deal", id_, at, name, value)
                found[id_, number] = batch.body()
        return found

    def crm(self, **more: Any) -> HubSpotServer:
        """HubSpot, in which all of it has happened."""
        return HubSpotServer(deals={str(id_): _item(id_, changes) for id_, changes in self.told.items()}, **more)


def _item(id_: int, changes: Sequence[tuple[int, str | None, str]]) -> dict[str, Any]:
    properties: dict[str, Any] = {"hs_object_source": "CRM_UI", "hs_merged_object_ids": None}
    history: dict[str, list[dict[str, str]]] = {}
    for at, name, value in changes:
        if name is not None:
            properties[name] = value
            history.setdefault(name, []).insert(0, {"value": value, "timestamp": _iso(at), "sourceType": "CRM_UI"})
    return {
        "id": str(id_), "properties": properties, "propertiesWithHistory": history, "archived": False,
        "createdAt": _iso(changes[0][0]), "updatedAt": _iso(max(at for at, _, _ in changes)),
    }  # fmt: skip


def _iso(at: int) -> str:
    return at_ms(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def the_story() -> Story:
    """Six deals: one is corrected, one won late, one reopened and won again."""
    story = Story()
    for id_ in range(1, 7):
        story.deal(id_, amount=str(100 * id_))
    story.won(1).won(2).won(3).won(4).set(4, T + DAY, "amount", "444")
    story.won(6).set(6, T + DAY, "dealstage", "presentation").set(6, T + 2 * DAY, "dealstage", "closedwon")
    return story


class Asking:
    """A source whose system can be asked, and the errands that do so."""

    def __init__(self, connection: Connection, crm: Crm) -> None:
        self.connection, self.crm, self.api = connection, crm, connection.api
        self.outside = Outside({"*": crm.url}, pause=0.001)
        self.path = f"/sources/{connection.id}"

    async def run(self) -> None:
        """Do what is due, until nothing is: translations follow what was taken in."""
        await self.connection.translate()
        await errands.drain(self.api.world.worker_database, errands_of(self.outside))
        await self.connection.translate()

    async def backfill(self, **wanted: Any) -> dict[str, Any]:
        """One that has ended, or waits."""
        new = {"mode": "reconcile", "objects": ["deal"], "since": SINCE, **wanted}
        job = await self.api.post(f"{self.path}/backfills", new, expect=202)
        await self.run()
        return await self.found(job["id"])

    async def found(self, backfill_id: str) -> dict[str, Any]:
        """How far it is."""
        told: dict[str, Any] = await self.api.get(f"{self.path}/backfills/{backfill_id}")
        return told

    async def differences(self, backfill: dict[str, Any]) -> list[tuple[Any, ...]]:
        """What it reports."""
        listed = await self.api.get(f"{self.path}/backfills/{backfill['id']}/differences", limit=200)
        return [(each["kind"], each["id"], each["field"], each["known"], each["told"]) for each in listed["items"]]


@asynccontextmanager
async def asking(connection: Connection, crm: Crm, **given: str) -> AsyncIterator[Asking]:
    """Let the source's system be asked, by credentials that hold for HubSpot if no others are given."""
    async with serving(crm):
        made = Asking(connection, crm)
        system = connection.source["system"]
        credentials = {"system": system, **(given or {"access_token": STATIC})}
        await connection.api.put(f"{made.path}/credentials", credentials)
        try:
            yield made
        finally:
            await connection.api.delete(f"{made.path}/credentials")  # errands are of all organizations
            await made.outside.close()
