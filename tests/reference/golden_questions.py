"""Worked examples of questions: rates, comparisons, groups, other KPIs, targets and staff, computed by hand."""

from datetime import date, time
from decimal import Decimal
from typing import Any

from app.core.units import COUNT, DURATION, RATIO
from app.kpis.expressions.syntax import Name
from tests.reference.definitions import (
    count,
    counted,
    kpi,
    last_year,
    name,
    op,
    over,
    ref,
    single,
    staff,
    target_of,
    win_rate,
)
from tests.reference.groups import Group
from tests.reference.questions import GroupBy, Query
from tests.reference.steps import (
    AddAbsence,
    AddAssignment,
    AddCalendar,
    AddEmployment,
    AddGoal,
    AddKpi,
    AddKpiVersion,
    AddRate,
    AddRateSet,
    AddTeam,
)
from tests.reference.story import AUGUST, REVENUE, Asked, Example, Figure, Story, event, member, team, utc

SEPTEMBER = utc("2026-09-01T10:00:00")


def rates() -> Example:
    """Direct, inverse, crossed; thirty days in `daily`, as long as it says in another set."""
    story = Story()
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    story.then(AddRateSet, key="daily", kind="daily")
    story.then(AddRateSet, key="plan-2026", kind="fixed")
    day = date(2026, 7, 10)
    story.then(AddRate, rate_set="daily", base="EUR", quote="USD", valid_from=day, value=Decimal("1.10"))
    story.then(AddRate, rate_set="daily", base="EUR", quote="GBP", valid_from=day, value=Decimal("0.80"))
    story.then(
        AddRate,
        rate_set="plan-2026",
        base="USD",
        quote="EUR",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 8, 1),
        value=Decimal("0.5"),
    )
    wins = (("07-12", 100, "USD"), ("08-08", 110, "USD"), ("08-09", 110, "USD"), ("07-13", 80, "GBP"))
    for won_on, amount, currency in wins:
        story.post(event("deal.won", f"2026-{won_on}T10:00:00", amount=Decimal(amount), currency=currency))
    sunday = Query(kpis=("revenue",), period="2026-07-12")
    august = Query(kpis=("revenue",), period="2026-08")
    pounds = Query(kpis=("revenue",), period="2026-07-13", currency="USD")
    planned = Query(kpis=("revenue",), period="2026-07-12..2026-08-08", grain="month", rate_set="plan-2026")
    return Example(
        "10: exchange rates",
        tuple(story.steps),
        (
            Asked(now=SEPTEMBER, query=sunday, figures=(Figure(kpi="revenue", value="90.9090909090909", sample=1),)),
            # The rate of 10 July holds on 8 August, its thirtieth day, and not on the 9th.
            Asked(
                now=SEPTEMBER,
                query=august,
                figures=(Figure(kpi="revenue", value="100", status="partial", sample=1, left_out=1),),
            ),
            # 80 GBP / 0.80 * 1.10
            Asked(now=SEPTEMBER, query=pounds, figures=(Figure(kpi="revenue", value="110", sample=1),)),
            # 100 USD * 0.5, and 80 GBP for which the plan has no rate; none for August.
            Asked(
                now=SEPTEMBER,
                query=planned,
                figures=(
                    Figure(kpi="revenue", window=0, value="50", status="partial", sample=1, left_out=1),
                    Figure(kpi="revenue", window=1, value="0", status="partial", sample=0, left_out=1),
                ),
            ),
        ),
    )


def a_year_before() -> Example:
    story = Story()
    calls = Name(("calls",))
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    story.then(AddKpi, kpi="growth", definition=kpi(op(calls, "/", last_year(calls)), RATIO, calls=count("call.made")))
    for day, number in (("2026-03-04", 3), ("2027-03-08", 6), ("2025-03-11", 2), ("2026-03-10", 5), ("2026-12-30", 1)):
        story.post(*(event("call.made", f"{day}T10:00:00") for _ in range(number)))
    shares = {
        # From Monday 8 March 2027 against from Monday 2 March 2026.
        "2027-W10": ("3", "ok", "2"),
        # Tuesday against Tuesday 11 March 2025.
        "2026-03-10": ("2", "ok", "2.5"),
        "2026-W53": (None, "no_data", None),
    }
    asked = tuple(
        Asked(
            now=utc("2027-04-01T10:00:00"),
            query=Query(kpis=("calls", "growth"), period=period, compare=("same_period_last_year",)),
            figures=(
                Figure(
                    kpi="calls",
                    value=before,
                    status="ok" if before else "no_data",
                    kpi_version=1 if before else None,
                    comparison="same_period_last_year",
                ),
                Figure(kpi="growth", value=growth, status="ok" if growth else "no_data"),
            ),
        )
        for period, (before, _, growth) in shares.items()
    )
    return Example("17: a year before", tuple(story.steps), asked)


