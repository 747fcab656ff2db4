"""Cases in which figures kept ready are easily wrong: each is answered from what is kept, and as the reference does."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest

from app.core.units import COUNT, DURATION, MONEY, NUMBER, RATIO
from app.kpis.definition import Over
from app.kpis.expressions.syntax import Call
from app.kpis.partials import reading, states
from app.kpis.partials.reading import Served
from tests.reference import results
from tests.reference.definitions import count, is_, kpi, name, op, over, previous, single, to_date, trailing
from tests.reference.ledger import Item
from tests.reference.questions import GroupBy, Query
from tests.reference.snapshot import Subject
from tests.reference.steps import (
    AddAssignment,
    AddKpi,
    AddRate,
    AddRateSet,
    AddSource,
    AddTeam,
    ChangeCounts,
    ChangeSettings,
    MapIdentity,
    PostEvents,
    build,
)
from tests.reference.story import AUGUST, ORGANIZATION, REVENUE, UNASSIGNED, Story, event, member, team, utc
from tests.reference.world import Content, Credit, Identity
from tests.results.replay import Replay, differences, replay
from tests.support import World

EVERYBODY = (ORGANIZATION, UNASSIGNED, member("ana"), member("bo"), team("north"))
DAY = timedelta(days=1)


class Asker:
    """Asks what was told in a story, of which figures are kept as of some step of it."""

    def __init__(self, world: World, story: Story, served: list[Served], kept_until: int | None) -> None:
        self.world, self.story, self.served, self.kept_until = world, story, served, kept_until
        self.replayed: Replay | None = None

    async def prepare(self) -> Replay:
        """Play the story: keep figures after the first steps, the others make some of them stale."""
        if self.replayed is None:
            self.replayed = await replay(self.world, tuple(self.story.steps), until=self.kept_until)
            await self.replayed.keep()
            for step in self.story.steps[self.kept_until or len(self.story.steps) :]:
                await self.replayed.run(step)
        return self.replayed

    async def ask(self, *queries: Query, at: str | None = None, is_served: bool = True) -> None:
        """The queries' answers are the reference's; kept figures gave all of them, or (not served) none."""
        replayed, now = await self.prepare(), AUGUST if at is None else utc(at)
        reference = build(self.story.steps)
        for query in queries:
            self.served.clear()
            answer = await replayed.ask(query, now)
            assert differences(answer, results.compute(reference, query, now), replayed.ids) == [], query
            left = [each.measures or each.unions for each in self.served]
            assert left, query
            assert not any(left) if is_served else all(left), (query, self.served)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Served]:
    """What kept figures gave to each question."""
    found: list[Served] = []
    read = reading.read

    async def watched(*arguments: object) -> Served:
        found.append(await read(*arguments))  # type: ignore[arg-type] # passed on as they come
        return found[-1]

    monkeypatch.setattr(reading, "read", watched)
    return found


def people(time_zone: str = "Europe/Warsaw", start: str = "2026-07-20T00:00:00") -> Story:
    """Ana and Bo in North, told on a day not long before August."""
    story = Story(start, time_zone)
    story.then(AddTeam, team="north")
    story.person("ana", "north")
    story.person("bo", "north")
    return story


def shared(kind: str, at: str, *shares: tuple[str, str], **fields: Any) -> Content:
    """An event that several own."""
    owners = tuple(Credit("owner", Identity("api", who), Decimal(share)) for who, share in shares)
    return event(kind, at, credits=owners, **fields)


def every_aggregate(story: Story, value: str = "quantity", *, full: bool = False) -> tuple[str, ...]:
    """KPIs of all aggregates that add up, and of two of them together."""
    credit: Literal["split", "full"] = "full" if full else "split"
    for aggregate in ("sum", "avg", "min", "max"):
        measure = replace(over(aggregate, value, "deal.won", "deal.lost"), credit=credit)
        story.then(
            AddKpi, kpi=f"{aggregate}_{credit}", definition=single(measure, MONEY if value == "amount" else COUNT)
        )
    counting = count("deal.won", full=full)
    story.then(AddKpi, kpi=f"count_{credit}", definition=single(counting, COUNT))
    rate = kpi(op(name("won"), "/", op(name("won"), "+", name("lost"))), RATIO, won=counting, lost=count("deal.lost"))
    story.then(AddKpi, kpi=f"rate_{credit}", definition=rate)
    return tuple(f"{each}_{credit}" for each in ("sum", "avg", "min", "max", "count", "rate"))


def everything(kpis: Sequence[str], **fields: object) -> list[Query]:
    """Of everybody, by days, months and in all."""
    asked = [
        ("2026-05-04..2026-05-12", "day"),
        ("2026-04-15..2026-07-31", "month"),
        ("2026-04-27..2026-06-07", "week"),
        ("2026-05", "total"),
    ]
    return [
        Query(kpis=tuple(kpis), subjects=EVERYBODY, period=period, grain=grain, **fields)  # type: ignore[arg-type]
        for period, grain in asked
    ]


# ------------------------------------------------------------------------------------------------------ shared events


@pytest.mark.parametrize("full", [False, True], ids=["split", "full"])
async def test_a_shared_event_counts_once_for_a_team(world: World, served: list[Served], full: bool) -> None:
    story = people()
    kpis = every_aggregate(story, full=full)
    both = (("ana", "0.6"), ("bo", "0.4"))
    story.post(
        shared("deal.won", "2026-05-05T10:00:00", *both, quantity=Decimal(10)),
        shared("deal.won", "2026-05-05T11:00:00", ("ana", "0.5"), ("zoe", "0.5"), quantity=Decimal(7)),
        shared("deal.lost", "2026-05-06T10:00:00", *both, quantity=Decimal("1.5")),
        shared("deal.lost", "2026-06-06T10:00:00", ("ana", "0.3"), ("ana", "0.7"), quantity=Decimal(2)),
        shared("deal.won", "2026-06-06T10:00:00", ("zoe", "0.3"), ("max", "0.7")),
        event("deal.won", "2026-05-07T10:00:00", actor="ana", quantity=Decimal(3)),
        event("deal.won", "2026-05-07T10:00:00", quantity=Decimal(4)),
        event("deal.lost", "2026-05-08T10:00:00", actor="zoe"),
    )
    kept_until = len(story.steps)
    story.post(shared("deal.won", "2026-05-05T12:00:00", *both, quantity=Decimal(100)))
    await Asker(world, story, served, kept_until).ask(*everything(kpis))


async def test_one_person_with_several_identities_counts_a_shared_event_once(
    world: World, served: list[Served]
) -> None:
    story = people()
    story.then(AddSource, key="phone")
    kpis = [*every_aggregate(story), *every_aggregate(story, full=True)]
    for key, identity in (("ana too", Identity("api", "anna")), ("ana there", Identity("phone", "anna"))):
        story.then(MapIdentity, key=key, identity=identity, member="ana")
    story.post(
        shared("deal.won", "2026-05-05T10:00:00", ("ana", "0.6"), ("anna", "0.4"), quantity=Decimal(10)),
        shared("deal.won", "2026-05-05T11:00:00", ("anna", "0.5"), ("bo", "0.5"), quantity=Decimal(7)),
        event("deal.lost", "2026-05-06T10:00:00", actor="anna", quantity=Decimal(7)),
    )
    there = tuple(Credit("owner", Identity("phone", who), Decimal("0.5")) for who in ("anna", "carl"))
    content = event("deal.won", "2026-05-05T13:00:00", credits=there, quantity=Decimal(5))
    story.then(PostEvents, source="phone", items=(Item(external_id="p1", content=content),))
    await Asker(world, story, served, None).ask(*everything(kpis))


async def test_credits_of_other_roles_do_not_make_an_owner(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story)
    helped = (Credit("sourcer", Identity("api", "ana"), Decimal(1)),)
    both = (*helped, Credit("owner", Identity("api", "bo"), Decimal(1)))
    story.post(
        event("deal.won", "2026-05-05T10:00:00", credits=helped, quantity=Decimal(10)),
        event("deal.won", "2026-05-06T10:00:00", credits=both, quantity=Decimal(20)),
    )
    await Asker(world, story, served, None).ask(*everything(kpis))


# -------------------------------------------------------------------------------------------------------------- money


async def test_money_is_converted_by_the_rates_of_each_day(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story, "amount")
    for key, kind in (("daily", "daily"), ("plan-2026", "fixed")):
        story.then(AddRateSet, key=key, kind=kind)
    dollar = {"rate_set": "daily", "base": "EUR", "quote": "USD"}
    story.then(AddRate, **dollar, valid_from=date(2026, 5, 6), value=Decimal("1.10"))
    story.then(AddRate, **dollar, valid_from=date(2026, 5, 8), value=Decimal("0.3333"))
    story.then(AddRate, rate_set="daily", base="GBP", quote="EUR", valid_from=date(2026, 5, 1), value=Decimal("1.2"))
    story.then(
        AddRate, rate_set="plan-2026", base="EUR", quote="USD", valid_from=date(2026, 1, 1),
        valid_to=date(2026, 5, 8), value=Decimal(2),
    )  # fmt: skip
    for day in (4, 6, 7, 8, 30):
        for currency in ("EUR", "USD", "GBP", "CHF", None):
            at = f"2026-05-{day:02}T10:00:00"
            story.post(event("deal.won", at, actor="ana", amount=Decimal(100 + day), currency=currency))
            story.post(
                shared("deal.lost", at, ("ana", "0.25"), ("bo", "0.75"), amount=Decimal(10 + day), currency=currency)
            )
    story.post(event("deal.won", "2026-06-12T10:00:00", actor="bo", amount=Decimal(7), currency="USD"))
    kept_until = len(story.steps)
    story.post(event("deal.won", "2026-05-08T12:00:00", actor="ana", amount=Decimal(1000), currency="USD"))
    story.then(AddRate, **dollar, valid_from=date(2026, 5, 7), value=Decimal("1.25"))
    asker = Asker(world, story, served, kept_until)
    for fields in ({}, {"currency": "USD"}, {"rate_set": "plan-2026"}, {"rate_set": "plan-2026", "currency": "GBP"}):
        await asker.ask(*everything(kpis, **fields))


async def test_numbers_that_are_left_out_are_counted(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story, "properties.score")
    for number, score in enumerate((Decimal(1), "much", None, Decimal("2.5"), Decimal(-3))):
        properties = {} if score is None else {"score": score}
        story.post(event("deal.won", f"2026-05-{number + 4:02}T10:00:00", actor="ana", properties=properties))
        story.post(
            shared(
                "deal.lost", f"2026-05-{number + 4:02}T10:00:00", ("ana", "0.5"), ("bo", "0.5"), properties=properties
            )
        )
    await Asker(world, story, served, None).ask(*everything(kpis))


# --------------------------------------------------------------------------------------------------- stale, new, future


async def test_the_least_and_greatest_of_a_month_forget_what_was_corrected(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story)
    low = event("deal.won", "2026-05-05T10:00:00", actor="ana", quantity=Decimal(1))
    story.then(PostEvents, source="api", items=(Item(external_id="e-low", content=low),))
    story.post(*(event("deal.won", f"2026-05-{day:02}T10:00:00", actor="ana", quantity=Decimal(day)) for day in (5, 6)))
    kept_until = len(story.steps)
    story.then(PostEvents, source="api", items=(Item(external_id="e-low", content=replace(low, quantity=Decimal(50))),))
    await Asker(world, story, served, kept_until).ask(*everything(kpis))


async def test_what_moves_to_another_person_day_or_type_leaves_where_it_was(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story)
    contents = [
        event("deal.won", f"2026-05-{day:02}T10:00:00", actor="ana", quantity=Decimal(day)) for day in range(4, 9)
    ]
    for number, content in enumerate(contents):
        story.then(PostEvents, source="api", items=(Item(external_id=f"m{number}", content=content),))
    kept_until = len(story.steps)
    moved = (
        replace(contents[0], actor=Identity("api", "bo")),
        replace(contents[1], occurred_at=utc("2026-06-01T10:00:00")),
        replace(contents[2], type="deal.lost"),
        replace(contents[3], actor=None),
        shared("deal.won", "2026-05-08T10:00:00", ("ana", "0.5"), ("bo", "0.5"), quantity=Decimal(9)),
    )
    for number, content in enumerate(moved):
        story.then(PostEvents, source="api", items=(Item(external_id=f"m{number}", content=content),))
    await Asker(world, story, served, kept_until).ask(*everything(kpis))


async def test_events_of_today_and_of_days_to_come_count_from_their_time_on(world: World, served: list[Served]) -> None:
    story = people(start="2026-05-01T00:00:00")
    kpis = every_aggregate(story)
    times = ("2026-05-10T08:00:00", "2026-05-10T15:00:00", "2026-05-11T10:00:00", "2026-06-11T10:00:00")
    story.post(
        *(event("deal.won", time, actor="ana", quantity=Decimal(2)) for time in times),
        *(shared("deal.won", time, ("ana", "0.5"), ("bo", "0.5"), quantity=Decimal(3)) for time in times),
        # It has a day that is over at an instant that is to come.
        event("deal.won", "2026-05-13T10:00:00", actor="ana", quantity=Decimal(5), occurred_on=date(2026, 5, 8)),
        at="2026-05-10T07:00:00",
    )
    asker = Asker(world, story, served, None)
    for now in ("2026-05-10T09:00:00", "2026-05-10T16:00:00", "2026-05-13T11:00:00"):
        await asker.ask(*everything(kpis), at=now)
    replayed = await asker.prepare()
    await replayed.keep()
    await asker.ask(*everything(kpis), at="2026-06-10T10:00:00")


async def test_a_clock_that_is_set_back_is_answered_from_events(world: World, served: list[Served]) -> None:
    story = people(start="2026-05-01T00:00:00")
    kpis = every_aggregate(story)
    story.post(*(event("deal.won", f"2026-05-{day:02}T10:00:00", actor="ana") for day in (5, 6, 7)))
    asker = Asker(world, story, served, None)
    replayed = await asker.prepare()
    await replayed.api.set_clock(AUGUST)
    await replayed.keep()
    await asker.ask(*everything(kpis), at="2026-05-06T12:00:00", is_served=False)
    await asker.ask(*everything(kpis))


async def test_keepers_that_have_long_been_away_leave_it_to_the_events(world: World, served: list[Served]) -> None:
    story = people(start="2026-05-20T00:00:00")
    kpis = every_aggregate(story)
    story.post(*(event("deal.won", f"2026-05-{day:02}T10:00:00", actor="ana") for day in (5, 6, 7)))
    asker = Asker(world, story, served, None)
    await asker.ask(*everything(kpis), at="2026-06-15T12:00:00")
    await asker.ask(*everything(kpis), at="2026-07-15T12:00:00", is_served=False)


async def test_more_stale_days_than_are_worth_it_leave_it_to_the_events(
    world: World, served: list[Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = people()
    kpis = every_aggregate(story)
    kept_until = len(story.steps)
    story.post(*(event("deal.won", f"2026-05-{day:02}T10:00:00", actor="ana") for day in (5, 6, 7)))
    asker = Asker(world, story, served, kept_until)
    monkeypatch.setattr(states, "MOST_STALE", 3)
    month = Query(kpis=kpis, subjects=EVERYBODY, period="2026-05")
    await asker.ask(month)
    monkeypatch.setattr(states, "MOST_STALE", 2)
    await asker.ask(month, is_served=False)


async def test_who_asks_for_one_person_again_sees_what_has_changed_meanwhile(
    world: World, served: list[Served]
) -> None:
    """Such a question expects what the last one saw of the keepers' work, and is told if that holds no more."""
    story = people()
    questions = [
        Query(kpis=(key,), subjects=(member("ana"),), period=period)
        for key in every_aggregate(story)
        for period in ("2026-05", "2026-08")
    ]
    story.post(event("deal.won", "2026-05-04T10:00:00", actor="ana", quantity=Decimal(3)))
    asker = Asker(world, story, served, None)
    replayed = await asker.prepare()
    await asker.ask(*questions, *questions)
    for day in ("2026-05-04", "2026-05-05", "2026-08-01"):
        story.post(event("deal.won", f"{day}T11:00:00", actor="ana", quantity=Decimal(5)))
        await replayed.run(story.steps[-1])
        await asker.ask(*questions, *questions)
    await replayed.keep()
    await asker.ask(*questions, *questions)
    later = "2026-08-03T12:00:00"
    await asker.ask(*questions, at=later)
    await replayed.keep()
    await asker.ask(*questions, *questions, at=later)


