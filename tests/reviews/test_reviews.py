"""Reviews and their evidence over HTTP (P1, S5, S6)."""

import hashlib
from typing import Any
from uuid import uuid4

import pytest
import rfc8785

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.support import Api, World

ACTION = {"text": "Answer new leads within five minutes.", "due_on": "2026-09-30", "done": False}
NOBODY = str(uuid4())


async def review_of(api: Api, member: str, **changes: Any) -> Any:
    body = {"member_id": member, "period": "2026-Q2", "kpis": ["calls_made"], "summary": "A strong quarter."}
    return await api.post("/reviews", body | changes, expect=201)


@pytest.fixture
async def ana(api: Api) -> str:
    """A member with calls in April and June, in an organization that counts calls."""
    await define(api, "calls_made")
    member = await member_with_identity(api, "Ana", "7421")
    await post_events(api, happened("call.made", "2026-04-02T08:00:00Z", 3))
    await post_events(api, happened("call.made", "2026-06-02T08:00:00Z", 2))
    await post_events(api, happened("call.made", "2026-06-02T08:00:00Z", 7, actor="somebody else"))
    return member


async def test_a_review_is_written_read_listed_changed_and_deleted(api: Api, ana: str) -> None:
    boss = (await api.post("/members", {"name": "Bo"}, expect=201))["id"]
    made = await review_of(api, ana, reviewer_id=boss, agreed_actions=[ACTION], strengths="Wins large deals.")
    assert (made["state"], made["period"], made["start"], made["end"]) == (
        "draft",
        "2026-Q2",
        "2026-04-01",
        "2026-07-01",
    )
    assert (made["agreed_actions"], made["evidence_digest"]) == ([ACTION], None)
    path = f"/reviews/{made['id']}"
    assert await api.get(path) == made
    changed = await api.patch(path, {"areas_to_improve": "Answers late.", "period": "last_month", "reviewer_id": None})
    assert (changed["areas_to_improve"], changed["period"], changed["reviewer_id"]) == (
        "Answers late.",
        "2026-06",
        None,
    )
    assert (changed["strengths"], changed["version"]) == ("Wins large deals.", 2)
    assert (await api.get("/reviews", member_id=ana, state="draft"))["items"] == [changed]
    assert (await api.get("/reviews", reviewer_id=boss))["items"] == []
    await api.delete(path)
    await api.get(path, expect=404)


async def test_a_review_goes_from_draft_to_shared_to_acknowledged_to_closed(api: Api, ana: str) -> None:
    review = await review_of(api, ana)
    path = f"/reviews/{review['id']}"
    assert review["available_actions"] == ["edit", "delete", "share"]
    shared = await api.post(f"{path}/share", expect=200)
    assert (shared["state"], shared["available_actions"]) == ("shared", ["acknowledge"])
    assert shared["shared_at"].startswith("2026-07-13T10:00:00")
    acknowledged = await api.post(f"{path}/acknowledge", {"comment": "Agreed."}, expect=200)
    assert (acknowledged["state"], acknowledged["comment"]) == ("acknowledged", "Agreed.")
    closed = await api.post(f"{path}/close", expect=200)
    assert (closed["state"], closed["available_actions"], closed["version"]) == ("closed", [], 4)
    assert closed["evidence_digest"] == shared["evidence_digest"]
    assert await api.get(path) == closed


async def test_a_step_out_of_order_is_refused_and_tells_the_possible_ones(api: Api, ana: str) -> None:
    review = await review_of(api, ana)
    path = f"/reviews/{review['id']}"
    refused = await api.post(f"{path}/close", expect=409)
    assert refused["type"] == "/problems/review-action-not-possible"
    assert "draft" in refused["detail"]
    assert "share" in refused["detail"]
    await api.post(f"{path}/acknowledge", expect=409)
    await api.post(f"{path}/share", expect=200)
    for step in ("share", "close"):
        await api.post(f"{path}/{step}", expect=409)
    await api.post(f"{path}/acknowledge", expect=200)
    await api.post(f"{path}/close", expect=200)
    for step in ("share", "acknowledge", "close"):
        await api.post(f"{path}/{step}", expect=409)


async def test_what_was_shared_is_neither_changed_nor_deleted(api: Api, ana: str) -> None:
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    shared = await api.post(f"{path}/share", expect=200)
    await api.patch(path, {"summary": "Weak."}, expect=409)
    await api.delete(path, expect=409)
    assert await api.get(path) == shared