def groups() -> Example:
    """Regions: north 300 in two deals, south 200, east and west 50 each, and 10 without."""
    story = Story()
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    story.then(AddKpi, kpi="deals", definition=counted("deal.won"))
    regions = (("north", 100), ("north", 200), ("south", 200), ("east", 50), ("west", 50), (None, 10))
    for region, amount in regions:
        properties = {} if region is None else {"region": region}
        money: dict[str, Any] = {"amount": Decimal(amount), "currency": "EUR"}
        story.post(event("deal.won", "2026-05-05T10:00:00", properties=properties, **money))
    by = name("properties.region")

    def figures(shown: dict[str, tuple[str, str]], *others: tuple[Group, str, str]) -> tuple[Figure, ...]:
        all_groups = [*((Group("value", region), *values) for region, values in shown.items()), *others]
        return tuple(
            figure
            for group, revenue, deals in all_groups
            for figure in (
                Figure(kpi="revenue", group=group, value=revenue),
                Figure(kpi="deals", group=group, value=deals),
            )
        )

    kpis = ("revenue", "deals")
    top_two = Query(kpis=kpis, period="2026-05", group_by=GroupBy(event=by, top=2))
    top_three = Query(kpis=kpis, period="2026-05", group_by=GroupBy(event=by, top=3))
    every = Query(kpis=kpis, period="2026-05", group_by=GroupBy(event=by))
    two = {"north": ("300", "2"), "south": ("200", "1")}
    east, west = ("50", "1"), ("50", "1")
    return Example(
        "groups",
        tuple(story.steps),
        (
            Asked(now=AUGUST, query=top_two, figures=figures(two, (Group("rest"), "110", "3"))),
            # East and west are equal: east is first in the alphabet.
            Asked(now=AUGUST, query=top_three, figures=figures(two | {"east": east}, (Group("rest"), "60", "2"))),
            Asked(
                now=AUGUST,
                query=every,
                figures=figures(two | {"east": east, "west": west}, (Group("none"), "10", "1")),
            ),
        ),
    )


