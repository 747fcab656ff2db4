"""An organization that has one of everything that paths and examples name, made over the API when it is asked for."""

import json
from typing import Any
from uuid import UUID

from app.integrations.jobs import HANDLERS
from app.integrations.models import BackfillDifference, SourceSubscription
from app.openapi.schemas import example_id
from app.worker import drain
from tests.contract.document import Operation, with_ids
from tests.imports.posting import ALL
from tests.imports.posting import post as post_file
from tests.integrations.crm import HubSpotBatch
from tests.integrations.posting import Connection, hubspot, pipedrive
from tests.support import NOON, Api

JULY_1 = 1782900000000  # a moment before the tests' noon, in milliseconds
CALLS = {
    "name": "Calls made",
    "category": "team_performance",
    "indicator": "leading",
    "direction": "increase",
    "unit": {"kind": "count"},
    "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
    "formula": "calls",
}
SCORED = {
    "name": "Communication",
    "category": "team_performance",
    "indicator": "leading",
    "nature": "qualitative",
    "direction": "increase",
    "scoring": {"givers": ["anyone"], "scale": {"min": "1", "max": "5"}},
}
HUBSPOT = {"system": "hubspot", "access_token": "pat-eu1-00000000-0000-0000-0000-000000000000"}
PIPEDRIVE = {"system": "pipedrive", "api_token": "0000000000000000000000000000000000000000"}
RATE = {"set": "daily", "base": "CHF", "quote": "EUR", "valid_from": "2026-07-10", "rate": "0.92"}