# --------------------------------------------------------------------------------------------------- days and windows


@pytest.mark.parametrize("zone", ["Europe/Warsaw", "America/Santiago", "Africa/Casablanca", "Pacific/Apia"])
async def test_events_at_the_edges_of_days_and_months_are_of_their_local_day(
    world: World, served: list[Served], zone: str
) -> None:
    story = people(zone)
    kpis = every_aggregate(story)
    instants = [
        utc(day) + timedelta(minutes=minutes)
        for day in ("2026-03-28T00:00:00", "2026-03-29T00:00:00", "2026-04-05T00:00:00", "2026-05-01T00:00:00")
        for minutes in (0, 59, 60, 119, 120, 179, 180, 239, 240, 1259, 1260, 1319, 1320, 1379, 1380, 1439)
    ]
    for instant in instants:
        story.post(event("deal.won", instant.isoformat()[:19], actor="ana", quantity=Decimal(instant.minute)))
    asked = [
        ("2026-03-27..2026-04-06", "day"),
        ("2026-03-01..2026-05-31", "month"),
        ("2026-03-29..2026-04-30", "month"),
    ]
    await Asker(world, story, served, None).ask(
        *(Query(kpis=kpis, subjects=EVERYBODY, period=period, grain=grain) for period, grain in asked)  # type: ignore[arg-type]
    )


