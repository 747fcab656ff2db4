"""Who may do what with whose goals: rules as data, by themselves and over HTTP."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.goals.policy import (
    DEFAULT_RULES,
    EVERYTHING,
    NOTHING,
    Caller,
    Place,
    Rule,
    allows,
    author_of,
    below,
    depends_on_place,
    may,
    standing,
)
from app.goals.policy_schemas import RuleInput
from tests.goals.facts import define
from tests.goals.people import SCOPES, House, furnish
from tests.support import Api, World

ANA, BO, LEA, MAX = (uuid4() for _ in range(4))
NORTH, EUROPE, SOUTH = (uuid4() for _ in range(3))
PLACES = [Place(EUROPE, LEA, is_lead=True), Place(NORTH, ANA, is_lead=False), Place(NORTH, BO, is_lead=False)]
PARENTS = {NORTH: EUROPE, EUROPE: None}
ALL = {"propose", "set", "approve", "lock"}
LEADS = {"propose", "set", "approve"}


def caller(member_id: UUID, role: str = "member") -> Caller:
    return standing(role, member_id, PLACES, PARENTS, {ANA: MAX})


@pytest.mark.parametrize(
    ("who", "kind", "owner", "rights"),
    [
        (Caller("admin"), "organization", None, ALL),
        (Caller("manager"), "organization", None, ALL),
        (Caller("manager"), "member", ANA, ALL),
        (Caller("member"), "organization", None, set()),
        (Caller("member"), "member", ANA, set()),
        (Caller("service"), "member", ANA, set()),
        (caller(ANA), "member", ANA, {"propose"}),
        (caller(ANA), "team", NORTH, {"propose"}),
        (caller(ANA), "team", EUROPE, set()),
        (caller(ANA), "member", BO, set()),
        (caller(LEA), "team", EUROPE, LEADS),
        (caller(LEA), "team", NORTH, LEADS),
        (caller(LEA), "team", SOUTH, set()),
        (caller(LEA), "member", ANA, LEADS),
        (caller(LEA), "member", LEA, {"propose"}),
        (caller(LEA), "organization", None, set()),
        (caller(MAX), "member", ANA, LEADS),
        (caller(MAX), "member", BO, set()),
        (caller(MAX), "team", NORTH, set()),
    ],
)
def test_by_default_managers_decide_all_leads_their_teams_and_members_propose(
    who: Caller, kind: Any, owner: UUID | None, rights: set[str]
) -> None:
    assert may(DEFAULT_RULES, who, kind, owner) == rights


def test_rules_add_up_and_nothing_else_is_allowed() -> None:
    rules: list[Rule] = [
        {"callers": ["member"], "owners": ["own"], "may": ["propose"]},
        {"callers": ["member"], "owners": ["any_member"], "may": ["lock"]},
    ]
    assert may(rules, caller(ANA), "member", ANA) == {"propose", "lock"}
    assert may(rules, caller(ANA), "member", BO) == {"lock"}
    assert may([], caller(ANA), "member", ANA) == NOTHING
    assert may([], Caller("admin"), "member", ANA) == EVERYTHING


def test_whoever_leads_a_team_is_a_lead_by_any_role() -> None:
    rules: list[Rule] = [{"callers": ["lead"], "owners": ["organization"], "may": ["propose"]}]
    assert may(rules, caller(LEA), "organization", None) == {"propose"}
    assert may(rules, caller(LEA, "manager"), "organization", None) == {"propose"}
    assert may(rules, caller(ANA), "organization", None) == NOTHING


def test_reports_are_indirect_ones_too_and_circles_end() -> None:
    managers = {ANA: BO, BO: MAX, MAX: ANA}
    assert standing("member", MAX, [], {}, managers).reports == {ANA, BO}
    assert below({NORTH: EUROPE, EUROPE: NORTH}, [NORTH]) == {NORTH, EUROPE}


@given(
    st.dictionaries(st.integers(0, 8), st.none() | st.integers(0, 8), max_size=9),
    st.sets(st.integers(0, 8), max_size=3),
)
def test_whatever_has_one_of_them_above_is_below(parents: dict[int, int | None], tops: set[int]) -> None:
    ids = [UUID(int=number) for number in range(9)]

    def has_top_above(number: int | None, steps: int = 0) -> bool:
        if number is None or steps > len(ids):
            return False
        return number in tops or has_top_above(parents.get(number), steps + 1)

    known = {ids[child]: None if parent is None else ids[parent] for child, parent in parents.items()}
    assert below(known, (ids[top] for top in tops)) == {ids[each] for each in range(9) if has_top_above(each)}


def test_where_somebody_stands_is_looked_for_only_where_a_rule_asks() -> None:
    impersonal: list[Rule] = [{"callers": ["manager"], "owners": ["any_member"], "may": ["set"]}]
    assert not depends_on_place(impersonal, "manager")
    assert not depends_on_place([*impersonal, {"callers": ["member"], "owners": ["own"], "may": ["set"]}], "manager")
    assert depends_on_place(DEFAULT_RULES, "member")
    assert depends_on_place([{"callers": ["lead"], "owners": ["organization"], "may": ["set"]}], "manager")


@pytest.mark.parametrize(
    ("action", "rights", "stored", "author", "is_allowed"),
    [
        ("edit", {"set"}, "open", "other", True),
        ("edit", {"propose"}, "open", "caller", False),
        ("edit", {"propose"}, "proposed", "caller", True),
        ("set_target", {"propose"}, "draft", "caller", True),
        ("edit", {"propose"}, "proposed", "other", False),
        ("edit", {"propose"}, "proposed", "unknown", False),
        ("propose", {"propose"}, "draft", "caller", True),
        ("propose", set(), "draft", "caller", False),
        ("withdraw", set(), "proposed", "caller", True),
        ("withdraw", {"approve"}, "proposed", "other", False),
        ("cancel", set(), "draft", "caller", True),
        ("cancel", {"propose"}, "open", "caller", False),
        ("open", {"propose"}, "draft", "caller", False),
        ("approve", {"approve"}, "proposed", "other", True),
        ("approve", {"approve"}, "proposed", "caller", False),
        ("approve", {"approve"}, "proposed", "unknown", False),
        ("approve", {"approve", "set"}, "proposed", "caller", True),
        ("approve", {"set"}, "proposed", "other", False),
        ("decline", {"approve"}, "proposed", "other", True),
        ("lock", {"set"}, "open", "other", False),
        ("unlock", {"lock"}, "open", "other", True),
        ("close", {"lock"}, "open", "other", False),
    ],
)
def test_what_rights_allow_depends_on_the_state_and_the_author(
    action: Any, rights: set[Any], stored: Any, author: Any, is_allowed: bool
) -> None:
    assert allows(action, frozenset(rights), stored, author) is is_allowed


def test_an_author_is_a_member() -> None:
    assert author_of(None, None) == "unknown"
    assert author_of(ANA, ANA) == "caller"
    assert author_of(ANA, None) == "other"


@pytest.mark.parametrize(
    "change", [{"callers": []}, {"callers": ["boss"]}, {"may": ["delete"]}, {"owners": []}, {"a": 1}]
)
def test_a_rule_in_other_words_is_refused(change: dict[str, Any]) -> None:
    rule = {"callers": ["lead"], "owners": ["led_teams"], "may": ["set"]}
    assert RuleInput.model_validate(rule).model_dump() == rule
    with pytest.raises(ValidationError):
        RuleInput.model_validate(rule | change)


@pytest.fixture
async def house(api: Api) -> House:
    return await furnish(api)


@pytest.mark.parametrize(
    ("who", "owner", "status"),
    [
        ("Ana", None, 403),
        ("Ana", "Bo", 403),
        ("Ana", "Europe", 403),
        ("Lea", "Europe", 201),
        ("Lea", "North", 201),
        ("Lea", "South", 403),
        ("Lea", "Ana", 201),
        ("Lea", None, 403),
        ("Max", "Ana", 201),
        ("Max", "Bo", 403),
        ("Eve", "North", 403),
    ],
)
async def test_goals_are_set_by_whom_the_rules_let(house: House, who: str, owner: str | None, status: int) -> None:
    goal = await house.keys[who].post("/goals", house.goal(owner, state="open"), expect=status)
    if status == 201:
        assert goal["state"] == "active"
    else:
        assert goal["type"] == "/problems/goal-not-yours"
        assert (await house.admin.get("/goals"))["items"] == []


async def test_a_lead_only_proposes_goals_of_their_own(house: House) -> None:
    refused = await house.keys["Lea"].post("/goals", house.goal("Lea", state="open"), expect=403)
    assert refused["errors"][0]["pointer"] == "/state"
    assert "write the state proposed" in refused["detail"]
    goal = await house.keys["Lea"].post("/goals", house.goal("Lea"), expect=201)
    assert (goal["state"], goal["proposer_id"]) == ("proposed", house.ids["Lea"])


async def test_managers_set_all_goals_by_their_role_alone(house: House) -> None:
    for owner in (None, "Europe", "Ana"):
        assert (await house.manager.post("/goals", house.goal(owner), expect=201))["state"] == "active"


async def test_a_key_of_the_role_member_that_stands_for_nobody_changes_nothing(house: House) -> None:
    nobody = await house.admin.key("member", SCOPES)
    for owner in (None, "Ana", "North"):
        await nobody.post("/goals", house.goal(owner, state="proposed"), expect=403)
    goal = await house.admin.post("/goals", house.goal("Ana"), expect=201)
    assert (await nobody.get(f"/goals/{goal['id']}"))["available_actions"] == []


async def test_every_use_case_that_changes_a_goal_asks(house: House) -> None:
    goal = await house.admin.post("/goals", house.goal("Ana"), expect=201)
    path, ana = f"/goals/{goal['id']}", house.keys["Ana"]
    for call in (
        ana.call("PATCH", path, {"name": "Mine"}),
        ana.call("PATCH", path, {"state": "cancelled"}),
        ana.call("PATCH", path, {"weight": "2"}),
        ana.call("DELETE", path),
        ana.call("POST", f"{path}/targets", {"target": {"value": "1"}, "reason": "Easier."}),
        ana.call("POST", f"{path}/lock", {"reason": "Mine."}),
    ):
        response = await call
        assert response.status_code == 403, response.text
        assert "may" in response.json()["detail"]
    for nothing in ({}, {"state": "open"}):
        assert (await ana.patch(path, nothing))["version"] == goal["version"]
    await house.admin.set_clock("2026-08-10T10:00:00Z")
    await ana.post(f"{path}/close", expect=403)
    assert await house.admin.get(path) == goal | {
        "available_actions": ["edit", "set_target", "lock", "cancel", "close"]
    }


async def test_available_actions_are_the_callers_own(house: House) -> None:
    goal = await house.admin.post("/goals", house.goal("Ana"), expect=201)

    async def actions(api: Api) -> list[str]:
        one = await api.get(f"/goals/{goal['id']}")
        assert (await api.get("/goals"))["items"] == [one]
        return list(one["available_actions"])

    assert await actions(house.admin) == ["edit", "set_target", "lock", "cancel"]
    assert await actions(house.manager) == ["edit", "set_target", "lock", "cancel"]
    assert await actions(house.keys["Lea"]) == ["edit", "set_target", "cancel"]
    assert await actions(house.keys["Max"]) == ["edit", "set_target", "cancel"]
    assert await actions(house.keys["Ana"]) == []
    assert await actions(house.keys["Eve"]) == []


async def test_where_somebody_stands_is_that_of_the_organizations_day(house: House) -> None:
    """Who leads from August on decides in August."""
    ids, bo = house.ids, house.keys["Bo"]
    body = {"member_id": ids["Bo"], "kind": "lead", "valid_from": "2026-08-01"}
    await house.admin.post(f"/teams/{ids['South']}/memberships", body, expect=201)
    await bo.post("/goals", house.goal("South", state="open"), expect=403)
    await house.admin.set_clock(f"{date(2026, 8, 3)}T08:00:00Z")
    await bo.post("/goals", house.goal("South", state="open"), expect=201)


async def test_a_lead_who_leaves_the_lead_decides_no_more(house: House) -> None:
    ids, lea = house.ids, house.keys["Lea"]
    goal = await lea.post("/goals", house.goal("North"), expect=201)
    (membership,) = (await house.admin.get(f"/teams/{ids['Europe']}/memberships"))["items"]
    await house.admin.patch(f"/teams/{ids['Europe']}/memberships/{membership['id']}", {"kind": "member"})
    assert (await lea.get(f"/goals/{goal['id']}"))["available_actions"] == []
    await lea.patch(f"/goals/{goal['id']}", {"name": "Mine"}, expect=403)


async def test_the_lead_of_an_archived_team_decides_no_more(house: House) -> None:
    goal = await house.keys["Lea"].post("/goals", house.goal("Ana"), expect=201)
    assert goal["state"] == "active"
    await house.admin.delete(f"/teams/{house.ids['Europe']}")
    assert (await house.keys["Lea"].get(f"/goals/{goal['id']}"))["available_actions"] == []


async def test_the_organization_writes_its_own_rules(house: House) -> None:
    rules = [
        {"callers": ["member"], "owners": ["own"], "may": ["set"]},
        {"callers": ["manager"], "owners": ["any_team"], "may": ["propose"]},
    ]
    await house.admin.put("/goal-settings", {"rules": rules})
    assert (await house.keys["Ana"].post("/goals", house.goal("Ana"), expect=201))["state"] == "active"
    await house.manager.post("/goals", house.goal("Ana"), expect=403)
    assert (await house.manager.post("/goals", house.goal("North"), expect=201))["state"] == "proposed"
    assert (await house.admin.post("/goals", house.goal(), expect=201))["state"] == "active"
    await house.admin.put("/goal-settings", {"rules": []})
    await house.manager.post("/goals", house.goal(), expect=403)
    await house.admin.post("/goals", house.goal(), expect=201)
    await house.admin.put("/goal-settings", {})
    await house.manager.post("/goals", house.goal(), expect=201)


async def test_only_admins_write_rules(house: House) -> None:
    for who in (house.manager, house.keys["Lea"]):
        await who.put("/goal-settings", {"rules": []}, expect=403)
    problem = await house.admin.put(
        "/goal-settings", {"rules": [{"callers": ["boss"], "owners": [], "may": []}]}, expect=422
    )
    assert [error["pointer"] for error in problem["errors"]] == [
        "/rules/0/callers/0",
        "/rules/0/owners",
        "/rules/0/may",
    ]


async def test_goals_of_another_organization_are_not_there(house: House, world: World) -> None:
    other = await world.organization()
    await define(other, "calls_made")
    goal = await other.post(
        "/goals", house.goal() | {"owner": {"type": "organization"}, "state": "proposed"}, expect=201
    )
    for action, body in (
        ("approve", None),
        ("withdraw", None),
        ("propose", None),
        ("decline", {"reason": "No."}),
        ("lock", {"reason": "No."}),
        ("unlock", {"reason": "No."}),
        ("notes", {"text": "Ours?"}),
    ):
        assert (await house.admin.post(f"/goals/{goal['id']}/{action}", body, expect=404))["status"] == 404
    for part in ("decisions", "notes"):
        await house.admin.get(f"/goals/{goal['id']}/{part}", expect=404)
