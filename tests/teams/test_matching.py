"""Whom an identity may be."""

from uuid import UUID, uuid4

import pytest

from app.teams.matching import Known, Matcher, is_clear
from tests.support import Api


def known(name: str | None = None, email: str | None = None) -> Known:
    return Known(uuid4(), email, name)


def best(identity: Known, *members: Known) -> list[tuple[UUID, str]]:
    return [tuple(match) for match in Matcher(members).matches(identity)]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("told", "member", "reason"),
    [
        (known(email="Ada@Example.com "), known("Somebody Else", "ada@example.com"), "email"),
        (known("ADA NOWAK"), known("Ada Nowak"), "name"),
        (known("Nowak, Ada"), known("Ada Nowak"), "name"),
        (known("Zoë Müller"), known("Zoe Muller"), "name"),
        (known("Łukasz Żak"), known("Lukasz Zak"), "name"),
        (known("A. Nowak"), known("Ada Nowak"), "initials"),
        (known("王小明"), known("王小明"), "name"),
    ],
)
def test_alike_people_are_found(told: Known, member: Known, reason: str) -> None:
    assert best(told, known("Bob Brown", "bob@example.com"), member) == [(member.id, reason)]


@pytest.mark.parametrize("told", [known(), known("Ada"), known("--- ..."), known(email="other@example.com")])
def test_nobody_is_suggested_for_what_tells_too_little(told: Known) -> None:
    assert best(told, known("Ada Nowak", "ada@example.com"), known("Ada", None)) == []


def test_the_address_comes_before_the_name_and_two_of_a_kind_are_not_clear() -> None:
    told = known("Ada Nowak", "ada@example.com")
    by_name, by_email = known("Ada Nowak"), known("A. N.", "ada@example.com")
    matches = Matcher([by_name, by_email]).matches(told)
    assert [match.id for match in matches] == [by_email.id, by_name.id]
    assert is_clear(matches)
    assert not is_clear(Matcher([by_name, known("Nowak Ada")]).matches(told))
    assert not is_clear(Matcher([known("Anna Nowak")]).matches(told))
    assert not is_clear([])


async def test_suggestions_are_mapped_in_bulk_each_for_itself(api: Api) -> None:
    source = (await api.get("/sources"))["items"][0]["id"]
    ada = await api.post("/members", {"name": "Ada Nowak", "email": "ada@example.com"})
    bob = await api.post("/members", {"name": "Bob Brown"})
    told = [("1", "ada@example.com", "A."), ("2", None, "Brown, Bob"), ("3", None, "Nobody Known")]
    ids = {}
    for external_id, email, name in told:
        new = {"source_id": source, "external_id": external_id, "email": email, "name": name}
        ids[external_id] = (await api.post("/identities", new))["id"]
    queue = {"external_id": "4", "name": "Ada Nowak", "kind": "queue"}
    assert await api.post(f"/sources/{source}/people", {"people": [queue]}) == {"people": 3, "queues": 1}
    found = (await api.get("/identity-suggestions", source_id=source))["items"]
    assert [(each["identity"]["external_id"], each["is_clear"]) for each in found] == [
        ("1", True),
        ("2", True),
        ("3", False),
    ]
    assert [each["candidates"][0]["member_id"] for each in found[:2]] == [ada["id"], bob["id"]]
    chosen = [{"identity_id": ids["1"], "member_id": ada["id"]}, {"identity_id": str(uuid4()), "member_id": bob["id"]},
              {"identity_id": ids["2"], "member_id": str(uuid4())}, {"identity_id": ids["2"], "member_id": bob["id"]},
              {"identity_id": ids["2"], "member_id": ada["id"]}]  # fmt: skip
    (queue_id,) = [each["id"] for each in (await api.get("/identities", kind="queue"))["items"]]
    chosen.append({"identity_id": queue_id, "member_id": ada["id"]})
    result = await api.post("/identity-mappings", {"mappings": chosen}, expect=200)
    assert [each["outcome"] for each in result["items"]] == [
        "mapped",
        "rejected",
        "rejected",
        "mapped",
        "rejected",
        "rejected",
    ]
    assert result["mapped"] == 2
    assert all(each["problem"] for each in result["items"] if each["outcome"] == "rejected")
    left = (await api.get("/identity-suggestions"))["items"]
    assert [each["identity"]["external_id"] for each in left] == ["3"]