async def test_windows_may_overlap_and_lie_before_the_period(world: World, served: list[Served]) -> None:
    story = people()
    calls = count("call.made")
    for key, measure in {
        "trailing": trailing(calls, 10),
        "quarter": to_date(calls, "quarter"),
        "months": replace(over("avg", "duration_seconds", "call.made"), over=Over(months=2)),
    }.items():
        story.then(AddKpi, kpi=key, definition=single(measure, DURATION if key == "months" else COUNT))
    growth = kpi(op(name("x"), "-", previous(name("x"))), COUNT, x=calls)
    story.then(AddKpi, kpi="growth", definition=growth)
    yearly = kpi(Call("same_period_last_year", (name("x"),)), COUNT, x=calls)
    story.then(AddKpi, kpi="yearly", definition=yearly)
    days = [date(2025, 5, 1) + number * 9 * DAY for number in range(50)]
    for number, day in enumerate(days):
        who = ("ana", "bo", None)[number % 3]
        story.post(event("call.made", f"{day}T10:00:00", actor=who, duration_seconds=Decimal(number)))
    kpis = ("trailing", "quarter", "growth", "yearly")
    await Asker(world, story, served, None).ask(
        *everything(kpis), *everything(kpis, compare=("previous_period", "same_period_last_year"))
    )


