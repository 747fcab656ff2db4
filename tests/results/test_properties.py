"""What holds of every answer, whatever the events: parts add up, and now is now."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.results.test_query import REVENUE, WON, define, kpi, member, post
from tests.results.test_results import ORGANIZATION, event, query
from tests.support import Api, World

KPIS = ["won", "revenue", "both"]
BOTH = kpi("both", "2 * kpi.won - kpi.won / 3", "count")
# Each example is a company of its own: shrinking one would take minutes.
MODEST = settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
DAYS = st.dates(date(2026, 4, 1), date(2026, 7, 12))


@st.composite
def wins(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Deals won by one, two or nobody of six people, of whom two are nobody's."""
    found = []
    for number in range(draw(st.integers(1, 14))):
        actors = draw(st.lists(st.integers(1, 6), max_size=2, unique=True))
        share = draw(st.sampled_from(["0.5", "0.3", "0.25"]))
        shares = [share, str(1 - Decimal(share))] if len(actors) == 2 else ["1"] * len(actors)
        credits_ = [{"actor": {"id": str(a)}, "share": s} for a, s in zip(actors, shares, strict=True)]
        amount = {"value": str(draw(st.integers(-50, 500))), "currency": draw(st.sampled_from(["EUR", "EUR", "SEK"]))}
        region = draw(st.sampled_from(["north", "south", "west", None, 7, True]))
        at = datetime.combine(draw(DAYS), datetime.min.time()) + timedelta(hours=draw(st.integers(0, 23)))
        more: dict[str, Any] = {"credits": credits_} if actors else {}
        properties = {} if region is None else {"region": region}
        found.append(
            event(f"e{number}", "deal.won", at=f"{at.isoformat()}Z", amount=amount, properties=properties, **more)
        )
    return found


async def company(world: World, events: list[dict[str, Any]]) -> tuple[Api, list[str]]:
    """Two teams at the top, one below the first; Cy moves, Di is in no team; each has a role for a while."""
    api = await world.organization()
    teams = [(await api.post("/teams", {"name": name}, expect=201))["id"] for name in ("Europe", "America")]
    west = (await api.post("/teams", {"name": "West"}, expect=201))["id"]
    await api.post(f"/teams/{west}/placements", {"parent_id": teams[0], "valid_from": None}, expect=201)
    people = [
        await member(api, "Ana", "1", teams[0]),
        await member(api, "Bo", "2", west),
        await member(api, "Cy", "3", teams[1], valid_to="2026-06-10"),
        await member(api, "Di", "4"),
    ]
    moved = {"member_id": people[2], "kind": "member", "valid_from": "2026-06-10"}
    await api.post(f"/teams/{west}/memberships", moved, expect=201)
    for person, role in zip(people, ("hunter", "farmer", "hunter", "farmer"), strict=True):
        body = {"revenue_role": role, "valid_from": "2026-05-01"}
        await api.post(f"/members/{person}/assignments", body, expect=201)
    await define(api, WON, REVENUE, BOTH)
    await post(api, *events)
    return api, teams


def total(series: Any) -> Decimal:
    return Decimal(str(series["total"]["value"]))


def totals(answer: Any, key: str) -> Decimal:
    return sum((total(each) for each in answer["series"] if each["kpi"] == key), Decimal(0))


def same(one: Decimal, other: Decimal) -> bool:
    """Equal but for what rounding to 15 digits on output takes from each part."""
    return abs(one - other) <= Decimal("1e-9")


@MODEST
@given(events=wins())
async def test_windows_people_teams_and_groups_add_up(world: World, events: list[dict[str, Any]]) -> None:
    """S8, S20, S24: every way of cutting an additive KPI into parts gives the whole again."""
    api, teams = await company(world, events)
    asked: dict[str, Any] = {"kpis": KPIS, "period": "2026-04-01..2026-07-31"}
    whole = await query(api, **asked, subjects=[ORGANIZATION], grain="week")
    for series in whole["series"]:
        assert same(sum((Decimal(str(value)) for value in series["values"]), Decimal(0)), total(series))
    tops = await query(api, **asked, subjects=[{"team": team} for team in teams] + [{"unassigned": True}])
    people = await query(api, **asked, subjects=[{"members_of": teams[0]}])
    for key in KPIS:
        assert same(totals(tops, key), totals(whole, key))
        europe = next(each for each in tops["series"] if each["kpi"] == key)
        assert same(totals(people, key), total(europe))
    for by in ({"property": "properties.region"}, {"property": "properties.region", "top": 1}, {"property": "type"},
               {"subject": "revenue_role"}, {"subject": "revenue_role", "top": 1}, {"subject": "team"}):  # fmt: skip
        groups = await query(api, **asked, subjects=[ORGANIZATION], group_by=by, compare=["previous_period"])
        for key in KPIS:
            assert same(totals(groups, key), totals(whole, key)), by


@MODEST
@given(events=wins(), later=wins())
async def test_what_was_asked_as_of_now_stays_what_now_was(
    world: World, events: list[dict[str, Any]], later: list[dict[str, Any]]
) -> None:
    """S5: an answer as of the present instant is the present answer, and stays so whatever is written afterwards."""
    api, teams = await company(world, events)
    asked: dict[str, Any] = {"kpis": KPIS, "period": "2026-04-01..2026-07-31", "grain": "month"}
    asked["subjects"] = [ORGANIZATION, {"members_of": teams[0]}]
    asked["group_by"] = {"property": "properties.region", "top": 2}
    now = "2026-07-13T11:00:00Z"
    await api.set_clock(now)
    again = await query(api, **asked, as_of=now)
    assert again["series"]
    assert again["series"] == (await query(api, **asked))["series"]
    await post(api, *[each | {"external_id": f"later {each['external_id']}"} for each in later])
    assert await query(api, **asked, as_of=now) == again
