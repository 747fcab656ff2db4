"""Keys, permissions, organizations: who may do what, and what others never see."""

from datetime import UTC, datetime

from tests.support import Api, World


async def test_a_caller_learns_who_it_is(api: Api) -> None:
    me = await api.get("/me")
    assert me["organization_id"] == str(api.org_id)
    assert me["role"] == "admin"
    assert "kpis:write" in me["permissions"]
    assert me["now"] == "2026-07-13T10:00:00Z"


async def test_no_key_or_a_wrong_one_is_401_as_a_problem(api: Api, world: World) -> None:
    for token in (
        None,
        "pl_x",
        api.token[:-1] + ("A" if api.token[-1] != "A" else "B"),
        "pl_" + "0" * 32 + "_" + "a" * 43,
    ):
        answer = await world.caller(api.org_id, token).call("GET", "/me", expect=401)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_can_do_only_what_is_in_its_scopes(api: Api) -> None:
    reader = await api.key("service", ["organization:read"])
    await reader.get("/organization")
    problem = await reader.patch("/organization", {"name": "Mine"}, expect=403)
    assert "organization:write" in problem["detail"]


async def test_a_key_cannot_give_more_than_it_has(api: Api) -> None:
    manager = await api.key("admin", ["api-keys:write", "kpis:read"])
    await manager.post("/api-keys", {"name": "x", "role": "admin", "scopes": ["kpis:write"]}, expect=403)


async def test_a_revoked_key_stops_at_once(api: Api) -> None:
    other = await api.key("service", ["kpis:read"])
    key_id = (await other.get("/me"))["key_id"]
    await api.delete(f"/api-keys/{key_id}")
    await other.get("/me", expect=401)


async def test_another_organizations_key_is_not_found(api: Api, world: World) -> None:
    stranger = await world.organization()
    key_id = (await stranger.get("/me"))["key_id"]
    await api.delete(f"/api-keys/{key_id}", expect=404)


async def test_a_change_needs_the_version_that_was_read(api: Api) -> None:
    answer = await api.call("GET", "/organization", expect=200)
    etag = answer.headers["etag"]
    await api.patch("/organization", {"currency": "PLN"}, headers={"If-Match": etag})
    await api.patch("/organization", {"currency": "USD"}, headers={"If-Match": etag}, expect=412)
    await api.call("GET", "/organization", headers={"If-None-Match": '"2"'}, expect=304)


async def test_an_idempotency_key_repeats_the_first_answer_without_its_secret(api: Api) -> None:
    body = {"name": "import", "role": "service", "scopes": ["events:write"]}
    options = {"headers": {"Idempotency-Key": "k-1"}}
    first = await api.post("/api-keys", body, expect=201, **options)
    again = await api.post("/api-keys", body, expect=201, **options)
    assert again == first | {"token": None}
    assert len((await api.get("/api-keys"))["items"]) == 2
    await api.post("/api-keys", body | {"name": "other"}, expect=422, **options)


async def test_bad_bodies_are_problems_that_name_the_place(api: Api) -> None:
    bodies: dict[bytes, int] = {
        b"{": 400,
        b"\xff": 400,
        b'{"name": NaN}': 400,
        b"[" * 100_000: 400,
        b'{"name": "\\ud800"}': 400,
        b'{"name": "a\\u0000"}': 422,
        b'{"nome": "x"}': 422,
        b'{"time_zone": "Europe/Atlantis"}': 422,
        b'{"currency": "EURO"}': 422,
        b"[]": 422,
        b'{"week_starts_on": ' + b"9" * 5000 + b"}": 400,
    }
    for body, status in bodies.items():
        answer = await api.call("PATCH", "/organization", body, expect=status)
        assert answer.headers["content-type"] == "application/problem+json", body[:40]
    problem = await api.patch("/organization", {"time_zone": "Nowhere"}, expect=422)
    assert problem["errors"][0]["pointer"] == "/time_zone"


async def test_an_unknown_parameter_is_refused(api: Api) -> None:
    problem = await api.get("/api-keys", expect=422, limt=3)
    assert problem["errors"][0]["pointer"] == "?limt"


async def test_a_clock_that_goes_back_never_brings_the_order_of_records_back(api: Api) -> None:
    await api.set_clock("2026-07-14T00:00:00Z")
    await api.patch("/organization", {"currency": "PLN"})
    last = (await api.get("/organization/clock"))["last_recorded_at"]
    clock = await api.put("/organization/clock", {"now": "2026-07-13T00:00:00Z"})
    assert clock["now"] == "2026-07-13T00:00:00Z"
    await api.patch("/organization", {"currency": "EUR"})
    after = (await api.get("/organization/clock"))["last_recorded_at"]
    assert datetime.fromisoformat(after) > datetime.fromisoformat(last)


async def test_the_beginning_of_an_organization_goes_back_with_its_first_clock(world: World) -> None:
    api = await world.organization(now=None)
    await api.set_clock("2026-07-01T08:00:00Z")
    await api.post("/events", {"external_id": "w", "type": "deal.won", "occurred_at": "2026-07-01T07:00:00Z"})
    assert (await api.get("/organization/clock"))["last_recorded_at"].startswith("2026-07-01T08:00:00")
    kpi = {
        "key": "wins", "name": "Wins", "category": "sales_results", "indicator": "lagging", "direction": "increase",
        "unit": {"kind": "count"}, "measures": {"won": {"aggregate": "count", "events": ["deal.won"]}},
        "formula": "won",
    }  # fmt: skip
    await api.post("/kpis", kpi)
    await api.set_clock("2026-08-01T08:00:00Z")
    query = {"kpis": ["wins"], "subjects": [{"organization": True}], "period": "2026-07"}
    asked = await api.post("/kpi-results/query", query | {"as_of": "2026-07-15T00:00:00Z"}, expect=200)
    assert asked["series"][0]["total"] == {
        "value": 1, "status": "ok", "sample": 1, "kpi_version": 1, "details": None
    }  # fmt: skip
    assert asked["earliest_as_of"] == "2026-07-01T08:00:00Z"


async def test_an_organization_that_has_always_been_there_can_be_asked_about_any_past(world: World) -> None:
    api = await world.organization(now=None, recorded_from=datetime(1970, 1, 1, tzinfo=UTC))
    await api.set_clock("2026-01-05T08:00:00Z")
    await api.patch("/organization", {"currency": "PLN"})
    clock = await api.get("/organization/clock")
    assert clock["last_recorded_at"] == "2026-01-05T08:00:00Z"