async def test_the_evidence_is_the_members_figures_per_month_and_in_total(api: Api, ana: str) -> None:
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    assert (await api.get(f"{path}/evidence", expect=404))["type"] == "/problems/evidence-not-frozen"
    await api.post(f"{path}/share", expect=200)
    content = (await api.get(f"{path}/evidence"))["content"]
    assert [window["label"] for window in content["windows"]] == ["2026-04", "2026-05", "2026-06"]
    (calls,) = content["series"]
    assert (calls["kpi"], calls["values"], calls["samples"]) == ("calls_made", ["3", "0", "2"], [3, 0, 2])
    assert calls["total"] == {"value": "5", "status": "ok", "sample": 5, "kpi_version": 1}
    assert content["as_of"] == content["known_at"] == content["query"]["as_of"]
    assert content["as_of"].startswith("2026-07-13T10:00:00")
    assert content["query"]["subjects"] == [{"member": ana}]
    assert (content["query"]["period"], content["time_zone"]) == ("2026-Q2", "Europe/Warsaw")


async def test_anybody_can_check_the_digest(api: Api, ana: str) -> None:
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    shared = await api.post(f"{path}/share", expect=200)
    evidence = await api.get(f"{path}/evidence")
    assert evidence["is_intact"]
    assert evidence["digest"] == shared["evidence_digest"]
    assert evidence["digest"] == hashlib.sha256(rfc8785.dumps(evidence["content"])).hexdigest()


async def test_a_correction_after_sharing_restates_the_evidence_and_does_not_change_it(api: Api, ana: str) -> None:
    """S6. A call of May that was recorded late, and one of June that was taken back."""
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    await api.post(f"{path}/share", expect=200)
    before = await api.get(f"{path}/evidence")
    assert before["restated_since"]["differences"] == []
    assert not before["restated_since"]["is_restated"]
    await post_events(api, happened("call.made", "2026-05-04T08:00:00Z", 3))
    (june,) = happened("call.made", "2026-06-02T08:00:00Z")
    await post_events(api, [june | {"version": 1, "retracted": True}])
    after = await api.get(f"{path}/evidence")
    assert (after["content"], after["digest"], after["is_intact"]) == (before["content"], before["digest"], True)
    assert after["restated_since"]["is_restated"]
    found = {
        item["window"]: (item["then"], item["now"], item["difference"])
        for item in after["restated_since"]["differences"]
    }
    assert found == {"total": ("5", "7", "2"), "2026-05": ("0", "3", "3"), "2026-06": ("2", "1", "-1")}


async def test_events_that_happened_after_sharing_restate_nothing(api: Api, ana: str) -> None:
    """S5: T stays the instant of sharing."""
    path = f"/reviews/{(await review_of(api, ana, period='this_month'))['id']}"
    await api.post(f"{path}/share", expect=200)
    await api.set_clock("2026-07-20T10:00:00Z")
    await post_events(api, happened("call.made", "2026-07-14T08:00:00Z", 5))
    assert not (await api.get(f"{path}/evidence"))["restated_since"]["is_restated"]
    await post_events(api, happened("call.made", "2026-07-12T08:00:00Z", 1))
    differences = (await api.get(f"{path}/evidence"))["restated_since"]["differences"]
    assert [(item["window"], item["now"]) for item in differences] == [("total", "1"), ("2026-07", "1")]


async def test_a_ratio_that_had_no_data_is_restated_without_a_difference(api: Api) -> None:
    await define(api, "win_rate")
    member = await member_with_identity(api, "Ana", "7421")
    path = f"/reviews/{(await review_of(api, member, kpis=['win_rate'], period='2026-06'))['id']}"
    await api.post(f"{path}/share", expect=200)
    await post_events(api, happened("deal.won", "2026-06-02T08:00:00Z", 1))
    await post_events(api, happened("deal.lost", "2026-06-02T08:00:00Z", 2))
    total = (await api.get(f"{path}/evidence"))["restated_since"]["differences"][0]
    assert total == {
        "kpi": "win_rate", "window": "total", "then": None, "now": "0.333333333333333", "difference": None,
        "status_then": "no_data", "status_now": "ok",
    }  # fmt: skip


