"""Worked examples of every kind of measure, computed by hand."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from app.core.units import COUNT, DURATION, MONEY, RATIO, Unit
from app.kpis.definition import Aggregate, EventMeasure, FunnelMeasure, Measure
from app.kpis.expressions.syntax import Call
from tests.reference.definitions import (
    cadence,
    conversion,
    count,
    funnel,
    kpi,
    name,
    op,
    open_deals,
    over,
    previous,
    response_time,
    single,
    to_date,
    touches,
    trailing,
)
from tests.reference.questions import Query, Status
from tests.reference.steps import AddAssignment, AddCalendar, AddKpi, MapIdentity
from tests.reference.story import AUGUST, ORGANIZATION, Asked, Example, Figure, Story, event, member, utc
from tests.reference.world import Content, Identity

DAY = timedelta(days=1)


def _story(**measures: tuple[Measure, Unit]) -> Story:
    """A story in which each measure is a KPI."""
    story = Story()
    for key, (measure, unit) in measures.items():
        story.then(AddKpi, kpi=key, definition=single(measure, unit))
    return story


def _lead(kind: str, at: str, lead: str, **fields: Any) -> Content:
    return event(kind, f"2026-{at}", about={"lead": lead}, **fields)


def first_and_last() -> Example:
    """Scores 3, 4, 5: at the same instant the external id decides (e10 is before e9)."""
    story = _story(
        first=(over("first", "quantity", "call.made"), COUNT), last=(over("last", "quantity", "call.made"), COUNT)
    )
    at = "2026-05-05T10:00:00"
    story.post(*(event("call.made", at, quantity=Decimal(number)) for number in range(11)))
    story.post(event("call.made", "2026-05-05T09:00:00"), event("call.made", "2026-05-05T11:00:00"))
    figures = (
        # In the order of code points: e0, e1, e10, e2, …, e9; those before and after have no quantity.
        Figure(kpi="first", value="0", sample=11),
        Figure(kpi="last", value="9", sample=11),
    )
    query = Query(kpis=("first", "last"), period="2026-05")
    none = Query(kpis=("first",), period="2026-06")
    empty = (Figure(kpi="first", value=None, status="no_data", sample=0),)
    return Example(
        "first and last",
        tuple(story.steps),
        (Asked(now=AUGUST, query=query, figures=figures), Asked(now=AUGUST, query=none, figures=empty)),
    )


def repurchase() -> Example:
    """X wins on 1 and 20 May, Y on 3 May: half of the cohort of May came back within 90 days."""
    story = _story(again=(conversion("deal.won", "deal.won", "customer", 90 * DAY), RATIO))
    for day, customer in (("01", "X"), ("20", "X"), ("03", "Y")):
        story.post(event("deal.won", f"2026-05-{day}T10:00:00", about={"customer": customer}))
    query = Query(kpis=("again",), period="2026-05")
    # Y's 90 days end on 1 August at 10:00 UTC; one second before, the month may still change.
    instants: dict[str, Status] = {
        "2026-09-15T10:00:00": "ok",
        "2026-08-01T10:00:00": "ok",
        "2026-08-01T09:59:59": "immature",
    }
    asked = tuple(
        Asked(now=utc(now), query=query, figures=(Figure(kpi="again", value="0.5", sample=2, status=status),))
        for now, status in instants.items()
    )
    return Example("13: repurchase", tuple(story.steps), asked)


def steps_of_a_funnel() -> Example:
    """A took all steps, B left one out, C took the last two in the wrong order, D took the first only."""
    types = ("lead.created", "lead.qualified", "lead.converted")

    def passed(aggregate: str, reached: int, base: int = 0) -> FunnelMeasure:
        return funnel(aggregate, *types, reached=reached, base=base)

    def strict(aggregate: str, reached: int, base: int = 0) -> FunnelMeasure:
        return funnel(aggregate, *types, reached=reached, base=base, is_strict=True)

    story = _story(
        created=(passed("count", 0), COUNT),
        qualified=(passed("count", 1), COUNT),
        converted=(passed("count", 2), COUNT),
        rate=(passed("conversion", 2, 1), RATIO),
        strictly_qualified=(strict("count", 1), COUNT),
        strictly_converted=(strict("count", 2), COUNT),
        strict_rate=(strict("conversion", 2, 1), RATIO),
    )
    courses = {"A": (0, 1, 2), "B": (0, 2), "C": (0, 2, 1), "D": (0,)}
    for lead, course in courses.items():
        story.post(*(_lead(types[step], f"05-{5 + n:02}T10:00:00", lead) for n, step in enumerate(course)))
    values = {
        "created": ("4", 4), "qualified": ("3", 3), "converted": ("3", 3), "rate": ("1", 3),
        # C was qualified, but not converted after that.
        "strictly_qualified": ("2", 2), "strictly_converted": ("1", 1), "strict_rate": ("0.5", 2),
    }  # fmt: skip
    figures = tuple(Figure(kpi=key, value=value, sample=sample) for key, (value, sample) in values.items())
    query = Query(kpis=tuple(values), period="2026-05")
    return Example("steps of a funnel", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def touches_of_leads() -> Example:
    """A: one call before it was created, four in seven days (the last to the second), one a second later. B: none."""
    week = 7 * DAY
    kinds: dict[str, tuple[Measure, Unit]] = {
        "things": (touches("count", week), COUNT),
        "touches": (touches("sum", week), COUNT),
        "mean": (touches("avg", week), COUNT),
        "middle": (touches("median", week), COUNT),
        "often": (touches("share_at_least", week, at_least=4), RATIO),
        "until": (touches("avg", None, until="lead.qualified"), COUNT),
        "either": (touches("avg", week, until="lead.qualified"), COUNT),
    }
    story = _story(**kinds)
    story.post(*(_lead("lead.created", f"05-{at}", lead) for at, lead in (("04T09:00:00", "A"), ("05T09:00:00", "B"))))
    story.post(_lead("lead.created", "05-30T09:00:00", "C"), _lead("call.made", "05-30T09:00:01", "C"))
    calls = ("04T08:59:59", "04T09:00:01", "05T09:00:00", "06T09:00:00", "11T09:00:00", "11T09:00:01")
    story.post(*(_lead("call.made", f"05-{at}", "A") for at in calls))
    story.post(_lead("lead.qualified", "05-05T12:00:00", "A"))
    figures = (
        # On 1 June C is two days old.
        Figure(kpi="things", value="2", sample=2, pending=1),
        Figure(kpi="touches", value="4", sample=2, pending=1),
        Figure(kpi="mean", value="2", sample=2, pending=1),
        Figure(kpi="middle", value="2", sample=2, pending=1),
        Figure(kpi="often", value="0.5", sample=2, pending=1),
        # Only A was qualified: after two calls.
        Figure(kpi="until", value="2", sample=1, pending=2),
        Figure(kpi="either", value="1", sample=2, pending=1),
    )
    query = Query(kpis=tuple(kinds), period="2026-05")
    asked = Asked(now=utc("2026-06-01T10:00:00"), query=query, figures=figures)
    return Example("touches of leads", tuple(story.steps), (asked,))


def an_agreed_cadence() -> Example:
    """A call in a day, an e-mail in three, a second call in five."""
    agreed = cadence(("call.made", DAY), ("email.sent", 3 * DAY), ("call.made", 5 * DAY))
    story = _story(kept=(agreed, RATIO))
    story.post(
        *(_lead("lead.created", f"05-{day}T09:00:00", lead) for day, lead in (("04", "A"), ("05", "B"), ("30", "C")))
    )
    done = (("call.made", "04T10:00:00"), ("email.sent", "07T09:00:01"), ("call.made", "09T09:00:00"))
    # The first call and, to the second, the other one; the e-mail came a second too late: 2 of 3.
    story.post(*(_lead(kind, f"05-{at}", "A") for kind, at in done))
    # One call is the first step, not both: 1 of 3. C is not five days old.
    story.post(_lead("call.made", "05-05T10:00:00", "B"), _lead("call.made", "05-30T10:00:00", "C"))
    figures = (Figure(kpi="kept", value="0.5", sample=2, pending=1),)
    asked = Asked(now=utc("2026-06-01T10:00:00"), query=Query(kpis=("kept",), period="2026-05"), figures=figures)
    return Example("an agreed cadence", tuple(story.steps), (asked,))


def what_is_open() -> Example:
    """D1 is won in May and created again in June, D2 changes its amount, D3 comes in June, D4 after the answer."""
    kinds: dict[str, tuple[Measure, Unit]] = {
        "deals": (open_deals(), COUNT),
        "pipeline": (open_deals("sum"), MONEY),
        "at_start": (open_deals(is_at_start=True), COUNT),
        "again": (open_deals(repeat="each"), COUNT),
        "pipeline_again": (open_deals("sum", repeat="each"), MONEY),
    }
    story = _story(**kinds)
    created = (
        ("05-01", "D1", 100), ("05-10", "D2", 200), ("06-05", "D3", 400), ("06-07", "D2", 250), ("06-08", "D1", None),
        ("06-20", "D4", 800),
    )  # fmt: skip
    for day, deal, amount in created:
        money: dict[str, Any] = {} if amount is None else {"amount": Decimal(amount), "currency": "EUR"}
        story.post(event("deal.created", f"2026-{day}T10:00:00", about={"deal": deal}, **money))
    story.post(event("deal.won", "2026-05-20T10:00:00", about={"deal": "D1"}))
    values = {
        # At the end of May D2; on 10 June D2 and D3, and D1 where it counts again, with the last amount that it had.
        "deals": ("1", "2", "2"),
        "pipeline": ("200", "650", "650"),
        "at_start": ("0", "1", "0"),
        "again": ("1", "3", "3"),
        "pipeline_again": ("200", "750", "750"),
    }
    figures = tuple(
        Figure(kpi=key, window=window, value=value)
        for key, of_kpi in values.items()
        for window, value in zip((0, 1, None), of_kpi, strict=True)
    )
    query = Query(kpis=tuple(kinds), period="2026-05-01..2026-06-30", grain="month")
    return Example(
        "what is open", tuple(story.steps), (Asked(now=utc("2026-06-10T12:00:00"), query=query, figures=figures),)
    )


def left_out_twice() -> Example:
    """A deal whose 100 SEK nobody can convert is open at the end of May and of June: one event, and not two."""
    story = Story()
    growth = Call("coalesce", (op(name("x"), "-", previous(name("x"))), name("x")))
    story.then(AddKpi, kpi="growth", definition=kpi(growth, MONEY, x=open_deals("sum")))
    amount: dict[str, Any] = {"amount": Decimal(100), "currency": "SEK"}
    story.post(event("deal.created", "2026-05-01T10:00:00", about={"deal": "D1"}, **amount))
    figures = (Figure(kpi="growth", value="0", status="partial", sample=0, left_out=1),)
    asked = Asked(now=AUGUST, query=Query(kpis=("growth",), period="2026-06"), figures=figures)
    return Example("left out twice", tuple(story.steps), (asked,))


def working_hours() -> Example:
    """Over the weekend of 28 March on which clocks in Europe are put forward, by three calendars and nobody's."""
    story = _story(
        mean=(response_time("avg", clock="working_hours"), DURATION),
        in_time=(response_time("share_within", within=timedelta(hours=2), clock="working_hours"), RATIO),
    )
    for person in ("ana", "bo", "cy"):
        story.person(person)
    office = {weekday: ((time(9), time(17)),) for weekday in range(5)}
    story.then(AddCalendar, key="york", weekdays=office, time_zone="America/New_York")
    story.then(AddCalendar, key="night", weekdays={6: ((time(0), time(6)),)})
    story.then(AddAssignment, member="bo", calendar="york")
    story.then(AddAssignment, member="cy", calendar="night")
    leads: tuple[tuple[str, str, str, str | None], ...] = (
        # Friday 16:00 to Monday 10:00 in Warsaw: an hour on either day.
        ("27T15:00:00", "L1", "30T08:00:00", "ana"),
        # Friday 11:00 to Monday 10:00 in New York: six hours and one.
        ("27T15:00:00", "L2", "30T14:00:00", "bo"),
        # Saturday to Sunday: the night from 0 to 6 has five hours.
        ("28T12:00:00", "L3", "29T10:00:00", "cy"),
        # By nobody, and so by the organization's calendar: none.
        ("28T12:00:00", "L4", "29T10:00:00", None),
    )
    for created, lead, answered, who in leads:
        story.post(_lead("lead.created", f"03-{created}", lead), _lead("call.made", f"03-{answered}", lead, actor=who))
    # Friday 16:30; at 9:15 on Monday it has waited for 45 minutes of work.
    story.post(_lead("lead.created", "03-27T15:30:00", "L5"))
    subjects = (ORGANIZATION, member("ana"), member("bo"), member("cy"))
    query = Query(kpis=("mean", "in_time"), subjects=subjects, period="2026-03")
    late = (
        # (7200 + 25200 + 18000 + 0) / 4
        Figure(kpi="mean", value="12600", sample=4, open=1),
        Figure(kpi="mean", subject=member("ana"), value="7200", sample=1),
        Figure(kpi="mean", subject=member("bo"), value="25200", sample=1),
        Figure(kpi="mean", subject=member("cy"), value="18000", sample=1),
        # Ana's two hours are in time, and L4; L5 waits in vain.
        Figure(kpi="in_time", value="0.4", sample=5),
    )
    early = (
        # Monday 9:15 in Warsaw: L1 has waited for 1:15, L5 for 0:45; L2 for six hours in New York, but nobody has
        # answered yet, so that the organization's calendar counts: 1:15. Cy answered after five hours, L4 is 15 minutes
        # old by the organization's.
        Figure(kpi="in_time", value="0", sample=1, pending=4),
    )
    return Example(
        "working hours",
        tuple(story.steps),
        (
            Asked(now=AUGUST, query=query, figures=late),
            Asked(now=utc("2026-03-30T07:15:00"), query=query, figures=early),
        ),
    )


