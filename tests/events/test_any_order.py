"""The ledger in the database against the slow reference: the same outcomes, and the same end in any order."""

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.reference.ledger import Item, Ledger
from tests.reference.world import Content
from tests.support import Api

AT = datetime(2026, 7, 10, tzinfo=UTC)


def postings(chance: random.Random) -> list[dict[str, Any]]:
    """Versions of a few events, some of them retractions, each version with one content."""
    made = []
    for name in ("a", "b", "c", "d"):
        for version in range(chance.randint(1, 5)):
            if chance.random() < 0.3:
                made.append({"external_id": name, "version": version, "retracted": True})
            else:
                made.append(posting(name, version, chance.randint(1, 3)))
    return made


def posting(name: str, version: int, amount: int) -> dict[str, Any]:
    return {
        "external_id": name,
        "version": version,
        "type": "deal.won",
        "occurred_at": AT.isoformat(),
        "amount": {"value": str(amount), "currency": "EUR"},
    }


def item(post: dict[str, Any]) -> Item:
    content = None
    if "amount" in post:
        content = Content(type="deal.won", occurred_at=AT, amount=Decimal(post["amount"]["value"]), currency="EUR")
    return Item(external_id=post["external_id"], version=post["version"], content=content)


@pytest.mark.parametrize("seed", range(8))
async def test_outcomes_are_the_references_and_the_end_is_that_of_the_versions_in_order(api: Api, seed: int) -> None:
    chance = random.Random(seed)
    made = postings(chance)
    arriving = made + chance.sample(made, len(made) // 2)
    chance.shuffle(arriving)
    reference = Ledger()
    while arriving:
        part, arriving = arriving[: (size := chance.randint(1, 6))], arriving[size:]
        answer = await api.post("/events/batch", {"events": part}, expect=200)
        assert [each["outcome"] for each in answer["items"]] == reference.post_all("api", map(item, part), AT)
    latest = {post["external_id"]: post for post in made}
    standing = {name: post["amount"] for name, post in latest.items() if "amount" in post}
    items = (await api.get("/events"))["items"]
    assert {event["external_id"]: event["amount"] for event in items} == standing
    stored = (await api.get("/events", include_retracted=True))["items"]
    for event in stored:
        revisions = (await api.get(f"/events/{event['id']}/revisions"))["items"]
        told = [revision for revision in reference.revisions if revision.external_id == event["external_id"]]
        assert [row["retracted"] for row in revisions] == [revision.content is None for revision in told]
        assert [row["revision"] for row in revisions] == list(range(1, len(told) + 1))
        assert [row["superseded_at"] for row in revisions[:-1]] == [row["recorded_at"] for row in revisions[1:]]