class Furnished:
    """Makes what is needed, once, with all that it needs itself."""

    def __init__(self, api: Api, kpi: str = "calls_made") -> None:
        self.api = api
        self.kpi = kpi
        self.scored = f"{kpi}_scored"
        self.ids: dict[str, str] = {}
        self.connection: Connection | None = None

    async def id(self, name: str) -> str:
        """The identifier for a path parameter or placeholder of this name."""
        if name not in self.ids:
            self.ids[name] = str(await getattr(self, f"_{name}")())
        return self.ids[name]

    async def prepare(self, operation: Operation) -> None:
        """Everything that the operation's path and examples name, in the state in which the operation is possible."""
        if "calls_made" in json.dumps([body for _, body in operation.bodies]):
            await self.id("key")
        if operation.id.startswith("recordExchangeRate"):
            await self.id("rate_set_id")
        named = [name for name in MADE if example_id(name) in json.dumps([body for _, body in operation.bodies])]
        for name in [*operation.path_ids, *named]:
            await self.id(name)
        if "/scores" in operation.path:
            await self.id("score_id")
        await self._prepare_source(operation)
        await self._prepare_goals(operation)
        match operation.id:
            case "getReviewEvidence" | "acknowledgeReview" | "closeReview":
                await self.api.post(f"/reviews/{await self.id('review_id')}/share")
                if operation.id == "closeReview":
                    await self.api.post(f"/reviews/{await self.id('review_id')}/acknowledge")
            case "streamJob":
                await drain(self.api.world.worker_database, ALL)
            case "postEvent":
                await self._entry_id()

    async def _prepare_goals(self, operation: Operation) -> None:
        """Goals and initiatives that can be decided so, and whom and what they are made for."""
        match operation.id:
            case "proposeGoal":
                self.ids["goal_id"] = await self._made("/goals", {**_goal(self.kpi), "state": "draft"})
            case "approveGoal" | "declineGoal" | "withdrawGoal":
                self.ids["goal_id"] = await self._made("/goals", {**_goal(self.kpi), "state": "proposed"})
            case "closeGoal":
                await self.api.set_clock("2026-08-10T10:00:00Z")
            case "previewGoalSplit" | "splitGoal":
                await self.id("member_id")
            case "createCompoundGoal":
                await self._sales()
            case "previewGoalTemplate" | "applyGoalTemplate":
                await self.api.post(f"/members/{await self.id('member_id')}/assignments", {"revenue_role": "sdr"})
            case "unlockGoal":
                await self.api.post(f"/goals/{self.ids['goal_id']}/lock", {"reason": "Agreed."})
            case "acceptInitiative" | "declineInitiative":
                self.ids["initiative_id"] = await self._made("/initiatives", {**_INITIATIVE, "state": "proposed"})

    async def _sales(self) -> None:
        """What a compound goal of revenue needs: its KPIs, and a quarter with a sale."""
        await self.api.post("/kpi-library/install", {"keys": ["new_customers", "average_deal_size", "revenue_won"]})
        sale = {"type": "deal.won", "occurred_at": "2026-05-04T08:00:00Z", "about": {"customer": "C-1", "deal": "D-1"}}
        await self.api.post("/events", {**sale, "external_id": "sale-1", "amount": {"value": "900", "currency": "EUR"}})

    async def _prepare_source(self, operation: Operation) -> None:
        """A source whose system can be asked, and one that lets itself be subscribed to."""
        match operation.id:
            case "fetchSourceDirectory" | "startBackfill":
                await self._asked()
            case "createSourceSubscriptions" | "endSourceSubscriptions":
                self.ids["source_id"] = (await pipedrive(self.api)).id
                await self.api.put(f"/sources/{self.ids['source_id']}/credentials", PIPEDRIVE)

    def path(self, operation: Operation, ids: dict[str, str] | None = None) -> str:
        """The operation's path below /v1 with the identifiers put in; scores are of a KPI of their own."""
        scored = {"key": self.scored} if "/scores" in operation.path else {}
        return operation.path.removeprefix("/v1").format(**{**self.ids, **scored, **(ids or {})})

    def body(self, value: Any) -> Any:
        """An example with identifiers that exist."""
        return with_ids(value, self.ids)

    async def everything(self) -> None:
        """Two of each, so that lists have pages."""
        for name in MADE:
            await self.id(name)
        post, ids = self.api.post, self.ids
        member = (await post("/members", {"name": "Bo Lind"}))["id"]
        await post("/teams", {"name": "South"})
        await post("/teams", {"name": "West", "parent_id": ids["team_id"], "placed_from": "2026-02-01"})
        await post(f"/teams/{ids['team_id']}/memberships", {"member_id": member})
        south = (await post("/teams", {"name": "East"}))["id"]
        for day in ("2026-02-01", "2026-03-01"):
            await post(f"/teams/{ids['team_id']}/placements", {"parent_id": south, "valid_from": day})
        await post(f"/members/{ids['member_id']}/assignments", {"valid_from": "2026-08-01"})
        await post(
            f"/identities/{ids['identity_id']}/mappings", {"member_id": ids["member_id"], "valid_from": "2026-08-01"}
        )
        await post(f"/members/{ids['member_id']}/employments", {"valid_from": "2022-06-01", "valid_to": "2023-01-01"})
        absence = {"valid_from": "2026-12-21", "valid_to": "2026-12-28", "effect": "reschedule"}
        await post(f"/members/{ids['member_id']}/absences", absence)
        days = {"first_day": "2026-01-02", "last_day": "2026-01-31"}
        await post("/calendars/periods", {"key": "winter_sale", "name": "Winter sale", **days})
        await post("/calendars", {"name": "Sweden", "country": "SE"})
        await post("/exchange-rates/sets", {"key": "monthly", "kind": "fixed", "name": "Averages of months"})
        await post("/exchange-rates", {**RATE, "base": "GBP"})
        await self._given("2026-07-02")
        event = {"external_id": "call-1", "type": "call.made", "occurred_at": "2026-07-02T08:00:00Z"}
        await post("/events", {**event, "version": 2, "occurred_at": "2026-07-02T09:00:00Z"})
        await post("/events", {**event, "external_id": "call-2", "actor": {"id": "8000"}})
        await self.api.put("/cloud-event-sources", {"uri": "https://telephony.example.com/us"})
        await post("/event-archives", {"before": "2019-02-01", "mode": "drop"})
        await post("/events", {**event, "external_id": "call-3", "actor": {"id": "8001"}})
        await self._import_id()
        await self._two_backfills()
        await self._two_subscriptions()
        await drain(self.api.world.worker_database, ALL)
        await post("/kpis", {**CALLS, "key": f"{self.kpi}_2"})
        await post(f"/kpis/{self.kpi}/versions", {key: CALLS[key] for key in _DEFINITION})
        await post(f"/goals/{ids['goal_id']}/targets", {"target": {"value": "120"}, "reason": "Grown."})
        await post("/goals", {**_goal(self.kpi), "name": "Calls in August", "period": "2026-08"})
        await post(f"/goals/{ids['goal_id']}/notes", {"text": "A fair."})
        for decision in ("lock", "unlock"):
            await post(f"/goals/{ids['goal_id']}/{decision}", {"reason": "Agreed."})
        await post("/initiatives", {**_INITIATIVE, "kind": "strategy"})
        goal = {name: value for name, value in _goal(self.kpi).items() if name != "period"}
        await post("/goal-series", {"every": "quarter", "goal": goal})
        await post("/goal-ramps", {"name": "Half a year", "shares": ["0.2", "0.4", "0.6", "0.8", "0.9"]})
        await post("/goal-templates", {**_TEMPLATE, "key": "closers", "items": [self._item()]})
        await post("/reviews", {"member_id": member, "period": "2026-Q2", "kpis": [self.kpi]})

    async def _member_id(self) -> str:
        return await self._made("/members", {"name": "Ada Nowak", "email": "ada.n@example.com"})

    async def _team_id(self) -> str:
        return await self._made("/teams", {"name": "North"})

    async def _parent_id(self) -> str:
        return await self._made("/teams", {"name": "Europe"})

    async def _membership_id(self) -> str:
        path = f"/teams/{await self.id('team_id')}/memberships"
        return await self._made(path, {"member_id": await self.id("member_id"), "valid_to": "2026-12-01"})

    async def _assignment_id(self) -> str:
        path = f"/members/{await self.id('member_id')}/assignments"
        return await self._made(path, {"valid_from": "2025-01-01", "valid_to": "2026-01-01"})

    async def _identity_id(self) -> str:
        source_id = await self.id("api_source_id")
        return await self._made("/identities", {"source_id": source_id, "external_id": "7000"})

    async def _mapping_id(self) -> str:
        path = f"/identities/{await self.id('identity_id')}/mappings"
        return await self._made(path, {"member_id": await self.id("member_id"), "valid_to": "2026-08-01"})

    async def _employment_id(self) -> str:
        path = f"/members/{await self.id('member_id')}/employments"
        return await self._made(path, {"valid_from": "2021-01-01", "valid_to": "2022-01-01"})

    async def _absence_id(self) -> str:
        path = f"/members/{await self.id('member_id')}/absences"
        return await self._made(path, {"valid_from": "2026-07-06", "valid_to": "2026-07-08", "effect": "reschedule"})

    async def _period_id(self) -> str:
        days = {"first_day": "2026-04-01", "last_day": "2026-04-30"}
        return await self._made("/calendars/periods", {"key": "easter_sale", "name": "Easter sale", **days})

    async def _calendar_id(self) -> str:
        return await self._made("/calendars", {"name": "Spain"})

    async def _rate_set_id(self) -> str:
        return await self._made("/exchange-rates/sets", {"key": "daily", "kind": "daily", "name": "Rates of days"})

    async def _rate_id(self) -> str:
        await self.id("rate_set_id")
        return await self._made("/exchange-rates", RATE)

    async def _giver_id(self) -> str:
        return await self._made("/members", {"name": "Max Berg"})

    async def _score_id(self) -> str:
        await self.api.post("/kpis", {**SCORED, "key": self.scored}, expect=201)
        return await self._given("2026-07-01")

    async def _given(self, day: str) -> str:
        score = {"member_id": await self.id("member_id"), "giver_id": await self.id("giver_id"), "value": "4"}
        return await self._made(f"/kpis/{self.scored}/scores", {**score, "on": day})

    async def _event_id(self) -> str:
        event = {"external_id": "call-1", "type": "call.made", "occurred_at": "2026-07-02T08:00:00Z"}
        return str((await self.api.post("/events", {**event, "version": 1, "actor": {"id": "7000"}}))["event_id"])

    async def _archive_id(self) -> str:
        event = {"external_id": "call-0", "type": "call.made", "occurred_at": "2018-07-02T08:00:00Z"}
        await self.api.post("/events", event)
        archive = {"before": "2019-01-01", "mode": "archive"}
        made = await self.api.post("/event-archives", archive, expect=202)
        await drain(self.api.world.worker_database, HANDLERS)
        return str(made["id"])

    async def _import_id(self) -> str:
        return str((await post_file(self.api, "team\nNorth\n", "teams", name=f"{self.kpi}.csv"))["id"])

    async def _preview_id(self) -> str:
        mapping = {"won_stages": ["closedwon", "48591"]}
        asked = await self.api.post(f"/sources/{await self.id('source_id')}/mapping/preview", {"mapping": mapping})
        return str(asked["id"])

    async def _job_id(self) -> str:
        return await self.id("import_id")

    async def _entry_id(self) -> str:
        entry = {"uri": "https://telephony.example.com/eu", "source": "api"}
        return str((await self.api.put("/cloud-event-sources", entry))["id"])

    async def _event_type(self) -> str:
        await self.id("property_key")
        return f"{self.kpi}.counted"

    async def _property_key(self) -> str:
        key = f"{self.kpi}_channel"
        for number, properties in enumerate([{key: "web", "size": 3}, {key: "partner"}]):
            event = {"external_id": f"counted-{number}", "type": f"{self.kpi}.counted", "properties": properties}
            await self.api.post("/events", {**event, "occurred_at": "2026-07-02T08:00:00Z"})
        return key

    async def _key(self) -> str:
        await self.api.post("/kpis", {**CALLS, "key": self.kpi}, expect=201)
        return self.kpi

    async def _key_id(self) -> str:
        return await self._made("/api-keys", {"name": "Spare", "role": "service", "scopes": ["events:read"]})

    async def _goal_id(self) -> str:
        return await self._made("/goals", _goal(await self.id("key")))

    async def _series_id(self) -> str:
        goal = {name: value for name, value in _goal(await self.id("key")).items() if name != "period"}
        return await self._made("/goal-series", {"every": "month", "goal": goal})

    async def _ramp_id(self) -> str:
        return await self._made("/goal-ramps", {"name": "Three months", "shares": ["0.25", "0.5", "0.75"]})

    async def _template_id(self) -> str:
        await self.id("key")
        return await self._made("/goal-templates", {**_TEMPLATE, "items": [self._item()]})

    def _item(self) -> dict[str, Any]:
        return {"name": "Calls", "kpi": self.kpi, "target": {"value": "9"}}

    async def _note_id(self) -> str:
        return await self._made(f"/goals/{await self.id('goal_id')}/notes", {"text": "Everybody was ill."})

    async def _initiative_id(self) -> str:
        return await self._made("/initiatives", {**_INITIATIVE, "goal_ids": [await self.id("goal_id")]})

    async def _review_id(self) -> str:
        review = {"member_id": await self.id("member_id"), "period": "2026-Q2", "kpis": [await self.id("key")]}
        return await self._made("/reviews", review)

    async def _api_source_id(self) -> str:
        return str((await self.api.get("/sources"))["items"][0]["id"])

    async def _source_id(self) -> str:
        self.connection = await hubspot(self.api, key="crm")
        return self.connection.id

    async def _delivery_id(self) -> str:
        await self.id("source_id")
        assert self.connection is not None
        batch = HubSpotBatch().made("deal", 508, JULY_1).made("deal", 509, JULY_1)
        await self.connection.tell(*batch.bodies())
        return str((await self.connection.deliveries())[0]["id"])

    async def _record_id(self) -> str:
        await self.id("delivery_id")
        return str((await self.api.get("/records"))["items"][0]["id"])

    async def _secret_id(self) -> str:
        path = f"/sources/{await self.id('source_id')}/secrets"
        return await self._made(path, {"secret": "hs-app-client-secret-0009"})

    async def _backfill_id(self) -> str:
        await self._asked()
        path = f"/sources/{self.ids['source_id']}/backfills"
        return str((await self.api.post(path, {"mode": "backfill", "since": "2026-01-01"}, expect=202))["id"])

    async def _asked(self) -> None:
        """The source's system can be asked."""
        await self.api.put(f"/sources/{await self.id('source_id')}/credentials", HUBSPOT)

    async def _two_backfills(self) -> None:
        """One that was cancelled, and found two things."""
        org_id, first = self.api.org_id, await self.id("backfill_id")
        await self.api.post(f"/jobs/{first}/cancel")
        path = f"/sources/{self.ids['source_id']}/backfills"
        await self.api.post(path, {"mode": "reconcile", "since": "2026-01-01"}, expect=202)
        row = {"org_id": org_id, "backfill_id": UUID(first), "object": "deal", "field": "", "at": NOON}
        async with self.api.world.database.write(org_id) as session:
            session.add_all(BackfillDifference(**row, external_id=id_, kind="missing") for id_ in ("508", "509"))

    async def _two_subscriptions(self) -> None:
        """As a system has them that lets one subscribe by its API."""
        source_id, secret_id = UUID(await self.id("source_id")), UUID(await self.id("secret_id"))
        row = {"org_id": self.api.org_id, "source_id": source_id, "secret_id": secret_id, "created_at": NOON,
               "try_at": NOON, "url": "https://paceline.example.com", "state": "active", "attempts": 0}  # fmt: skip
        async with self.api.world.database.write(self.api.org_id) as session:
            session.add_all(SourceSubscription(**row, external_id=id_, about="*.deal") for id_ in ("1", "2"))

    async def _made(self, path: str, body: Any) -> str:
        return str((await self.api.post(path, body, expect=201))["id"])


MADE = [name.removeprefix("_") for name in vars(Furnished) if name.endswith(("_id", "_type", "_key"))]
_DEFINITION = ("measures", "formula", "unit", "direction")
_INITIATIVE = {"name": "Call lists", "kind": "tactic", "owner": {"type": "organization"}}

_TEMPLATE = {"key": "callers", "name": "Callers", "revenue_role": "sdr"}


def _goal(kpi: str) -> dict[str, Any]:
    return {
        "name": "Calls in July",
        "owner": {"type": "organization"},
        "kpi": kpi,
        "period": "2026-07",
        "target": {"value": "100"},
    }