async def test_days_of_memberships_cut_months(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story)
    story.then(AddTeam, team="south")
    story.person("cy")
    for key, start, end in (("one", (5, 5), (5, 7)), ("two", (5, 8), (6, 1)), ("three", (6, 3), (7, 2))):
        span = {"valid_from": date(2026, *start), "valid_to": date(2026, *end)}
        story.then(AddAssignment, member="cy", country="PL" if key == "two" else "DE", **span)
    for day in range(1, 29):
        at = f"2026-05-{day:02}T10:00:00"
        story.post(event("deal.won", at, actor="cy", quantity=Decimal(day)))
        story.post(shared("deal.lost", at, ("cy", "0.5"), ("ana", "0.5"), quantity=Decimal(day)))
    query = Query(kpis=kpis, subjects=(member("cy"), ORGANIZATION), period="2026-05", grain="week")
    grouped = replace(query, group_by=GroupBy(attribute="country"))
    await Asker(world, story, served, None).ask(query, grouped, *everything(kpis, attribution="current"))


# ----------------------------------------------------------------------------------------------------- other bases


async def test_another_zone_or_other_sources_are_answered_from_events_until_figures_are_kept_anew(
    world: World, served: list[Served]
) -> None:
    story = people()
    story.then(AddSource, key="phone")
    kpis = every_aggregate(story)
    story.post(*(event("deal.won", f"2026-05-{day:02}T23:30:00", actor="ana") for day in (5, 6, 31)))
    kept_until = len(story.steps)
    story.then(ChangeSettings, time_zone="America/New_York", currency="USD", week_start=6)
    asker = Asker(world, story, served, kept_until)
    await asker.ask(*everything(kpis), is_served=False)
    replayed = await asker.prepare()
    await replayed.keep()
    await asker.ask(*everything(kpis))
    story.steps.append(ChangeCounts(at=AUGUST + DAY, key="phone", counts=frozenset({"call.made"})))
    await replayed.run(story.steps[-1])
    await asker.ask(*everything(kpis), at="2026-08-03T10:00:00", is_served=False)
    await replayed.keep()
    await asker.ask(*everything(kpis), at="2026-08-03T10:00:00")


