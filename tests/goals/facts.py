"""Events, people and KPIs for tests of goals and reviews, over HTTP."""

from typing import Any

from tests.support import Api

KPIS: dict[str, dict[str, Any]] = {
    "calls_made": {
        "name": "Calls made",
        "unit": {"kind": "count"},
        "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
        "formula": "calls",
    },
    "deals_lost": {
        "name": "Deals lost",
        "direction": "decrease",
        "unit": {"kind": "count"},
        "measures": {"lost": {"aggregate": "count", "events": ["deal.lost"]}},
        "formula": "lost",
    },
    "revenue_won": {
        "name": "Revenue won",
        "unit": {"kind": "money"},
        "measures": {"won": {"aggregate": "sum", "events": ["deal.won"], "value": "amount"}},
        "formula": "won",
    },
    "win_rate": {
        "name": "Win rate of closed deals",
        "unit": {"kind": "ratio"},
        "measures": {
            "won": {"aggregate": "count", "events": ["deal.won"]},
            "lost": {"aggregate": "count", "events": ["deal.lost"]},
        },
        "formula": "won / (won + lost)",
    },
}


async def define(api: Api, *keys: str, **changes: Any) -> None:
    """Define these KPIs."""
    for key in keys:
        shown = {"key": key, "category": "sales_results", "indicator": "leading", "direction": "increase"}
        await api.post("/kpis", shown | KPIS[key] | changes, expect=201)


def happened(kind: str, at: str, number: int = 1, *, actor: str = "7421", **fields: Any) -> list[dict[str, Any]]:
    """So many events of a kind at one instant, by one person."""
    name = fields.pop("name", f"{kind}-{at}-{actor}")
    one = {"type": kind, "occurred_at": at, "actor": {"id": actor}, **fields}
    return [{"external_id": f"{name}-{n}", **one} for n in range(number)]


async def post_events(api: Api, events: list[dict[str, Any]]) -> None:
    """Put events into the ledger."""
    answer = await api.post("/events/batch", {"events": events})
    assert answer["counts"].get("rejected", 0) == 0, answer


async def member_with_identity(api: Api, name: str, external_id: str) -> str:
    """A member to whom all events of a person of our own API's belong."""
    member = await api.post("/members", {"name": name}, expect=201)
    source = next(source for source in (await api.get("/sources"))["items"] if source["key"] == "api")
    body = {"source_id": source["id"], "external_id": external_id}
    identity = await api.post("/identities", body, expect=201)
    await api.post(f"/identities/{identity['id']}/mappings", {"member_id": member["id"]}, expect=201)
    return str(member["id"])