def days_before() -> Example:
    """Ninety days before the end of the window, or before the end of today; and from the beginning of the month."""
    calls = count("call.made")
    story = _story(
        ninety=(trailing(calls, 90), COUNT),
        of_month=(to_date(calls, "month"), COUNT),
        of_quarter=(to_date(calls, "quarter"), COUNT),
    )
    for day in ("04-11", "04-12", "05-05", "07-01"):
        story.post(event("call.made", f"2026-{day}T10:00:00"))
    kpis = ("ninety", "of_month", "of_quarter")
    by_month = Query(kpis=kpis, period="2026-05-01..2026-07-31", grain="month")
    values = {
        # Ninety days before 1 June begin on 3 March, before 1 July on 2 April, before 11 July on 12 April.
        "ninety": ("3", "3", "3", "3"),
        "of_month": ("1", "0", "1", "1"),
        "of_quarter": ("3", "3", "1", "1"),
    }
    figures = tuple(
        Figure(kpi=key, window=window, value=value)
        for key, of_kpi in values.items()
        for window, value in zip((0, 1, 2, None), of_kpi, strict=True)
    )
    # Before 1 August they begin on 3 May; the week from 29 June ends on 5 July, and is July's since the 1st.
    later = (Figure(kpi="ninety", window=2, value="2"),)
    week = (Figure(kpi="of_month", value="1"), Figure(kpi="of_quarter", value="1"))
    return Example(
        "days before",
        tuple(story.steps),
        (
            Asked(now=utc("2026-07-10T12:00:00"), query=by_month, figures=figures),
            Asked(now=AUGUST, query=by_month, figures=later),
            Asked(now=AUGUST, query=Query(kpis=kpis, period="2026-W27"), figures=week),
        ),
    )