async def test_the_member_sees_their_review_from_sharing_on_and_acknowledges_it(api: Api, ana: str) -> None:
    mine = await api.key("member", ["reviews:read"], member_id=ana)
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    assert (await mine.get("/reviews"))["items"] == []
    await mine.get(path, expect=404)
    await mine.post(f"{path}/acknowledge", expect=404)
    await api.post(f"{path}/share", expect=200)
    assert (await mine.get(path))["available_actions"] == ["acknowledge"]
    await mine.get(f"{path}/evidence")
    assert (await mine.post(f"{path}/share", expect=403))["type"] == "/problems/permission-missing"
    assert (await mine.post(f"{path}/acknowledge", {"comment": "Yes."}, expect=200))["comment"] == "Yes."


async def test_colleagues_see_nothing_of_it(api: Api, ana: str) -> None:
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    await api.post(f"{path}/share", expect=200)
    bo = (await api.post("/members", {"name": "Bo"}, expect=201))["id"]
    for colleague in (
        await api.key("member", ["reviews:read"], member_id=bo),
        await api.key("member", ["reviews:read"]),
    ):
        assert (await colleague.get("/reviews"))["items"] == []
        await colleague.get(path, expect=404)
        await colleague.get(f"{path}/evidence", expect=404)
        await colleague.post(f"{path}/acknowledge", expect=404)


async def test_readers_who_are_not_the_member_cannot_acknowledge(api: Api, ana: str) -> None:
    reader = await api.key("manager", ["reviews:read"])
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    await api.post(f"{path}/share", expect=200)
    assert (await reader.post(f"{path}/acknowledge", expect=403))["type"] == "/problems/review-not-yours"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"member_id": NOBODY}, "/member_id"),
        ({"reviewer_id": NOBODY}, "/reviewer_id"),
        ({"kpis": ["calls_made", "calls_mode"]}, "/kpis/1"),
        ({"kpis": []}, "/kpis"),
        ({"kpis": ["calls_made", "calls_made"]}, "/kpis"),
        ({"period": "2026-W54"}, "/period"),
        ({"summary": "a\x00b"}, "/summary"),
        ({"summary": "x" * 10_001}, "/summary"),
        ({"agreed_actions": [{"text": " "}]}, "/agreed_actions/0/text"),
        ({"agreed_actions": [ACTION | {"due_on": "2026-02-30"}]}, "/agreed_actions/0/due_on"),
        ({"state": "closed"}, "/state"),
    ],
)
async def test_a_wrong_review_is_refused_with_the_place(
    api: Api, ana: str, change: dict[str, Any], pointer: str
) -> None:
    body = {"member_id": ana, "period": "2026-Q2", "kpis": ["calls_made"]} | change
    refused = await api.post("/reviews", body, expect=422)
    assert pointer in [error["pointer"] for error in refused["errors"]]
    assert (await api.get("/reviews"))["items"] == []


async def test_nobody_reviews_themselves(api: Api, ana: str) -> None:
    body = {"member_id": ana, "reviewer_id": ana, "period": "2026-Q2", "kpis": ["calls_made"]}
    assert (await api.post("/reviews", body, expect=422))["errors"][0]["pointer"] == "/reviewer_id"


async def test_a_change_of_a_review_on_an_old_version_is_refused(api: Api, ana: str) -> None:
    path, old = f"/reviews/{(await review_of(api, ana))['id']}", {"If-Match": '"1"'}
    await api.patch(path, {"summary": "Mine"}, headers=old)
    await api.patch(path, {"summary": "Yours"}, expect=412, headers=old)
    await api.post(f"{path}/share", expect=412, headers=old)
    await api.delete(path, expect=412, headers=old)


async def test_sharing_again_with_the_same_idempotency_key_gives_the_same_answer(api: Api, ana: str) -> None:
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    key = {"Idempotency-Key": "share-1"}
    first = await api.post(f"{path}/share", expect=200, headers=key)
    assert await api.post(f"{path}/share", expect=200, headers=key) == first


async def test_reviews_of_another_organization_are_not_found(api: Api, ana: str, world: World) -> None:
    path = f"/reviews/{(await review_of(api, ana))['id']}"
    stranger = await world.organization()
    await stranger.get(path, expect=404)
    await stranger.get(f"{path}/evidence", expect=404)
    await stranger.patch(path, {"summary": "Mine"}, expect=404)
    await stranger.delete(path, expect=404)
    for step in ("share", "acknowledge", "close"):
        await stranger.post(f"{path}/{step}", expect=404)
