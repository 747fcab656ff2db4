"""What is open at a moment: count and latest value, once or again, by local days."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest

from app.kpis.attribution import Days
from app.kpis.definition import Aggregate, OpenMeasure
from app.kpis.expressions.syntax import Name
from app.kpis.measures import CurrencyFactors, Grouping
from tests.kpis.asking import AT, JULY, both, credits_of, event, identity, ingest, rows, scope_of, selection, value
from tests.support import Api

FIRST = date(2026, 7, 1)
CLOSED = ("deal.won", "deal.lost")


def opened(aggregate: Aggregate = Aggregate.COUNT, **more: Any) -> OpenMeasure:
    parts: dict[str, Any] = {
        "start": selection("deal.created", "deal.updated"),
        "end": selection(*CLOSED),
        "match": "lead",
    } | more
    return OpenMeasure(aggregate=aggregate, **parts)


def worth(**more: Any) -> OpenMeasure:
    return opened(Aggregate.SUM, value=Name(("amount",)), **more)


def deal(name: str, at: str, amount: str | None = None, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    kind = more.pop("kind", "deal.created")
    money = {"amount": {"value": amount, "currency": currency}} if amount else {}
    return event(f"{name} {kind} {at}", kind, at, name, **money, **more)


def before(day: int) -> Days:
    """A window that ends where this day of July begins."""
    return Days(FIRST, FIRST + timedelta(days=day - 1))


async def test_a_thing_is_open_from_its_first_start_until_an_end(api: Api) -> None:
    await ingest(
        api,
        deal("A", "07-02 09:00"),
        deal("A", "07-03 09:00"),
        deal("A", "07-05 09:00", kind="deal.won"),
        deal("A", "07-07 09:00"),
        deal("B", "06-10 09:00"),
        deal("C", "07-01 09:00", kind="deal.lost"),
        deal("C", "07-03 22:00"),
    )
    counts = {day: int(await value(api, opened(), before(day))) for day in range(2, 10)}
    assert counts == {2: 1, 3: 2, 4: 2, 5: 3, 6: 2, 7: 2, 8: 2, 9: 2}
    again = {day: int(await value(api, opened(repeat="each"), before(day))) for day in range(5, 10)}
    assert again == {5: 3, 6: 2, 7: 2, 8: 3, 9: 3}
    assert await value(api, opened(at="start"), Days(date(2026, 7, 3), date(2026, 7, 6))) == 2
    assert await value(api, opened(), JULY) == 2


async def test_an_end_of_the_same_instant_is_later(api: Api) -> None:
    await ingest(api, deal("A", "07-02 09:00", kind="deal.won"), deal("A", "07-02 09:00"))
    assert await value(api, opened()) == 0
    assert await value(api, opened(repeat="each")) == 0


async def test_open_things_are_worth_their_latest_value_by_then(api: Api) -> None:
    dollars = CurrencyFactors("USD", [(date(2026, 7, 6), date(2026, 7, 7), Decimal("0.9"), Decimal(1))])
    await ingest(
        api,
        deal("A", "07-02 09:00", "100"),
        deal("A", "07-04 09:00", "150", kind="deal.updated"),
        deal("A", "07-06 09:00", "200", "USD", kind="deal.updated"),
        deal("A", "07-08 09:00", "300", "USD", kind="deal.updated"),
        deal("A", "07-09 09:00", kind="deal.updated"),
        deal("A", "07-11 09:00", kind="deal.won"),
        deal("B", "07-02 09:00"),
        deal("B", "07-05 09:00", "7", kind="deal.updated"),
    )
    scope = await scope_of(api, factors=[dollars])
    found = {
        row.window + 2: row for row in await rows(api, [worth()], [before(day) for day in range(2, 14)], scope=scope)
    }
    assert {day: (row.a, row.enters, row.left_out) for day, row in found.items()} == {
        3: (100, 1, 0), 4: (100, 1, 0), 5: (150, 1, 0), 6: (157, 2, 0), 7: (187, 2, 0), 8: (187, 2, 0),
        9: (7, 1, 1), 10: (7, 1, 1), 11: (7, 1, 1), 12: (7, 1, 0), 13: (7, 1, 0),
    }  # fmt: skip
    assert await value(api, opened(), before(3)) == 2


async def test_the_start_that_opened_is_credited_filtered_and_grouped_by(api: Api) -> None:
    shared = [{"actor": {"id": "ana"}, "share": "0.25"}, {"actor": {"id": "bo"}, "share": "0.75"}]
    await ingest(
        api,
        deal("A", "07-02 09:00", "100", credits=shared, properties={"tier": "gold"}),
        deal("A", "07-04 09:00", "150", kind="deal.updated", actor={"id": "cy"}),
        deal("A", "07-05 09:00", kind="deal.lost"),
        deal("A", "07-06 09:00", kind="deal.created", actor={"id": "cy"}),
    )
    ana, cy = [credits_of(await identity(api, name)) for name in ("ana", "cy")]
    assert await value(api, worth(), before(5), audience=ana) == Decimal("37.5")
    assert await value(api, worth(), before(5), audience=cy) == 0
    assert await value(api, worth(repeat="each"), before(8), audience=cy) == 150
    assert await value(api, worth(), before(5), where="properties.tier == 'gold'") == 150
    grouping = Grouping(Name(("properties", "tier")), None)
    found = await rows(
        api, [worth(repeat="each")], [before(5), before(8)], scope=await scope_of(api, grouping=grouping)
    )
    assert [(row.group, row.window, row.a) for row in found] == [('"gold"', 0, 150), ("null", 1, 150)]


async def test_a_moment_that_has_not_come_is_now(api: Api) -> None:
    await ingest(api, deal("A", "07-02 09:00"))
    await api.set_clock("2026-07-20T10:00:00Z")
    await ingest(api, deal("A", "07-15 09:00", kind="deal.won"))
    assert await value(api, opened(), JULY, at=AT) == 1
    assert await value(api, opened(), JULY, at=datetime(2026, 7, 20, tzinfo=UTC)) == 0


# ------------------------------------------------------------------------------------- against a slow reading


@dataclass(frozen=True)
class Told:
    """An event of a random story."""

    name: str
    key: str
    is_start: bool
    hour: int
    day: int
    amount: int | None

    @property
    def order(self) -> tuple[int, str]:
        return self.hour, self.key

    def post(self) -> dict[str, Any]:
        at = datetime(2026, 7, 1, tzinfo=UTC) + timedelta(hours=self.hour)
        return event(
            self.key,
            "deal.created" if self.is_start else "deal.won",
            f"{at:%m-%d %H:%M}",
            self.name,
            occurred_on=str(FIRST + timedelta(days=self.day)),
            **({"amount": {"value": str(self.amount), "currency": "EUR"}} if self.amount else {}),
        )


def slowly(story: Sequence[Told], repeat: Literal["first", "each"], moment: int) -> tuple[set[str], int]:
    """The starts that keep things open at the beginning of a day, and what those things are worth."""
    openers, total = set(), 0
    for name in {told.name for told in story}:
        by_then = [told for told in story if told.name == name and told.day < moment]
        starts = sorted((told for told in by_then if told.is_start), key=lambda told: told.order)
        ends = [told.hour for told in by_then if not told.is_start]
        candidates = starts[:1] if repeat == "first" else starts
        lasting = [start for start in candidates if not any(end >= start.hour for end in ends)]
        if lasting:
            openers.add(lasting[0].key)
            total += next((told.amount for told in reversed(starts) if told.amount), 0)
    return openers, total


@pytest.mark.parametrize("seed", range(3))
async def test_open_things_are_as_by_reading_all_events_of_each_moment(api: Api, seed: int) -> None:
    dice = random.Random(seed)
    story = []
    for number in range(60):
        hour = dice.randrange(0, 240, 6)
        day = hour // 24 if dice.random() < 0.7 else dice.randrange(11)
        key = f"{dice.randrange(1000)}-{number}"
        story.append(
            Told(dice.choice("ABCDEFGH"), key, dice.random() < 0.6, hour, day, dice.choice([None, 1, 10, 100]))
        )
    await ingest(api, *[told.post() for told in story])
    windows = [before(day + 1) for day in range(1, 12)]
    for repeat in ("first", "each"):
        parts: dict[str, Any] = {"start": selection("deal.created"), "repeat": repeat}
        found = await rows(api, [opened(**parts), worth(**parts)], windows, unions=both(windows))
        figures = {(each.kind, each.number, each.window): each for each in found}
        for number in range(len(windows)):
            openers, total = slowly(story, repeat, number + 1)
            count, amount = (figures.get(("measure", measure, number)) for measure in (0, 1))
            assert (count.enters if count else 0) == len(openers), (repeat, number)
            assert ((amount and amount.a) or 0) == total, (repeat, number)
            if openers:
                assert figures["union", 0, number].enters == len(openers)