def time_covered() -> Example:
    """Ana: two calls that overlap and a meeting that follows, by two of her identities; Bo: a call over midnight."""
    story = _story(
        covered=(EventMeasure(aggregate=Aggregate.COVERED, events=("call.made", "meeting.held")), DURATION),
        added=(over("sum", "duration_seconds", "call.made", "meeting.held"), DURATION),
    )
    story.person("ana")
    story.person("bo")
    story.post(event("call.received", "2020-01-01T12:00:00", actor="ana2"))
    story.then(MapIdentity, key="ana is, too", identity=Identity("api", "ana2"), member="ana")
    times = (
        ("call.made", "05-05T10:00:00", 1800, "ana"),
        ("call.made", "05-05T10:20:00", 1200, "ana2"),
        # An hour that ended at 11:30: with the calls from 10:00 to 11:30.
        ("meeting.held", "05-05T11:30:00", 3600, "ana"),
        # In Warsaw from 23:50 on 5 May to 0:20: ten minutes and twenty.
        ("call.made", "05-05T21:50:00", 1800, "bo"),
    )
    for kind, at, length, who in times:
        story.post(event(kind, f"2026-{at}", actor=who, duration_seconds=Decimal(length)))
    kpis = ("covered", "added")
    query = Query(kpis=kpis, subjects=(ORGANIZATION, member("ana")), period="2026-05-05..2026-05-06", grain="day")
    figures = (
        Figure(kpi="covered", subject=member("ana"), value="5400", sample=3),
        Figure(kpi="added", subject=member("ana"), value="6600", sample=3),
        Figure(kpi="covered", window=0, value="6000", sample=4),
        Figure(kpi="covered", window=1, value="1200", sample=1),
        Figure(kpi="covered", value="7200", sample=4),
    )
    # At 10:10 ten minutes of the first call have passed.
    early = (Figure(kpi="covered", value="600", sample=1),)
    return Example(
        "time covered",
        tuple(story.steps),
        (
            Asked(now=AUGUST, query=query, figures=figures),
            Asked(now=utc("2026-05-05T10:10:00"), query=query, figures=early),
        ),
    )


EXAMPLES = (
    time_covered(),
    first_and_last(),
    repurchase(),
    steps_of_a_funnel(),
    touches_of_leads(),
    an_agreed_cadence(),
    what_is_open(),
    left_out_twice(),
    working_hours(),
    days_before(),
)
