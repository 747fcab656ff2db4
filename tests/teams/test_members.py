"""Members: their lists, their teams now, their assignments."""

from tests.support import Api, World
from tests.teams.support import NOBODY, member, team


async def test_a_member_is_made_read_changed_and_archived(api: Api) -> None:
    made = await api.post("/members", {"name": "  Ada Nowak ", "email": "ada@example.com"}, expect=201)
    assert (made["name"], made["email"], made["version"], made["teams"]) == ("Ada Nowak", "ada@example.com", 1, [])
    assert made["recorded_at"].startswith("2026-07-13T10:00:00")
    path = f"/members/{made['id']}"
    assert await api.get(path) == made
    changed = await api.patch(path, {"email": None})
    assert (changed["name"], changed["email"], changed["version"]) == ("Ada Nowak", None, 2)
    await api.delete(path)
    await api.delete(path)
    assert (await api.get(path))["archived_at"] == "2026-07-13T10:00:00Z"
    assert (await api.get("/members"))["items"] == []
    assert [row["id"] for row in (await api.get("/members", is_archived=True))["items"]] == [made["id"]]
    assert (await api.patch(path, {"is_archived": False}))["archived_at"] is None
    assert len((await api.get("/members"))["items"]) == 1


async def test_a_change_that_changes_nothing_is_no_new_version(api: Api) -> None:
    path = f"/members/{await member(api)}"
    assert (await api.patch(path, {}))["version"] == 1
    assert (await api.patch(path, {"name": "Ada Nowak"}))["version"] == 1


async def test_if_match_guards_the_version_and_not_the_present_teams(api: Api) -> None:
    member_id, team_id = await member(api), await team(api)
    path = f"/members/{member_id}"
    etag = (await api.call("GET", path, expect=200)).headers["etag"]
    await api.call("GET", path, headers={"If-None-Match": etag}, expect=304)
    await api.post(f"/teams/{team_id}/memberships", {"member_id": member_id}, expect=201)
    answer = await api.call("GET", path, headers={"If-None-Match": etag}, expect=200)
    assert [row["name"] for row in answer.json()["teams"]] == ["North"]
    await api.patch(path, {"name": "Ada"}, headers={"If-Match": etag})
    await api.patch(path, {"name": "Bo"}, headers={"If-Match": etag}, expect=412)
    await api.delete(path, headers={"If-Match": '"1"'}, expect=412)
    await api.delete(path, headers={"If-Match": '"2"'})


async def test_a_members_teams_are_those_of_the_organizations_present_day(api: Api) -> None:
    member_id, north, south = await member(api), await team(api, "North"), await team(api, "South")
    await api.post(f"/teams/{north}/memberships", {"member_id": member_id, "valid_to": "2026-07-14"}, expect=201)
    body = {"member_id": member_id, "kind": "lead", "valid_from": "2026-07-14"}
    await api.post(f"/teams/{south}/memberships", body, expect=201)
    assert (await api.get(f"/members/{member_id}"))["teams"] == [{"id": north, "name": "North", "kind": "member"}]
    await api.set_clock("2026-07-13T22:00:00Z")  # midnight in Warsaw
    assert (await api.get(f"/members/{member_id}"))["teams"] == [{"id": south, "name": "South", "kind": "lead"}]
    assert [row["id"] for row in (await api.get("/members", team_id=south))["items"]] == [member_id]
    assert (await api.get("/members", team_id=south, on="2026-07-13"))["items"] == []


async def test_members_are_found_by_the_beginning_of_their_name(api: Api) -> None:
    for name in ("Łucja Zima", "Lena", "lea", "50% Bo", "Ana"):
        await member(api, name)
    assert [row["name"] for row in (await api.get("/members", name="łUC"))["items"]] == ["Łucja Zima"]
    assert [row["name"] for row in (await api.get("/members", name="LE"))["items"]] == ["Lena", "lea"]
    assert [row["name"] for row in (await api.get("/members", name="%"))["items"]] == []
    first = await api.get("/members", limit=2)
    assert [row["name"] for row in first["items"]] == ["50% Bo", "Ana"]
    following = await api.get("/members", limit=2, cursor=first["next_cursor"])
    assert [row["name"] for row in following["items"]] == ["Lena", "lea"]


