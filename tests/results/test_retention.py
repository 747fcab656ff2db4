"""What answers say once events of past days were archived or dropped: never an untrue figure (S5, S6, S12)."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.integrations.jobs import HANDLERS
from app.worker import drain
from tests.results.team import CALLS, ORGANIZATION, REVENUE, ask, count, define, euros, event, kpi, post, team, total
from tests.support import Api

HORIZON = "2026-04-01"


async def request(api: Api, mode: str = "archive", before: str = HORIZON) -> None:
    await api.post("/event-archives", {"before": before, "mode": mode}, expect=202)


async def work(api: Api) -> None:
    await drain(api.world.worker_database, HANDLERS)


def query(*kpis: str, **more: Any) -> dict[str, Any]:
    return {"kpis": list(kpis), "subjects": [ORGANIZATION], "period": "2026-02..2026-06", "grain": "month"} | more


def months(first: str = "2026-02-01", last: str = "2026-06-30") -> str:
    return f"{first}..{last}"


PLAIN = {"period": months()}


async def test_figures_over_days_before_the_horizon_have_no_value(api: Api) -> None:
    await define(api, CALLS, REVENUE)
    await post(api, [event(f"c{m}-{n}", "call.made", f"2026-0{m}-10") for m in range(2, 7) for n in range(m)])
    as_of = (await ask(api, "query", query("calls_made", **PLAIN)))["known_at"]
    await api.set_clock("2026-07-14T10:00:00Z")
    await request(api)
    for asked in (PLAIN, PLAIN | {"as_of": as_of}, PLAIN):
        answer = await ask(api, "query", query("calls_made", **asked))
        assert answer["retained_from"] == HORIZON
        [series] = answer["series"]
        assert series["values"] == [None, None, 4, 5, 6]
        assert series["statuses"] == ["not_retained"] * 2 + ["ok"] * 3
        assert series["samples"] == [0, 0, 4, 5, 6]
        assert (series["total"]["value"], series["total"]["status"]) == (None, "not_retained")
        assert [(note["code"], note["on"]) for note in series["notes"]] == [("not_retained", HORIZON)]
        assert HORIZON in series["notes"][0]["text"]
        await work(api)
    within = await ask(api, "query", query("calls_made", period=months(HORIZON)))
    [series] = within["series"]
    assert (series["total"]["value"], series["total"]["status"], series["notes"]) == (15, "ok", [])


async def test_nothing_is_said_where_nothing_was_archived(api: Api) -> None:
    await define(api, CALLS)
    answer = await ask(api, "query", query("calls_made", **PLAIN))
    assert answer["retained_from"] is None
    assert answer["series"][0]["notes"] == []


async def test_a_figure_that_looks_at_days_before_the_horizon_has_none_either(api: Api) -> None:
    growth = kpi("growth", "calls - previous(calls)", calls=count("call.made"))
    through = kpi("through", "kpi.growth + 1")
    caught = kpi("caught", "coalesce(previous(calls), 7)", calls=count("call.made"))
    trailing = kpi("trailing", "calls", calls=count("call.made", over="P60D"))
    await define(api, CALLS, growth, through, caught, trailing)
    await post(api, [event(f"c{m}-{n}", "call.made", f"2026-0{m}-10") for m in range(2, 7) for n in range(m)])
    await request(api)
    await work(api)
    asked = query("growth", "through", "caught", "trailing", period=months(HORIZON))
    statuses = {each["kpi"]: each["statuses"] for each in (await ask(api, "query", asked))["series"]}
    assert statuses["growth"] == statuses["through"] == statuses["caught"] == ["not_retained", "ok", "ok"]
    # 60 days before 1 June begin on 2 April, those before 1 May on 2 March.
    assert statuses["trailing"] == ["not_retained", "ok", "ok"]
    compared = query("calls_made", period=months("2026-05-01"), compare=["previous_period"])
    [series] = (await ask(api, "query", compared))["series"]
    assert series["comparisons"]["previous_period"]["statuses"] == ["not_retained", "ok"]
    assert series["comparisons"]["previous_period"]["total"]["status"] == "not_retained"
    assert [note["code"] for note in series["notes"]] == ["not_retained"]


async def test_what_had_not_been_recorded_yet_comes_first(api: Api) -> None:
    await api.set_clock("2026-07-15T10:00:00Z")
    await define(api, CALLS)
    await request(api)
    answer = await ask(api, "query", query("calls_made", period=months(), as_of="2026-07-14T10:00:00Z"))
    assert set(answer["series"][0]["statuses"]) == {"not_recorded_yet"}


async def test_streams_and_explanations_say_so_too(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [event("c1", "call.made", "2026-02-10"), event("c2", "call.made", "2026-05-10")])
    await request(api)
    lines = await api.call(
        "POST",
        "/kpi-results/query",
        query("calls_made", **PLAIN),
        expect=200,
        headers={"Accept": "application/x-ndjson"},
    )
    head, *rows = [json.loads(line) for line in lines.text.splitlines()]
    assert head["retained_from"] == HORIZON
    assert [row["status"] for row in rows[:-1]] == ["not_retained"] * 2 + ["ok"] * 3 + ["not_retained"]
    asked = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-02"}
    for more in ({}, {"measure": "calls"}, {"show": "left_out"}):
        told = await ask(api, "explain", asked | more)
        assert (told["retained_from"], told["result"]["status"]) == (HORIZON, "not_retained")
        assert (told["result"]["value"], told["events"], told["measures"]) == (None, [], [])
    kept = await ask(api, "explain", asked | {"period": "2026-05"})
    assert [each["external_id"] for each in kept["events"]] == ["c2"]


async def test_the_days_of_another_zone_are_kept_only_where_they_are_whole(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [event("c1", "call.made", "2026-02-10")])
    await request(api)
    for zone, day in (("Asia/Tokyo", "2026-04-02"), ("America/New_York", HORIZON), ("Europe/Warsaw", HORIZON)):
        await api.patch("/organization", {"time_zone": zone})
        assert (await ask(api, "query", query("calls_made", **PLAIN)))["retained_from"] == day


async def test_frozen_evidence_stays_and_is_not_taken_for_restated(api: Api) -> None:
    firsts = kpi("first_wins", "wins", wins=count("deal.won", where="nth(customer) == 1"))
    await define(api, CALLS, firsts)
    _, people = await team(api, "North", "Ana")
    wins = [event(f"w{m}", "deal.won", f"2026-0{m}-10", "ana", about={"customer": "C"}) for m in (2, 5)]
    await post(api, [*wins, *(event(f"c{m}", "call.made", f"2026-0{m}-10", "ana") for m in range(1, 7))])
    paths = []
    for period in ("2026-Q1", "2026-Q2"):
        body = {"member_id": people["Ana"], "period": period, "kpis": ["calls_made", "first_wins"]}
        review = await api.post("/reviews", body, expect=201)
        await api.post(f"/reviews/{review['id']}/share", expect=200)
        paths.append(f"/reviews/{review['id']}/evidence")
    before = [await api.get(path) for path in paths]
    await request(api)
    await work(api)
    for path, earlier in zip(paths, before, strict=True):
        later = await api.get(path)
        assert (later["content"], later["digest"], later["is_intact"]) == (earlier["content"], earlier["digest"], True)
        assert later["restated_since"]["is_restated"] is False
        assert later["restated_since"]["differences"] == []
        assert (earlier["restated_since"]["not_retained"], later["restated_since"]["not_retained"]) == (False, True)
    await post(api, [event("late", "call.made", "2026-06-20", "ana")])
    restated = (await api.get(paths[1]))["restated_since"]
    assert (restated["is_restated"], restated["not_retained"]) == (True, True)
    assert {each["kpi"] for each in restated["differences"]} == {"calls_made"}


async def test_a_closed_goal_of_days_that_are_gone_is_not_taken_for_restated(api: Api) -> None:
    await define(api, CALLS)
    await api.set_clock("2026-03-10T10:00:00Z")
    goal = await api.post(
        "/goals",
        {"name": "Calls", "owner": {"type": "organization"}, "kpi": "calls_made", "period": "2026-03"}
        | {"target": {"value": "1"}},
        expect=201,
    )
    await post(api, [event("c1", "call.made", "2026-03-09")])
    await api.set_clock("2026-04-10T10:00:00Z")
    await api.post(f"/goals/{goal['id']}/close", expect=200)
    frozen = await api.get(f"/goals/{goal['id']}/progress")
    assert frozen["restated_since"] is False
    await request(api)
    await work(api)
    later = await api.get(f"/goals/{goal['id']}/progress")
    assert (later["actual"], later["verdict"], later["digest"]) == (1, "attained", frozen["digest"])
    assert later["restated_since"] is None


# ------------------------------------------------------------------------------------ after the horizon all is the same

_LEADS = {"from": {"events": ["lead.created"]}, "to": {"events": ["deal.won"]}, "match": "lead"}
KPIS = [
    CALLS,
    REVENUE,
    kpi("average", "won", "money", won={**total("deal.won"), "aggregate": "avg"}),
    kpi("customers", "n", n={"aggregate": "count_distinct", "of": "customer", "events": ["deal.won"]}),
    kpi("firsts", "n", n=count("deal.won", where="nth(customer) == 1")),
    kpi("cycle", "days", "duration", "decrease", days={"aggregate": "median", "elapsed": _LEADS}),
    kpi("converted", "share", "ratio", share={"aggregate": "conversion", "conversion": _LEADS}),
    kpi(
        "pipeline",
        "n",
        n={
            "aggregate": "count",
            "open_at": {
                "from": {"events": ["lead.created"]},
                "to": {"events": ["deal.won"]},
                "match": "lead",
                "at": "end",
            },
        },
    ),
]
LOOKING_BACK = {"firsts", "cycle", "converted", "pipeline"}


def happenings(seed: int) -> list[dict[str, Any]]:
    """Events of six months by a few people about a few things, some shared, some with a day of their own."""
    chance = random.Random(seed)
    start = datetime(2026, 1, 5, tzinfo=UTC)
    told = []
    for number in range(160):
        at = start + timedelta(minutes=chance.randrange(172 * 24 * 60))
        kind = chance.choice(["call.made", "lead.created", "deal.won", "deal.won"])
        fact = event(f"e{number}", kind, actor=chance.choice(["ana", "bo", "cy"])) | {"occurred_at": at.isoformat()}
        fact["about"] = {"lead": f"L{chance.randrange(25)}", "customer": f"C{chance.randrange(12)}"}
        if kind == "deal.won":
            fact["amount"] = euros(chance.randrange(1, 900))
        if chance.random() < 0.2:
            fact["credits"] = [{"actor": {"id": "ana"}, "share": "0.7"}, {"actor": {"id": "bo"}, "share": "0.3"}]
        if chance.random() < 0.2:
            fact["occurred_on"] = (at + timedelta(days=chance.randrange(-20, 20))).date().isoformat()
        told.append(fact)
    return told


@pytest.mark.parametrize("seed", range(3))
async def test_after_the_horizon_a_ledger_answers_as_if_the_rest_had_never_been(api: Api, seed: int) -> None:
    facts = happenings(seed)
    other = await api.world.organization()
    subjects = []
    for each in (api, other):
        await define(each, *KPIS)
        team_id, people = await team(each, "North", "Ana", "Bo")
        subjects.append([ORGANIZATION, {"team": team_id}, *({"member": people[name]} for name in ("Ana", "Bo"))])
    before = query(*(each["key"] for each in KPIS), period=months(HORIZON), subjects=subjects[0])
    await post(api, facts)
    unarchived = _figures(await ask(api, "query", before))
    await request(api, chance_of_mode(seed))
    await post(other, [fact for fact in facts if _day(fact) >= HORIZON])
    expected = _figures(await ask(other, "query", before | {"subjects": subjects[1]}))
    for _ in range(2):  # while the events are still there, and when they are gone
        answer = await ask(api, "query", before)
        assert _figures(answer) == expected
        for series in answer["series"]:
            codes = [note["code"] for note in series["notes"]]
            assert codes == (["computed_from_kept"] if series["kpi"] in LOOKING_BACK else [])
        await work(api)
    plain = [number for number, each in enumerate(answer["series"]) if each["kpi"] not in LOOKING_BACK]
    assert [unarchived[number] for number in plain] == [expected[number] for number in plain]
    assert unarchived != expected


def chance_of_mode(seed: int) -> str:
    return "drop" if seed % 2 else "archive"


def _day(fact: dict[str, Any]) -> str:
    local = datetime.fromisoformat(fact["occurred_at"]) + timedelta(hours=1)  # Warsaw, before 29 March; HORIZON below
    if local.isoformat()[:10] >= "2026-03-29":
        local += timedelta(hours=1)
    return str(fact.get("occurred_on", local.date().isoformat()))


def _figures(answer: dict[str, Any]) -> list[Any]:
    fields = ("kpi", "values", "statuses", "samples", "details", "total")
    return [[each[field] for field in fields] for each in answer["series"]]
