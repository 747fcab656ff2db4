"""Templates of goal sets over HTTP: kept, taken from the library, previewed, applied (K1, K2, G7)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.people import furnish
from tests.support import Api, World

TEMPLATE = {
    "key": "callers",
    "name": "Callers",
    "revenue_role": "sdr",
    "items": [
        {"name": "Calls", "kpi": "calls_made", "target": {"value": "9"}, "weight": "2"},
        {"name": "Fewer losses", "kpi": "deals_lost", "target": {"value": "5"}},
    ],
}
AUGUST = {"revenue_role": "sdr", "period": "2026-08"}
MONTHS = [f"2026-{month:02}" for month in range(1, 7)]


@pytest.fixture
async def callers(api: Api) -> Api:
    """Ana and Ben are sales development representatives, who call 10 to 15 times a month; Cid is none."""
    await define(api, "calls_made", "deals_lost")
    for place, name in enumerate(["Ana", "Ben", "Cid"]):
        member = await member_with_identity(api, name, str(place))
        role = "sdr" if name != "Cid" else "account_executive"
        await api.post(f"/members/{member}/assignments", {"revenue_role": role}, expect=201)
        for number, month in enumerate(MONTHS, 10):
            await post_events(api, happened("call.made", f"{month}-15T08:00:00Z", number, actor=str(place)))
    return api


async def kept(api: Api, **changes: Any) -> str:
    return str((await api.post("/goal-templates", TEMPLATE | changes, expect=201))["id"])


async def people(api: Api) -> dict[str, str]:
    return {member["name"]: member["id"] for member in (await api.get("/members"))["items"]}


async def test_a_template_is_kept_read_listed_changed_and_archived(callers: Api) -> None:
    api = callers
    path = f"/goal-templates/{await kept(api)}"
    found = await api.get(path)
    assert (found["key"], found["version"], [item["weight"] for item in found["items"]]) == ("callers", 1, ["2", "1"])
    changed = await api.patch(path, {"name": "Calling"}, headers={"If-Match": '"1"'})
    assert (changed["name"], changed["version"]) == ("Calling", 2)
    await api.patch(path, {"name": "Mine"}, expect=412, headers={"If-Match": '"1"'})
    assert (await api.get("/goal-templates", revenue_role="sdr"))["items"] == [changed]
    assert (await api.get("/goal-templates", revenue_role="ae"))["items"] == []
    taken = await api.post("/goal-templates", TEMPLATE, expect=409)
    assert taken["type"] == "/problems/goal-template-key-taken"
    await api.delete(path)
    assert (await api.get("/goal-templates"))["items"] == []
    assert len((await api.get("/goal-templates", is_archived=True))["items"]) == 1
    await api.patch(path, {"name": "Again"}, expect=409)
    await api.post(f"{path}/apply", AUGUST, expect=409)
    await api.post(f"{path}/preview", AUGUST, expect=409)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"key": "Not A Key"}, "/key"),
        ({"items": []}, "/items"),
        ({"items": [{"name": "x", "kpi": "calls_made", "target": {}}]}, "/items/0/target"),
        (
            {"items": [{"name": "x", "kpi": "calls_made", "target": {"value": "1", "realistic": True}}]},
            "/items/0/target",
        ),
        (
            {"items": [{"name": "x", "kpi": "calls_made", "target": {"realistic": False}}]},
            "/items/0/target/realistic",
        ),
        ({"items": [{"name": "x", "kpi": "calls_made", "target": {"value": "1e40"}}]}, "/items/0/target/value"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_template_that_makes_no_sense_is_refused(api: Api, change: dict[str, Any], pointer: str) -> None:
    problem = await api.post("/goal-templates", TEMPLATE | change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_a_preview_tells_each_goal_and_stores_none(callers: Api) -> None:
    api = callers
    path = f"/goal-templates/{await kept(api)}"
    told = await api.post(f"{path}/preview", AUGUST, expect=200)
    assert (told["start"], told["end"], told["counts"]) == ("2026-08-01", "2026-09-01", {"new": 4})
    rows = [(row["owner_name"], row["kpi"], row["target"]["value"]) for row in told["rows"]]
    assert rows == [
        ("Ana", "calls_made", "9"),
        ("Ana", "deals_lost", "5"),
        ("Ben", "calls_made", "9"),
        ("Ben", "deals_lost", "5"),
    ]
    assert told["rows"][0]["smart"]["achievable"] == "warn"  # all months had more
    assert told["rows"][1]["smart"]["achievable"] == "unknown"
    assert sum(told["verdicts"].values()) == 4
    assert (await api.get("/goals"))["items"] == []


async def test_applying_makes_all_goals(callers: Api) -> None:
    api = callers
    path = f"/goal-templates/{await kept(api)}"
    made = await api.post(f"{path}/apply", AUGUST | {"scale": "1.5", "reason": "Summer"}, expect=201)
    assert [goal["target"]["value"] for goal in made["goals"]] == ["14", "8", "14", "8"]
    assert [goal["weight"] for goal in made["goals"]] == ["2", "1", "2", "1"]
    assert len((await api.get("/goals"))["items"]) == 4
    problem = await api.post(f"{path}/apply", AUGUST, expect=409)
    assert problem["type"] == "/problems/goals-exist"
    told = await api.post(f"{path}/preview", AUGUST, expect=200)
    assert told["counts"] == {"exists": 4}
    more = {**AUGUST, "revenue_role": None, "members": list((await people(api)).values()), "skip_existing": True}
    again = await api.post(f"{path}/apply", more, expect=201)
    assert (len(again["goals"]), len(again["skipped"])) == (2, 4)


async def test_applying_twice_with_one_key_makes_goals_once(callers: Api) -> None:
    path = f"/goal-templates/{await kept(callers)}/apply"
    once = {"Idempotency-Key": "august-goals"}
    first = await callers.post(path, AUGUST, expect=201, headers=once)
    assert await callers.post(path, AUGUST, expect=201, headers=once) == first
    assert len((await callers.get("/goals"))["items"]) == 4


async def test_targets_come_from_each_owner_s_history(callers: Api) -> None:
    items = [
        {"name": "Calls", "kpi": "calls_made", "target": {"realistic": True}},
        {"name": "More calls", "kpi": "calls_made", "target": {"ambitious": True}},
    ]
    path = f"/goal-templates/{await kept(callers, items=items)}"
    told = await callers.post(f"{path}/preview", AUGUST, expect=200)
    days = [22, 20, 22, 22, 21, 22]
    values = sorted(number * 21 / of for number, of in zip(range(10, 16), days, strict=True))
    half = round(values[2] + 0.5 * (values[3] - values[2]))
    assert [row["target"]["value"] for row in told["rows"][:2]] == [str(half), str(round(values[4]))]
    assert told["rows"][0]["smart"]["achievable"] == "pass"


async def test_without_history_nothing_is_made_and_each_row_says_why(callers: Api) -> None:
    items = [TEMPLATE["items"][0], {"name": "x", "kpi": "deals_lost", "target": {"realistic": True}}]
    path = f"/goal-templates/{await kept(callers, items=items)}"
    told = await callers.post(f"{path}/preview", AUGUST, expect=200)
    assert told["counts"] == {"new": 2, "invalid": 2}
    assert told["rows"][1]["problems"][0]["pointer"] == "/items/1/target"
    problem = await callers.post(f"{path}/apply", AUGUST, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/items/1/target", "/items/1/target"]
    assert problem["errors"][0]["message"].startswith("Ana: ")
    assert (await callers.get("/goals"))["items"] == []


async def test_a_new_organization_writes_figures_where_history_gives_none(api: Api) -> None:
    sets = await api.post("/goal-template-library/install", {"keys": ["team_leader"]}, expect=200)
    path = f"/goal-templates/{sets['items'][0]['template_id']}"
    body: dict[str, Any] = {"organization": True, "period": "2026-Q4"}
    told = await api.post(f"{path}/preview", body, expect=200)
    assert told["counts"] == {"invalid": 5}
    assert {row["problems"][0]["message"].split()[-1] for row in told["rows"]} == {"value."}
    figures = {row["kpi"]: {"value": "0.9" if "rate" in row["kpi"] else "30"} for row in told["rows"]}
    told = await api.post(f"{path}/preview", body | {"targets": figures}, expect=200)
    assert told["counts"] == {"new": 5}
    assert {row["smart"]["achievable"] for row in told["rows"]} == {"unknown"}
    made = await api.post(f"{path}/apply", body | {"targets": figures}, expect=201)
    assert [goal["target"]["value"] for goal in made["goals"]] == ["30", "30", "30", "0.9", "30"]
    problem = await api.post(f"{path}/apply", body | {"targets": {"calls": {"value": "3"}}}, expect=422)
    assert problem["errors"][0]["pointer"] == "/targets/calls"


async def test_templates_are_of_whoever_sets_the_organization_s_goals(api: Api) -> None:
    """A member applies them to themselves, as proposals, and to nobody else."""
    house = await furnish(api)
    items = [TEMPLATE["items"][0]]
    ana = house.keys["Ana"]
    for body in (TEMPLATE, TEMPLATE | {"key": "others"}):
        refused = await ana.post("/goal-templates", body, expect=403)
        assert refused["type"] == "/problems/goal-not-yours"
    made = await house.manager.post("/goal-templates", TEMPLATE | {"items": items}, expect=201)
    path = f"/goal-templates/{made['id']}"
    await ana.patch(path, {"name": "Mine"}, expect=403)
    await ana.delete(path, expect=403)
    own = {"members": [house.ids["Ana"]], "period": "2026-08"}
    proposed = await ana.post(f"{path}/apply", own, expect=201)
    assert [goal["state"] for goal in proposed["goals"]] == ["proposed"]
    others = {"members": [house.ids["Ana"], house.ids["Eve"]], "period": "2026-09"}
    told = await ana.post(f"{path}/preview", others, expect=200)
    assert [row["outcome"] for row in told["rows"]] == ["new", "invalid"]
    await ana.post(f"{path}/apply", others, expect=403)
    lead = await house.keys["Lea"].post(f"{path}/apply", own | {"period": "2026-09"}, expect=201)
    assert [goal["state"] for goal in lead["goals"]] == ["scheduled"]
    assert len((await api.get("/goals"))["items"]) == 2


async def test_goals_of_the_organization_teams_and_their_members(callers: Api) -> None:
    api = callers
    ana = (await people(api))["Ana"]
    team = await api.post("/teams", {"name": "North"}, expect=201)
    await api.post(f"/teams/{team['id']}/memberships", {"member_id": ana}, expect=201)
    path = f"/goal-templates/{await kept(api)}/apply"
    body = {"organization": True, "teams": [team["id"]], "members_of": team["id"], "period": "2026-Q4"}
    made = await api.post(path, body, expect=201)
    owners = [goal["owner"]["type"] for goal in made["goals"]]
    assert owners == ["organization"] * 2 + ["team"] * 2 + ["member"] * 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"period": "2026-08"}, ""),
        ({"members": [str(uuid4())], "period": "2026-08"}, "/members/0"),
        ({"teams": [str(uuid4())], "period": "2026-08"}, "/teams/0"),
        ({"members_of": str(uuid4()), "period": "2026-08"}, "/members_of"),
        ({"revenue_role": "nobody", "period": "2026-08"}, ""),
        ({"organization": True, "period": "2026-13"}, "/period"),
        ({"organization": True, "period": "2026-08", "scale": "0"}, "/scale"),
        ({"organization": True, "period": "2026-08", "scale": "1e30"}, "/scale"),
        ({"organization": True, "period": "2026-08", "colour": "red"}, "/colour"),
    ],
)
async def test_for_whom_and_when_has_to_make_sense(callers: Api, body: dict[str, Any], pointer: str) -> None:
    path = f"/goal-templates/{await kept(callers)}"
    for verb in ("preview", "apply"):
        problem = await callers.post(f"{path}/{verb}", body, expect=422)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_a_kpi_that_is_not_there_is_told_in_its_row(callers: Api) -> None:
    items = [{"name": "x", "kpi": "nothing", "target": {"value": "1"}}]
    path = f"/goal-templates/{await kept(callers, items=items)}"
    told = await callers.post(f"{path}/preview", AUGUST, expect=200)
    assert told["rows"][0]["problems"][0]["code"] == "kpi_unknown"
    problem = await callers.post(f"{path}/apply", AUGUST, expect=422)
    assert problem["errors"][0]["pointer"] == "/items/0/kpi"


async def test_the_library_has_a_set_for_each_role_and_installs_its_kpis(api: Api) -> None:
    """K1, K2, G7."""
    sets = (await api.get("/goal-template-library"))["items"]
    assert [each["role"] for each in sets] == [
        "prospecting",
        "qualifying",
        "closing",
        "customer_success",
        "team_leader",
    ]
    by_key = {each["key"]: each for each in sets}
    assert {"calls_made", "meetings_held", "lead_value_generated"} == set(by_key["prospecting"]["kpis"])
    assert {"revenue_won", "new_customers", "revenue_existing_customers"} == set(by_key["closing"]["kpis"])
    leads = {"revenue_won", "active_customers", "new_customers", "customer_retention_rate", "coaching_sessions"}
    assert leads == set(by_key["team_leader"]["kpis"])
    body = {"keys": list(by_key), "kpi_state": "official"}
    first = await api.post("/goal-template-library/install", body, expect=200)
    assert {each["outcome"] for each in first["items"]} == {"installed"}
    assert {each["outcome"] for each in first["kpis"]} == {"installed"}
    again = await api.post("/goal-template-library/install", body, expect=200)
    assert {each["outcome"] for each in again["items"]} == {"exists"}
    assert [each["template_id"] for each in again["items"]] == [each["template_id"] for each in first["items"]]
    assert all(each["is_installed"] for each in (await api.get("/goal-template-library"))["items"])
    for each in first["items"]:
        told = await api.post(
            f"/goal-templates/{each['template_id']}/preview", {"organization": True, "period": "2026-08"}, expect=200
        )
        assert {problem["code"] for row in told["rows"] for problem in row["problems"]} == {"history_too_short"}
    problem = await api.post("/goal-template-library/install", {"keys": ["closin"]}, expect=422)
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["suggestion"]) == ("/keys/0", "closing")


async def test_templates_of_others_are_not_found(callers: Api, world: World) -> None:
    path = f"/goal-templates/{await kept(callers)}"
    stranger = await world.organization()
    await stranger.get(path, expect=404)
    await stranger.patch(path, {"name": "Mine"}, expect=404)
    await stranger.delete(path, expect=404)
    for verb in ("preview", "apply"):
        await stranger.post(f"{path}/{verb}", AUGUST, expect=404)
    assert (await stranger.get("/goal-templates"))["items"] == []
    reader = await callers.key("member", ["goals:read"])
    await reader.post(f"{path}/apply", AUGUST, expect=403)
