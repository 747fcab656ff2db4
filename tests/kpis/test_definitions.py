"""KPI definitions over HTTP: storing, changing, versions, validation."""

import asyncio
from datetime import date, datetime
from typing import Any

import pytest

from app.kpis import service
from app.kpis.history import KpiHistory
from tests.support import Api, World

WIN_RATE: dict[str, Any] = {
    "key": "win_rate_closed",
    "name": "Win rate of closed deals",
    "category": "sales_results",
    "indicator": "lagging",
    "direction": "increase",
    "unit": {"kind": "ratio"},
    "measures": {
        "won": {"aggregate": "count", "events": ["deal.won"]},
        "lost": {"aggregate": "count", "events": ["deal.lost"], "where": "not (properties.channel == 'partner')"},
    },
    "formula": "won / (won + lost)",
}
DEFINITION = {name: WIN_RATE[name] for name in ("direction", "unit", "measures", "formula")}
RESPONSE = {
    "aggregate": "share_within",
    "within": "PT5M",
    "elapsed": {
        "from": {"events": ["lead.created"]},
        "to": {"events": ["call.made", "email.sent"], "where": "not (properties.automated == true)"},
        "match": "lead",
    },
}


def changed(**fields: Any) -> dict[str, Any]:
    return WIN_RATE | fields


async def history(api: Api, key: str, known_at: str) -> KpiHistory:
    async with api.world.database.read(api.org_id) as session:
        return (await service.load_kpis(session, api.org_id, [key], datetime.fromisoformat(known_at)))[key]


async def test_a_kpi_is_defined_and_read_back(api: Api) -> None:
    made = await api.post("/kpis", WIN_RATE, expect=201)
    assert made["state"] == "draft"
    assert made["definition_version"] == 1
    assert made["valid_from"] is None
    assert made["is_additive"] is False
    assert made["unit"] == {"kind": "ratio", "per": None}
    assert made["display"] == {"decimals": 1, "as_percent": True}
    assert made["measures"]["lost"]["where"] == "not (properties.channel == 'partner')"
    assert made["created_at"].startswith("2026-07-13T10:00:00")
    assert await api.get("/kpis/win_rate_closed") == made


async def test_an_elapsed_measure_is_read_back_as_it_was_written(api: Api) -> None:
    made = await api.post("/kpis", changed(key="fast", measures={"s": RESPONSE}, formula="s"), expect=201)
    measure = made["measures"]["s"]
    assert measure["elapsed"]["from"] == {"events": ["lead.created"], "where": None}
    assert measure["elapsed"]["to"]["where"] == "not (properties.automated == true)"
    assert (measure["within"], measure["elapsed"]["credited_to"]) == ("PT5M", "end")
    body = {name: made[name] for name in ("measures", "formula", "unit", "direction")}
    assert (await api.post("/kpis/fast/versions", body, expect=201))["measures"] == made["measures"]