def groups_of_roles() -> Example:
    """Ana was an executive in June and is in success since July: her calls of June stay an executive's."""
    story = Story()
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    story.person("ana")
    july = date(2026, 7, 1)
    story.then(AddAssignment, member="ana", revenue_role="executive", valid_to=july)
    story.then(AddAssignment, member="ana", revenue_role="success", valid_from=july)
    story.post(*(event("call.made", "2026-06-30T10:00:00", actor="ana") for _ in range(2)))
    story.post(*(event("call.made", "2026-07-01T10:00:00", actor="ana") for _ in range(3)))
    story.post(event("call.made", "2026-07-01T10:00:00", actor="nobody"))
    query = Query(kpis=("calls",), period="2026-06-01..2026-07-31", group_by=GroupBy(attribute="revenue_role"))
    figures = (
        Figure(kpi="calls", group=Group("value", "executive"), value="2"),
        Figure(kpi="calls", group=Group("value", "success"), value="3"),
        Figure(kpi="calls", group=Group("none"), value="1"),
    )
    return Example("groups of roles", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def other_kpis() -> Example:
    """Contacts count calls made, since July calls received as well; by wins they are a ratio of their own figures."""
    story = Story()
    story.then(AddKpi, kpi="contacts", definition=counted("call.made"))
    story.then(
        AddKpiVersion, kpi="contacts", definition=counted("call.made", "call.received"), valid_from=date(2026, 7, 1)
    )
    story.then(AddKpi, kpi="wins", definition=counted("deal.won"))
    story.then(AddKpi, kpi="effort", definition=kpi(op(ref("contacts"), "/", ref("wins")), RATIO))
    story.then(AddKpi, kpi="rate", definition=win_rate())
    by_created = kpi(op(name("won"), "/", name("created")), RATIO, won=count("deal.won"), created=count("deal.created"))
    story.then(AddKpiVersion, kpi="rate", definition=by_created, valid_from=date(2026, 7, 1))
    story.then(AddKpi, kpi="twice", definition=kpi(op(ref("rate"), "+", ref("rate")), RATIO))
    for month, received in (("06", 5), ("07", 2)):
        story.post(*(event("call.received", f"2026-{month}-10T10:00:00") for _ in range(received)))
    story.post(*(event("call.made", f"2026-{day}T10:00:00") for day in ("06-10", "06-11", "07-10")))
    story.post(*(event("deal.won", f"2026-{month}-10T10:00:00") for month in ("06", "07")))
    story.post(event("deal.created", "2026-07-10T10:00:00"), event("deal.created", "2026-07-11T10:00:00"))
    figures = (
        Figure(kpi="effort", window=0, value="2", sample=3),
        Figure(kpi="effort", window=1, value="3", sample=4),
        # (2 + 3) / 2: contacts add up over their versions.
        Figure(kpi="effort", value="2.5", sample=7),
        Figure(kpi="twice", window=0, value="2"),
        Figure(kpi="twice", window=1, value="1"),
        # The rate has no figure for both months, so this has none.
        Figure(kpi="twice", value=None, status="mixed_versions", kpi_version=None),
    )
    query = Query(kpis=("effort", "twice"), period="2026-06-01..2026-07-31", grain="month")
    return Example("other KPIs", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def targets() -> Example:
    """230 calls in July, which has 23 working days, and 100 in August."""
    story = Story()
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    story.then(AddKpi, kpi="aim", definition=kpi(target_of("calls"), COUNT))
    story.then(AddKpi, kpi="reached", definition=kpi(op(ref("calls"), "/", target_of("calls")), RATIO))
    story.then(AddKpi, kpi="price", definition=single(over("avg", "quantity", "deal.won"), COUNT))
    story.then(AddKpi, kpi="price_aim", definition=kpi(target_of("price"), COUNT))
    july, august, september = (date(2026, month, 1) for month in (7, 8, 9))
    goals = (("calls", july, august, 230), ("calls", august, september, 100), ("price", july, august, 40))
    for key, start, end, value in goals:
        story.then(AddGoal, kpi=key, owner=("organization", ""), start=start, end=end, value=Decimal(value))
    story.post(*(event("call.made", "2026-07-07T10:00:00") for _ in range(25)))
    expected = {
        "2026-07": ("230", "40"),
        # Five of 23 working days; the target of an average is the same on each of them.
        "2026-07-06..2026-07-12": ("50", "40"),
        "2026-07-01..2026-08-31": ("330", None),
        "2026-09": (None, None),
    }
    asked = [
        Asked(
            now=SEPTEMBER,
            query=Query(kpis=("aim", "price_aim"), period=period),
            figures=tuple(
                Figure(kpi=key, value=value, status="ok" if value else "no_data")
                for key, value in zip(("aim", "price_aim"), values, strict=True)
            ),
        )
        for period, values in expected.items()
    ]
    week = Query(kpis=("reached",), period="2026-07-06..2026-07-12")
    asked.append(Asked(now=SEPTEMBER, query=week, figures=(Figure(kpi="reached", value="0.5", sample=25),)))
    return Example("targets", tuple(story.steps), tuple(asked))


def a_joiner_and_a_leaver() -> Example:
    """Bo joins on 11 July, half time; Cy leaves after the 5th."""
    story = Story()
    for function, unit in (("headcount", COUNT), ("fte", COUNT), ("working_hours", DURATION)):
        story.then(AddKpi, kpi=function, definition=kpi(staff(function), unit))  # type: ignore[arg-type]
    story.then(AddTeam, team="north")
    for who in ("ana", "bo", "cy"):
        story.person(who, "north")
    story.then(AddEmployment, member="bo", valid_from=date(2026, 7, 11))
    story.then(AddAssignment, member="bo", fte=Decimal("0.5"))
    story.then(AddEmployment, member="cy", valid_to=date(2026, 7, 6))
    kpis = ("headcount", "fte", "working_hours")
    query = Query(kpis=kpis, subjects=(team("north"), member("bo")), period="2026-07")
    north, bo = team("north"), member("bo")
    later = (
        # (31 + 21 + 5) / 31 and (31 + 10.5 + 5) / 31
        Figure(kpi="headcount", subject=north, value="1.83870967741935"),
        Figure(kpi="fte", subject=north, value="1.5"),
        # Ana 23 days of 8 hours, Bo 15 of 4, Cy 3 of 8: 268 hours.
        Figure(kpi="working_hours", subject=north, value="964800"),
        Figure(kpi="working_hours", subject=bo, value="216000"),
    )
    early = (
        # On Friday 10 July at noon, the tenth day: (10 + 5) / 10
        Figure(kpi="headcount", subject=north, value="1.5"),
        # Ana seven days and three hours, Cy three days: 83 hours.
        Figure(kpi="working_hours", subject=north, value="298800"),
        Figure(kpi="headcount", subject=bo, value="0"),
    )
    return Example(
        "a joiner and a leaver",
        tuple(story.steps),
        (
            Asked(now=AUGUST, query=query, figures=later),
            Asked(now=utc("2026-07-10T10:00:00"), query=query, figures=early),
        ),
    )


def somebody_is_away() -> Example:
    """Ana is away from Monday 6 to Sunday 12 July: 18 of 23 working days are left, and 24 of 31 days."""
    story = Story()
    story.then(AddKpi, kpi="headcount", definition=kpi(staff("headcount"), COUNT))
    story.then(AddKpi, kpi="working_hours", definition=kpi(staff("working_hours"), DURATION))
    story.person("ana")
    story.then(AddAbsence, member="ana", valid_from=date(2026, 7, 6), valid_to=date(2026, 7, 13))
    query = Query(kpis=("headcount", "working_hours"), period="2026-07")
    figures = (
        Figure(kpi="headcount", value="0.774193548387097"),
        Figure(kpi="working_hours", value="518400"),
    )
    return Example("somebody is away", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def targets_of_who_is_away() -> Example:
    """June has 21 working days: Ana is away on 4, which other days make up for, and on leave on 2.

    Of her 150 calls 15/17 are left, in a week 5/17. Of the team's 380, with Bo's 21 days, 36/38; in a week 10/38.
    """
    story = Story()
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    story.then(AddKpi, kpi="aim", definition=kpi(target_of("calls"), COUNT))
    office = dict.fromkeys(range(5), ((time(8), time(16)),))
    june, july = date(2026, 6, 1), date(2026, 7, 1)
    holidays = frozenset({date(2026, 6, 4)})
    story.then(AddCalendar, key="office", weekdays=office, holidays=holidays, is_default=True)
    story.then(AddTeam, team="north")
    story.person("ana", "north")
    story.person("bo", "north")
    story.then(AddGoal, kpi="calls", owner=("member", "ana"), start=june, end=july, value=Decimal(150))
    story.then(AddGoal, kpi="calls", owner=("team", "north"), start=june, end=july, value=Decimal(380))
    for effect, first, end in (
        ("reschedule", june, date(2026, 6, 8)),
        ("prorate_target", date(2026, 6, 15), date(2026, 6, 17)),
    ):
        story.then(AddAbsence, member="ana", valid_from=first, valid_to=end, effect=effect)
    expected = {
        "2026-06": ("132.352941176471", "360"),
        "2026-W24": ("44.1176470588235", "100"),
        "2026-W23": ("0", "40"),
    }
    asked = [
        Asked(
            now=AUGUST,
            query=Query(kpis=("aim",), subjects=(member("ana"), team("north")), period=period),
            figures=tuple(
                Figure(kpi="aim", subject=subject, value=value)
                for subject, value in zip((member("ana"), team("north")), values, strict=True)
            ),
        )
        for period, values in expected.items()
    ]
    return Example("targets of who is away", tuple(story.steps), tuple(asked))


EXAMPLES = (
    rates(),
    a_year_before(),
    groups(),
    groups_of_roles(),
    other_kpis(),
    targets(),
    a_joiner_and_a_leaver(),
    somebody_is_away(),
    targets_of_who_is_away(),
)