# ----------------------------------------------------------------------------------------------------- sample (S25)


async def test_events_of_several_measures_are_counted_once_in_the_sample(world: World, served: list[Served]) -> None:
    story = people()
    partner = is_("properties.channel", "partner")
    one, two = count("deal.won", where=partner), count("deal.won", "deal.lost")
    apart = over("sum", "quantity", "deal.won", "deal.lost")
    aside = replace(over("sum", "properties.score", "deal.won"), where=partner)
    formulas = {
        "enclosing": kpi(op(name("x"), "/", name("y")), RATIO, x=one, y=two),
        "hidden": kpi(op(name("x"), "+", name("y")), COUNT, x=one, y=count("deal.won", where=is_("type", "deal.won"))),
        "valued": kpi(op(name("x"), "/", name("y")), COUNT, x=apart, y=aside),
    }
    for key, definition in formulas.items():
        story.then(AddKpi, kpi=key, definition=definition)
    for number in range(12):
        properties = {"channel": ("partner", "web")[number % 2], "score": (Decimal(1), "much")[number % 3 == 0]}
        fields = {"properties": properties, "quantity": None if number % 4 else Decimal(number)}
        kind, at = ("deal.won", "deal.lost")[number % 5 == 0], f"2026-05-{number + 1:02}T10:00:00"
        story.post(event(kind, at, actor=("ana", "bo", None)[number % 3], **fields))
        story.post(shared(kind, at, ("ana", "0.5"), ("bo", "0.5"), **fields))
    await Asker(world, story, served, None).ask(*everything(tuple(formulas)))


