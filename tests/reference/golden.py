"""The worked examples of the semantics as scripts, questions and expected figures; whoever computes must agree."""

from datetime import date, timedelta
from decimal import Decimal

from app.core.units import COUNT, DURATION, RATIO
from app.kpis.expressions.syntax import Unary
from tests.reference import golden_measures, golden_questions
from tests.reference.definitions import count, counted, is_, kpi, name, op, response_time, single, win_rate
from tests.reference.ledger import Item
from tests.reference.questions import Query
from tests.reference.snapshot import Attribution, Subject
from tests.reference.steps import AddKpi, AddKpiVersion, AddMembership, AddTeam, EndMembership, MoveTeam, PostEvents
from tests.reference.story import (
    AUGUST,
    ORGANIZATION,
    REVENUE,
    UNASSIGNED,
    Asked,
    Example,
    Figure,
    Story,
    event,
    member,
    team,
    utc,
)
from tests.reference.world import Credit, Identity

# --------------------------------------------------------------------------------------------------- examples


def a_day_of_23_hours() -> Example:
    story = Story()
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    times = ("2026-03-28T23:30:00", "2026-03-29T21:59:59", "2026-03-29T22:00:00")
    story.post(*(event("call.made", time) for time in times))
    query = Query(kpis=("calls",), period="2026-03-28..2026-03-30", grain="day")
    figures = tuple(Figure(kpi="calls", window=n, value=value, sample=int(value)) for n, value in enumerate("021"))
    return Example("1: a day of 23 hours", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def ratios_of_sums() -> Example:
    story = Story()
    story.then(AddKpi, kpi="win_rate", definition=win_rate())
    story.then(AddTeam, team="north")
    story.person("ana", "north")
    story.person("bo", "north")
    for who, won, lost in (("ana", 3, 1), ("bo", 1, 5)):
        story.post(*(event("deal.won", "2026-05-05T10:00:00", actor=who) for _ in range(won)))
        story.post(*(event("deal.lost", "2026-05-06T10:00:00", actor=who) for _ in range(lost)))
    query = Query(kpis=("win_rate",), subjects=(member("ana"), member("bo"), team("north")), period="2026-05")
    figures = (
        Figure(kpi="win_rate", subject=member("ana"), value="0.75", sample=4),
        Figure(kpi="win_rate", subject=member("bo"), value="0.166666666666667", sample=6),
        Figure(kpi="win_rate", subject=team("north"), value="0.4", sample=10),
    )
    return Example("2: ratios of sums", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def shared_credit() -> Example:
    story = Story()
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    story.then(AddKpi, kpi="won", definition=counted("deal.won"))
    story.then(AddKpi, kpi="won_full", definition=single(count("deal.won", full=True), COUNT))
    story.then(AddTeam, team="north")
    story.person("ana", "north")
    story.person("bo", "north")
    shares = tuple(
        Credit("owner", Identity("api", who), Decimal(share)) for who, share in (("ana", "0.6"), ("bo", "0.4"))
    )
    story.post(event("deal.won", "2026-05-05T10:00:00", credits=shares, amount=Decimal(1000), currency="EUR"))
    subjects = (member("ana"), member("bo"), team("north"))
    expected = {"revenue": ("600", "400", "1000"), "won": ("0.6", "0.4", "1"), "won_full": ("1", "1", "1")}
    figures = tuple(
        Figure(kpi=key, subject=subject, value=value, sample=1)
        for key, values in expected.items()
        for subject, value in zip(subjects, values, strict=True)
    )
    query = Query(kpis=tuple(expected), subjects=subjects, period="2026-05")
    return Example("3: shared credit", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def a_member_who_moves() -> Example:
    story = Story()
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    story.then(AddTeam, team="europe")
    story.then(AddTeam, team="north", parent="europe")
    story.then(AddTeam, team="south", parent="europe")
    story.person("ana", "north")
    story.person("cy", "north")
    story.then(EndMembership, key="cy in north", valid_to=date(2026, 7, 15))
    story.then(AddMembership, key="cy in south", member="cy", team="south", valid_from=date(2026, 7, 15))
    story.post(*(event("call.made", "2026-07-14T21:59:59", actor="cy") for _ in range(40)))
    story.post(*(event("call.made", "2026-07-14T22:00:00", actor="cy") for _ in range(50)))
    story.post(*(event("call.made", "2026-07-20T10:00:00", actor="ana") for _ in range(100)))
    story.post(*(event("call.made", "2026-07-20T10:00:00", actor="nobody") for _ in range(10)))
    subjects = (ORGANIZATION, UNASSIGNED, team("europe"), team("north"), team("south"), Subject("members_of", "north"))
    expected: dict[Attribution, dict[Subject, str]] = {
        "at_event": {
            ORGANIZATION: "200",
            UNASSIGNED: "10",
            team("europe"): "190",
            team("north"): "140",
            team("south"): "50",
            Subject("member_in_team", "ana", "north"): "100",
            Subject("member_in_team", "cy", "north"): "40",
        },
        "current": {
            ORGANIZATION: "200",
            UNASSIGNED: "10",
            team("europe"): "190",
            team("north"): "100",
            team("south"): "90",
            Subject("member_in_team", "ana", "north"): "100",
        },
    }
    asked = tuple(
        Asked(
            now=AUGUST,
            query=Query(kpis=("calls",), subjects=subjects, period="2026-07", attribution=attribution),
            figures=tuple(Figure(kpi="calls", subject=subject, value=value) for subject, value in rows.items()),
        )
        for attribution, rows in expected.items()
    )
    return Example("4: a member who moves", tuple(story.steps), asked)


def response_times() -> Example:
    story = Story()
    story.then(
        AddKpi, kpi="in_time", definition=single(response_time("share_within", within=timedelta(minutes=5)), RATIO)
    )
    story.then(AddKpi, kpi="median", definition=single(response_time("median"), DURATION))
    leads = (("a", "09:00"), ("b", "09:10"), ("c", "09:20"))
    calls = (("a", "09:04"), ("b", "09:40"))
    story.post(*(event("lead.created", f"2026-05-05T{at}:00", about={"lead": key}) for key, at in leads))
    story.post(*(event("call.made", f"2026-05-05T{at}:00", about={"lead": key}) for key, at in calls))
    query = Query(kpis=("in_time", "median"), period="2026-05")
    early = (
        Figure(kpi="in_time", value="0.5", sample=2, pending=1),
        Figure(kpi="median", value="240", sample=1, open=2),
    )
    late = (
        Figure(kpi="in_time", value="0.333333333333333", sample=3),
        Figure(kpi="median", value="1020", sample=2, open=1),
    )
    return Example(
        "5: response times",
        tuple(story.steps),
        (
            Asked(now=utc("2026-05-05T09:24:00"), query=query, figures=early),
            Asked(now=utc("2026-05-05T10:00:00"), query=query, figures=late),
        ),
    )


def a_win_corrected_and_reopened(order: tuple[int, int, int] = (1, 2, 3)) -> Example:
    """The three versions arrive in this order; the three days are always the same."""
    story = Story()
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    won = event("deal.won", "2026-07-10T10:00:00", amount=Decimal(500), currency="EUR")
    corrected = event("deal.won", "2026-07-10T10:00:00", amount=Decimal(450), currency="EUR")
    versions = {1: won, 2: corrected, 3: None}
    for at, version in zip(("2026-07-10T12:00:00", "2026-07-20T12:00:00", "2026-08-02T12:00:00"), order, strict=True):
        item = Item(external_id="deal", version=version, content=versions[version])
        story.then(PostEvents, at, source="api", items=(item,))
    last = utc("2026-08-03T00:00:00")
    now = Asked(
        now=last,
        query=Query(kpis=("revenue",), period="2026-07"),
        figures=(Figure(kpi="revenue", value="0", sample=0),),
    )
    if order != (1, 2, 3):
        return Example(f"6: corrected and reopened, {order}", tuple(story.steps), (now,))
    earlier = tuple(
        Asked(
            now=last,
            query=Query(kpis=("revenue",), period="2026-07", as_of=utc(as_of)),
            figures=(Figure(kpi="revenue", value=value, sample=1),),
        )
        for as_of, value in (("2026-07-15T12:00:00", "500"), ("2026-07-25T12:00:00", "450"))
    )
    return Example("6: corrected and reopened", tuple(story.steps), (*earlier, now))


def empty_is_not_zero() -> Example:
    story = Story()
    story.then(AddKpi, kpi="win_rate", definition=win_rate())
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    story.post(
        event("deal.won", "2026-05-05T10:00:00", amount=Decimal(100), currency="EUR"),
        event("deal.won", "2026-05-06T10:00:00", amount=Decimal(1000), currency="SEK"),
    )
    query = Query(kpis=("win_rate", "revenue"), period="2026-04-01..2026-05-31", grain="month")
    figures = (
        Figure(kpi="win_rate", window=0, value=None, status="no_data", sample=0),
        Figure(kpi="revenue", window=0, value="0", sample=0),
        Figure(kpi="win_rate", window=1, value="1", sample=2),
        Figure(kpi="revenue", window=1, value="100", status="partial", sample=1, left_out=1),
    )
    return Example("7: empty is not zero", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def the_same_content_again(order: tuple[int, int, int]) -> Example:
    story = Story()
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    amounts = {1: Decimal(1), 2: Decimal(2), 3: Decimal(1)}
    for version in order:
        content = event("deal.won", "2026-05-05T10:00:00", amount=amounts[version], currency="EUR")
        item = Item(external_id="deal", version=version, content=content)
        story.then(PostEvents, source="api", items=(item,))
    query = Query(kpis=("revenue",), period="2026-05")
    figures = (Figure(kpi="revenue", value="1", sample=1),)
    asked = Asked(now=AUGUST, query=query, figures=figures)
    return Example(f"11: the same content again, {order}", tuple(story.steps), (asked,))


def two_valued_filters() -> Example:
    story = Story()
    not_partner = Unary("not", is_("properties.channel", "partner"))
    story.then(AddKpi, kpi="direct", definition=counted("deal.created", where=not_partner))
    groups: tuple[tuple[int, dict[str, str]], ...] = (
        (50, {"channel": "partner"}),
        (250, {"channel": "web"}),
        (700, {}),
    )
    for number, properties in groups:
        story.post(*(event("deal.created", "2026-05-05T10:00:00", properties=properties) for _ in range(number)))
    query = Query(kpis=("direct",), period="2026-05")
    figures = (Figure(kpi="direct", value="950", sample=950),)
    return Example("12: two-valued filters", tuple(story.steps), (Asked(now=AUGUST, query=query, figures=figures),))


def like_for_like() -> Example:
    """The comparison itself is looked at by the tests: previous 400, to_date 8 working days, 120 against 110."""
    story = Story()
    story.then(AddKpi, kpi="revenue", definition=REVENUE)
    amounts = (("06-10T21:59:59", 110), ("06-10T22:00:00", 290), ("07-10T21:59:59", 120), ("07-10T22:00:00", 10))
    for at, amount in amounts:
        story.post(event("deal.won", f"2026-{at}", amount=Decimal(amount), currency="EUR"))
    query = Query(kpis=("revenue",), period="2026-07", grain="month", compare=("previous_period",))
    figures = (Figure(kpi="revenue", window=0, value="130"), Figure(kpi="revenue", value="130"))
    asked = Asked(now=utc("2026-07-13T10:00:00"), query=query, figures=figures)
    return Example("14: like for like", tuple(story.steps), (asked,))


def a_team_that_moves() -> Example:
    story = Story()
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    for key, parent in (("a", None), ("b", None), ("west", "a")):
        story.then(AddTeam, team=key, parent=parent)
    story.person("wes", "west")
    story.then(MoveTeam, team="west", parent="b", valid_from=date(2026, 7, 1))
    june = [event("call.made", "2026-06-30T21:59:59", actor="wes") for _ in range(2)]
    july = [event("call.made", "2026-06-30T22:00:00", actor="wes") for _ in range(3)]
    story.post(*june, *july)
    subjects = (team("a"), team("b"), team("west"))
    months_of: dict[Attribution, tuple[str, str, str]] = {"at_event": ("20", "03", "23"), "current": ("00", "23", "23")}
    asked = []
    for attribution, months in months_of.items():
        figures = tuple(
            Figure(kpi="calls", subject=subject, window=window, value=value)
            for subject, values in zip(subjects, months, strict=True)
            for window, value in enumerate(values)
        )
        query = Query(
            kpis=("calls",),
            subjects=subjects,
            period="2026-06-01..2026-07-31",
            grain="month",
            attribution=attribution,
        )
        asked.append(Asked(now=AUGUST, query=query, figures=figures))
    return Example("15: a team that moves", tuple(story.steps), tuple(asked))


def versions_of_a_kpi() -> Example:
    """Version 2 asks for wins by created deals instead of by closed ones."""
    story = Story()
    per_created = op(name("won"), "/", name("created"))
    second = kpi(per_created, RATIO, won=count("deal.won"), created=count("deal.created"))
    for day in ("01-05", "06-05", "07-06"):
        at = f"2026-{day}T10:00:00"
        story.post(event("deal.won", at), event("deal.lost", at), *(event("deal.created", at) for _ in range(4)))
    story.then(AddKpi, "2026-07-01T08:00:00", kpi="win_rate", definition=win_rate())
    story.then(AddKpiVersion, kpi="win_rate", definition=second, valid_from=date(2026, 7, 1))
    query = Query(kpis=("win_rate",), period="2026", grain="month")
    figures = (
        Figure(kpi="win_rate", window=0, value="0.5", sample=2),
        Figure(kpi="win_rate", window=5, value="0.5", sample=2),
        Figure(kpi="win_rate", window=6, value="0.25", kpi_version=2, sample=5),
        Figure(kpi="win_rate", value=None, status="mixed_versions", kpi_version=None),
    )
    named = Query(kpis=("win_rate",), period="2026", grain="month", versions={"win_rate": 2})
    all_second = (
        Figure(kpi="win_rate", window=0, value="0.25", kpi_version=2),
        Figure(kpi="win_rate", window=6, value="0.25", kpi_version=2),
        Figure(kpi="win_rate", value="0.25", kpi_version=2),
    )
    return Example(
        "16: versions of a KPI",
        tuple(story.steps),
        (Asked(now=AUGUST, query=query, figures=figures), Asked(now=AUGUST, query=named, figures=all_second)),
    )


ORDERS = ((1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1))
EXAMPLES = (
    a_day_of_23_hours(),
    ratios_of_sums(),
    shared_credit(),
    a_member_who_moves(),
    response_times(),
    *map(a_win_corrected_and_reopened, ORDERS),
    empty_is_not_zero(),
    *map(the_same_content_again, ORDERS),
    two_valued_filters(),
    like_for_like(),
    a_team_that_moves(),
    versions_of_a_kpi(),
    *golden_measures.EXAMPLES,
    *golden_questions.EXAMPLES,
)
