"""What tests of analyses share: KPIs, people in teams, and events of theirs."""

from collections.abc import Sequence
from typing import Any

from tests.support import Api

ORGANIZATION = {"organization": True}
COUNT: dict[str, Any] = {"kind": "count"}


def kpi(key: str, formula: str, unit: str = "count", direction: str = "increase", **measures: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": key.replace("_", " ").capitalize(),
        "category": "sales_results",
        "indicator": "lagging",
        "direction": direction,
        "unit": {"kind": unit},
        "measures": measures,
        "formula": formula,
    }


def count(*events: str, **more: Any) -> dict[str, Any]:
    return {"aggregate": "count", "events": list(events), **more}


def total(*events: str, **more: Any) -> dict[str, Any]:
    return {"aggregate": "sum", "value": "amount", "events": list(events), **more}


CALLS = kpi("calls_made", "calls", calls=count("call.made"))
WIN_RATE = kpi("win_rate", "won / (won + lost)", "ratio", won=count("deal.won"), lost=count("deal.lost"))
REVENUE = kpi("revenue", "won", "money", won=total("deal.won"))


def event(external_id: str, kind: str, on: str = "2026-07-06", actor: str | None = None, **more: Any) -> dict[str, Any]:
    told = {"external_id": external_id, "type": kind, "occurred_at": f"{on}T08:00:00Z", **more}
    return {**told, "actor": {"id": actor}} if actor else told


def euros(amount: int | str) -> dict[str, str]:
    return {"value": str(amount), "currency": "EUR"}


async def post(api: Api, events: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(events), 500):
        answer = await api.post("/events/batch", {"events": list(events[start : start + 500])}, expect=200)
        assert set(answer["counts"]) <= {"accepted", "corrected", "retracted"}, answer


async def define(api: Api, *kpis: dict[str, Any]) -> None:
    for each in kpis:
        await api.post("/kpis", each, expect=201)


async def ask(api: Api, what: str, body: dict[str, Any], *, expect: int = 200) -> Any:
    return await api.post(f"/kpi-results/{what}", body, expect=expect)


async def team(api: Api, name: str, *people: str, parent: str | None = None) -> tuple[str, dict[str, str]]:
    """A team with new members; each is the identity `name` in small letters of the organization's own source."""
    above = {"parent_id": parent} if parent else {}
    team_id = (await api.post("/teams", {"name": name, **above}))["id"]
    source = (await api.get("/sources"))["items"][0]["id"]
    members = {}
    for person in people:
        member = (await api.post("/members", {"name": person}))["id"]
        await api.post(f"/teams/{team_id}/memberships", {"member_id": member})
        identity = await api.post("/identities", {"source_id": source, "external_id": person.lower()})
        await api.post(f"/identities/{identity['id']}/mappings", {"member_id": member})
        members[person] = member
    return team_id, members