async def test_bad_members_are_refused_at_their_place(api: Api) -> None:
    for body, pointer in (
        ({}, "/name"),
        ({"name": " "}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a\x00"}, "/name"),
        ({"name": "A", "email": "nowhere"}, "/email"),
        ({"name": "A", "role": "x"}, "/role"),
    ):
        problem = await api.post("/members", body, expect=422)
        assert problem["errors"][0]["pointer"] == pointer, body
    assert (await api.get("/members", expect=422, on="2026-02-30"))["errors"][0]["pointer"] == "?on"
    assert (await api.get("/members", team_id=NOBODY))["items"] == []
    assert (await api.get("/members"))["items"] == []


async def test_another_organizations_member_is_not_found(api: Api, world: World) -> None:
    theirs = await member(await world.organization())
    for method, path, body in (
        ("GET", f"/members/{theirs}", None),
        ("PATCH", f"/members/{theirs}", {"name": "Mine"}),
        ("DELETE", f"/members/{theirs}", None),
        ("GET", f"/members/{theirs}/assignments", None),
        ("POST", f"/members/{theirs}/assignments", {}),
    ):
        answer = await api.call(method, path, body, expect=404)
        assert answer.json()["type"] == "/problems/member-not-found"


async def test_writing_needs_its_permission(api: Api) -> None:
    reader = await api.key("member", ["teams:read"])
    await reader.get("/members")
    await reader.post("/members", {"name": "A"}, expect=403)


async def test_an_assignment_holds_for_its_days_and_one_at_a_time(api: Api) -> None:
    member_id, boss = await member(api), await member(api, "Bo")
    path = f"/members/{member_id}/assignments"
    first = await api.post(
        path, {"revenue_role": "sdr", "manager_id": boss, "fte": "0.80", "country": "PL"}, expect=201
    )
    assert (first["fte"], first["valid_from"], first["valid_to"]) == ("0.8", None, None)
    after = {"revenue_role": "account_executive", "valid_from": "2026-07-01"}
    problem = await api.post(path, after, expect=409)
    assert problem["type"] == "/problems/assignments-overlap"
    ended = await api.patch(f"{path}/{first['id']}", {"valid_to": "2026-07-01"})
    assert ended == first | {"valid_to": "2026-07-01", "recorded_at": ended["recorded_at"]}
    second = await api.post(path, after, expect=201)
    assert second["fte"] == "1"
    assert [row["id"] for row in (await api.get(path))["items"]] == [first["id"], second["id"]]
    await api.delete(f"{path}/{second['id']}")
    await api.delete(f"{path}/{second['id']}", expect=404)
    assert [row["id"] for row in (await api.get(path))["items"]] == [first["id"]]


async def test_bad_assignments_are_refused_at_their_place(api: Api) -> None:
    member_id = await member(api)
    path = f"/members/{member_id}/assignments"
    for body, pointer in (
        ({"manager_id": member_id}, "/manager_id"),
        ({"manager_id": NOBODY}, "/manager_id"),
        ({"calendar_id": NOBODY}, "/calendar_id"),
        ({"fte": 0}, "/fte"),
        ({"fte": "1.1"}, "/fte"),
        ({"fte": "0.12345"}, "/fte"),
        ({"fte": None}, "/fte"),
        ({"country": "Poland"}, "/country"),
        ({"valid_from": "2026-07-01", "valid_to": "2026-07-01"}, "/valid_to"),
        ({"valid_from": "2026-07-02T00:00:00"}, "/valid_from"),
        ({"valid_from": 20260702}, "/valid_from"),
    ):
        problem = await api.post(path, body, expect=422)
        assert problem["errors"][0]["pointer"] == pointer, body
    calendar = await api.post("/calendars", {"name": "Poland"}, expect=201)
    made = await api.post(path, {"calendar_id": calendar["id"]}, expect=201)
    problem = await api.patch(f"{path}/{made['id']}", {"manager_id": member_id}, expect=422)
    assert problem["errors"][0]["pointer"] == "/manager_id"
    other = await member(api, "Bo")
    await api.patch(f"/members/{other}/assignments/{made['id']}", {}, expect=404)