async def test_a_key_is_taken_once_and_words_of_paths_are_reserved(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    problem = await api.post("/kpis", WIN_RATE, expect=409)
    assert problem["type"] == "/problems/kpi-key-taken"
    for key in ("validate", "Won", "1st", "", "a" * 51, "a-b", "a\n", "a\0"):
        problem = await api.post("/kpis", changed(key=key), expect=422)
        assert problem["errors"][0]["pointer"] == "/key"


async def test_kpis_are_listed_by_key_page_by_page(api: Api) -> None:
    for key in ("c", "a", "b"):
        await api.post("/kpis", changed(key=key), expect=201)
    await api.post("/kpis", changed(key="d", category="coaching"), expect=201)
    await api.delete("/kpis/d")
    first = await api.get("/kpis", limit=2)
    rest = await api.get("/kpis", limit=2, cursor=first["next_cursor"])
    assert [kpi["key"] for kpi in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None
    assert [kpi["key"] for kpi in (await api.get("/kpis", state="archived"))["items"]] == ["d"]
    assert (await api.get("/kpis", category="coaching"))["items"] == []
    await api.get("/kpis", expect=422, cursor=first["next_cursor"], state="draft")


async def test_descriptive_fields_change_without_a_new_version(api: Api) -> None:
    made = await api.call("POST", "/kpis", WIN_RATE, expect=201)
    answer = await api.call(
        "PATCH",
        "/kpis/win_rate_closed",
        {"name": "Win rate", "description": "Of closed deals.", "state": "official", "thresholds": {"good": "0.3"}},
        headers={"If-Match": made.headers["etag"]},
        expect=200,
    )
    changed_kpi = answer.json()
    assert (changed_kpi["name"], changed_kpi["state"], changed_kpi["definition_version"]) == ("Win rate", "official", 1)
    assert changed_kpi["thresholds"] == {"good": 0.3, "poor": None}
    await api.patch("/kpis/win_rate_closed", {"name": "x"}, headers={"If-Match": made.headers["etag"]}, expect=412)
    cleared = await api.patch("/kpis/win_rate_closed", {"description": None, "thresholds": None, "display": None})
    assert (cleared["description"], cleared["thresholds"]["good"], cleared["name"]) == (None, None, "Win rate")
    assert cleared["display"] == {"decimals": 1, "as_percent": True}


async def test_what_a_kpi_computes_does_not_change_by_patch(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    for field in ("formula", "measures", "unit", "direction", "key", "version"):
        problem = await api.patch("/kpis/win_rate_closed", {field: WIN_RATE.get(field)}, expect=422)
        assert problem["errors"][0]["pointer"] == f"/{field}"
    await api.patch("/kpis/win_rate_closed", {"name": None}, expect=422)
    await api.patch("/kpis/win_rate_closed", {"state": "archived"}, expect=422)
    await api.patch("/kpis/win_rate_closed", {"thresholds": {"good": 1, "poor": 2}}, expect=422)


async def test_an_archived_kpi_stays_readable_and_comes_back_with_a_state(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    await api.delete("/kpis/win_rate_closed")
    await api.delete("/kpis/win_rate_closed")
    assert (await api.get("/kpis/win_rate_closed"))["state"] == "archived"
    assert (await history(api, "win_rate_closed", "2026-08-01T00:00:00Z")).versions
    await api.post("/kpis", WIN_RATE, expect=409)
    await api.post("/kpis/win_rate_closed/versions", DEFINITION, expect=409)
    await api.patch("/kpis/win_rate_closed", {"state": "draft"})
    await api.post("/kpis/win_rate_closed/versions", DEFINITION, expect=201)


async def test_version_1_holds_for_all_time_and_a_later_number_wins_from_its_day_on(api: Api) -> None:
    """S24."""
    await api.post("/kpis", WIN_RATE, expect=201)
    second = await api.post("/kpis/win_rate_closed/versions", DEFINITION | {"formula": "won / lost"}, expect=201)
    assert (second["number"], second["valid_from"]) == (2, "2026-07-13")
    await api.set_clock("2026-07-14T00:00:00Z")
    future = DEFINITION | {"formula": "lost / won", "valid_from": "2026-09-01"}
    await api.post("/kpis/win_rate_closed/versions", future, expect=201)
    known = await history(api, "win_rate_closed", "2026-07-20T00:00:00Z")
    days = {date(1999, 1, 1): 1, date(2026, 7, 12): 1, date(2026, 7, 13): 2, date(2026, 8, 31): 2, date(2026, 9, 1): 3}
    assert {day: known.version_on(day).number for day in days} == days
    listed = await api.get("/kpis/win_rate_closed/versions")
    assert [(v["number"], v["valid_from"]) for v in listed["items"]] == [
        (3, "2026-09-01"),
        (2, "2026-07-13"),
        (1, None),
    ]
    latest = await api.get("/kpis/win_rate_closed")
    assert (latest["definition_version"], latest["formula"], latest["version"]) == (3, "lost / won", 3)


async def test_a_restatement_holds_for_all_days_but_not_as_known_before_it(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    await api.set_clock("2026-07-20T00:00:00Z")
    await api.post("/kpis/win_rate_closed/versions", DEFINITION | {"valid_from": None}, expect=201)
    now = await history(api, "win_rate_closed", "2026-07-21T00:00:00Z")
    before = await history(api, "win_rate_closed", "2026-07-19T00:00:00Z")
    assert now.version_on(date(2026, 1, 1)).number == 2
    assert before.version_on(date(2026, 7, 30)).number == 1
    assert now.numbered(3) is None


async def test_before_it_was_recorded_a_kpi_has_no_versions_and_an_unknown_key_is_told(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    known = await history(api, "win_rate_closed", "2026-07-01T00:00:00Z")
    assert known.versions == ()
    with pytest.raises(LookupError):
        known.version_on(date(2026, 7, 1))
    with pytest.raises(service.UnknownKpi) as caught:
        await history(api, "win_rate", "2026-07-20T00:00:00Z")
    assert caught.value.key == "win_rate"


async def test_today_is_the_organizations_own(world: World) -> None:
    api = await world.organization(time_zone="Pacific/Auckland", now=datetime.fromisoformat("2026-07-13T13:00:00Z"))
    await api.post("/kpis", WIN_RATE, expect=201)
    made = await api.post("/kpis/win_rate_closed/versions", DEFINITION, expect=201)
    assert made["valid_from"] == "2026-07-14"


async def test_versions_written_at_the_same_time_get_numbers_of_their_own(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    path = "/kpis/win_rate_closed/versions"
    made = await asyncio.gather(*[api.post(path, DEFINITION, expect=201) for _ in range(4)])
    assert sorted(version["number"] for version in made) == [2, 3, 4, 5]
    assert len({version["recorded_at"] for version in made}) == 4
    await api.post(path, DEFINITION, headers={"If-Match": '"1"'}, expect=412)


async def test_a_definition_that_cannot_be_computed_is_refused_with_every_place(api: Api) -> None:
    measures = WIN_RATE["measures"] | {"lost": {"aggregate": "sum", "events": ["deal.lost"], "where": "amonut > 1"}}
    body = changed(measures=measures, formula="won / (won + lots)")
    problem = await api.post("/kpis", body, expect=422)
    assert problem["type"] == "/problems/kpi-definition-invalid"
    errors = {error["pointer"]: error for error in problem["errors"]}
    assert set(errors) == {"/measures/lost/value", "/measures/lost/where", "/formula"}
    assert errors["/formula"] == {
        "pointer": "/formula",
        "message": "There is no measure `lots`. Expected: one of won, lost.",
        "code": "expression_invalid",
        "position": 13,
        "length": 4,
        "suggestion": "lost",
    }
    assert (await api.get("/kpis"))["items"] == []
    await api.post("/kpis", WIN_RATE, expect=201)
    await api.post("/kpis/win_rate_closed/versions", DEFINITION | {"formula": "won +"}, expect=422)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"measures": {}}, "/formula"),
        ({"measures": {}, "formula": "1", "unit": {"kind": "number"}}, "/measures"),
        ({"measures": {"won": {"aggregate": "mode", "events": ["deal.won"]}}}, "/measures/won/aggregate"),
        ({"measures": {"won": {"aggregate": "count", "events": ["won"]}}}, "/measures/won/events/0"),
        ({"measures": {"won": {"aggregate": "count", "events": []}}}, "/measures/won/events"),
        ({"measures": {"won": {"aggregate": "count", "event": ["deal.won"]}}}, "/measures/won/event"),
        ({"measures": {f"m{n}": WIN_RATE["measures"]["won"] for n in range(21)}}, "/measures"),
        ({"measures": {"a/b": WIN_RATE["measures"]["won"]}, "formula": "1"}, "/measures/a~1b"),
        ({"measures": {"a\0": WIN_RATE["measures"]["won"]}, "formula": "1"}, "/measures/a\0"),
        ({"formula": "won\0"}, "/formula"),
        ({"formula": "(" * 1999}, "/formula"),
        ({"formula": "1" * 2001}, "/formula"),
        ({"unit": {"kind": "miles"}}, "/unit/kind"),
        ({"unit": {"kind": "money"}}, "/unit"),
        ({"name": "a\0"}, "/name"),
        ({"name": ""}, "/name"),
        ({"category": "sales"}, "/category"),
        ({"display": {"decimals": 11}}, "/display/decimals"),
        ({"thresholds": {"good": "NaN"}}, "/thresholds/good"),
        ({"thresholds": {"good": "1e999999"}}, "/thresholds/good"),
        ({"measures": {"won": WIN_RATE["measures"]["won"] | {"p": "1e-999999"}}}, "/measures/won/p"),
        ({"owner_id": "x"}, "/owner_id"),
    ],
)
async def test_a_bad_field_is_named(api: Api, change: dict[str, Any], pointer: str) -> None:
    problem = await api.post("/kpis", changed(**change), expect=422)
    assert problem["errors"][0]["pointer"] == pointer


async def test_validation_tells_unit_and_additivity_and_stores_nothing(api: Api) -> None:
    draft = {name: DEFINITION[name] for name in ("measures", "formula")}
    told = await api.post("/kpis/validate", draft, expect=200)
    assert (told["ok"], told["unit"], told["is_additive"], told["errors"]) == (True, "a ratio", False, [])
    told = await api.post("/kpis/validate", DEFINITION | {"formula": "won + 2 * lost", "unit": {"kind": "count"}})
    assert (told["unit"], told["is_additive"]) == ("a count", True)
    assert (await api.get("/kpis"))["items"] == []


async def test_validation_tells_every_error_with_its_place(api: Api) -> None:
    revenue = {"aggregate": "sum", "events": ["deal.won"], "value": "amount"}
    measures = {"deals_won": {"aggregate": "count", "events": ["deal.won"]}, "revenue": revenue}
    told = await api.post("/kpis/validate", {"measures": measures, "formula": "deals_won + revenue"}, expect=200)
    assert told["ok"] is False
    assert told["is_additive"] is None
    assert told["errors"] == [
        {
            "pointer": "/formula",
            "message": "Deals won is a count and revenue is money: they cannot be added.",
            "position": 0,
            "length": 19,
            "expected": None,
            "suggestion": None,
        }
    ]
    told = await api.post("/kpis/validate", {"measures": measures, "formula": "revenue", "unit": {"kind": "count"}})
    assert told["errors"][0]["pointer"] == "/unit"


async def test_validation_tells_how_many_recent_events_lack_a_property(api: Api) -> None:
    """S13."""
    events = [
        {"external_id": f"e{n}", "type": "deal.won", "occurred_at": at, "properties": properties}
        for n, (at, properties) in enumerate(
            [
                ("2026-07-01T08:00:00Z", {"channel": "partner"}),
                ("2026-07-02T08:00:00Z", {"channel": "web", "size": 3}),
                ("2026-07-03T08:00:00Z", {}),
                ("2026-01-03T08:00:00Z", {}),
                ("2026-08-03T08:00:00Z", {}),
            ]
        )
    ]
    await api.post("/events/batch", {"events": events})
    won = {"aggregate": "sum", "value": "properties.size", "events": ["deal.won"], "where": "properties.channel == 'x'"}
    told = await api.post("/kpis/validate", {"measures": {"won": won, "t": RESPONSE}, "formula": "won"}, expect=200)
    assert told["recent"] == [
        {
            "pointer": "/measures/won",
            "events": 3,
            "properties": [{"key": "channel", "missing": 1}, {"key": "size", "missing": 2}],
        },
        {"pointer": "/measures/t/elapsed/from", "events": 0, "properties": []},
        {"pointer": "/measures/t/elapsed/to", "events": 0, "properties": [{"key": "automated", "missing": 0}]},
    ]


async def test_another_organizations_kpi_is_not_found(api: Api, world: World) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    stranger = await world.organization()
    await stranger.get("/kpis/win_rate_closed", expect=404)
    await stranger.patch("/kpis/win_rate_closed", {"name": "x"}, expect=404)
    await stranger.delete("/kpis/win_rate_closed", expect=404)
    await stranger.get("/kpis/win_rate_closed/versions", expect=404)
    await stranger.post("/kpis/win_rate_closed/versions", DEFINITION, expect=404)
    await stranger.post("/kpis", WIN_RATE, expect=201)


async def test_reading_needs_one_scope_and_defining_another(api: Api) -> None:
    reader = await api.key("member", ["kpis:read"])
    await reader.get("/kpis")
    await reader.post("/kpis/validate", DEFINITION, expect=200)
    await reader.post("/kpis", WIN_RATE, expect=403)
    outsider = await api.key("service", ["events:write"])
    await outsider.get("/kpis", expect=403)


async def test_a_repeated_request_with_the_same_key_defines_once(api: Api) -> None:
    options = {"headers": {"Idempotency-Key": "k"}}
    first = await api.post("/kpis", WIN_RATE, expect=201, **options)
    assert await api.post("/kpis", WIN_RATE, expect=201, **options) == first


async def test_an_owner_is_a_member_of_the_organization(api: Api) -> None:
    problem = await api.post("/kpis", changed(owner_id="01985e2c-0000-7000-8000-000000000000"), expect=422)
    assert problem["type"] == "/problems/kpi-owner-unknown"
    await api.post("/kpis", WIN_RATE, expect=201)
    owner = {"owner_id": "01985e2c-0000-7000-8000-000000000000"}
    await api.patch("/kpis/win_rate_closed", owner, expect=422)


async def test_a_key_in_a_path_that_can_be_none_is_refused(api: Api) -> None:
    await api.get("/kpis/Nope", expect=422)
    await api.get("/kpis/%00", expect=422)
    await api.get("/kpis/nope", expect=404)


async def test_a_type_that_nobody_has_heard_of_is_warned_of(api: Api) -> None:
    await api.post("/events", {"external_id": "1", "type": "demo.given", "occurred_at": "2026-07-01T08:00:00Z"})
    measures = {"x": {"aggregate": "count", "events": ["deal.wonn", "deal.lost", "demo.given"]}}
    answer = await api.post("/kpis/validate", {"measures": measures, "formula": "x"}, expect=200)
    assert answer["ok"]
    assert [(each["pointer"], each["suggestion"]) for each in answer["warnings"]] == [
        ("/measures/x/events", "deal.won")
    ]


async def test_an_owner_who_is_no_member_is_told_with_the_place(api: Api) -> None:
    kpi = {
        "key": "calls", "name": "Calls", "category": "team_performance", "indicator": "leading",
        "direction": "increase", "unit": {"kind": "count"}, "formula": "made",
        "measures": {"made": {"aggregate": "count", "events": ["call.made"]}},
        "owner_id": "01980a9e-0000-7000-8000-000000000000",
    }  # fmt: skip
    problem = await api.post("/kpis", kpi, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/owner_id"]