async def test_measures_of_other_kinds_leave_those_beside_them_to_what_is_kept(
    world: World, served: list[Served]
) -> None:
    story = people()
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    story.then(AddKpi, kpi="median", definition=single(over("median", "quantity", "deal.won"), COUNT))
    both = kpi(
        op(name("x"), "/", name("y")),
        NUMBER,
        x=over("sum", "quantity", "deal.won"),
        y=over("median", "quantity", "deal.won"),
    )
    story.then(AddKpi, kpi="both", definition=both)
    for day in range(1, 9):
        money = {"amount": Decimal(day), "currency": "EUR", "quantity": Decimal(day)}
        story.post(event("deal.won", f"2026-05-{day:02}T10:00:00", actor="ana", **money))
    asker = Asker(world, story, served, None)
    await asker.ask(*everything(("revenue",)))
    for kpis in (("revenue", "median"), ("revenue", "both")):
        await asker.ask(*everything(kpis), is_served=False)
        assert all(each.rows for each in served), "the sums are kept"


async def test_what_is_half_built_is_read_where_all_of_it_is_built(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story)
    for month in range(1, 8):
        story.post(event("deal.won", f"2025-{month:02}-10T10:00:00", actor="ana", quantity=Decimal(month)))
    replayed = await replay(world, tuple(story.steps))
    reference = build(story.steps)
    for _ in range(3):
        await replayed.keep(1)
        for query in everything(kpis, compare=("same_period_last_year",)):
            answer = await replayed.ask(query, AUGUST)
            assert differences(answer, results.compute(reference, query, AUGUST), replayed.ids) == []
    await replayed.keep()
    served.clear()
    await replayed.ask(query, AUGUST)
    assert not any(each.measures for each in served)


async def test_operators_can_do_without_what_is_kept(
    world: World, served: list[Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = people()
    kpis = every_aggregate(story)
    story.post(*(event("deal.won", f"2026-05-{day:02}T10:00:00", actor="ana") for day in (5, 6, 7)))
    asker = Asker(world, story, served, None)
    await asker.ask(*everything(kpis))
    monkeypatch.setattr(world.database, "use_partials", False)
    await asker.ask(*everything(kpis), is_served=False)


async def test_parts_of_a_team_are_the_days_within_it(world: World, served: list[Served]) -> None:
    story = people()
    kpis = every_aggregate(story)
    for day in range(1, 9):
        at = f"2026-05-{day:02}T10:00:00"
        story.post(shared("deal.won", at, ("ana", "0.5"), ("bo", "0.5"), quantity=Decimal(day)))
    parts = (Subject("members_of", "north"), member("ana"))
    await Asker(world, story, served, None).ask(
        *(replace(query, subjects=parts) for query in everything(kpis)),
    )
