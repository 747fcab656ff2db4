"""Sets and rates over HTTP, and what is known of them as of an instant (S5, S26)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from app.core.clock import last_recorded
from app.core.db import OrganizationId
from app.core.problems import ValidationFailed
from app.rates.conversion import RateBook
from app.rates.service import load_rates
from tests.support import Api, World

DAILY = {"key": "daily", "kind": "daily", "name": "European Central Bank"}
PLAN = {"key": "plan-2026", "kind": "fixed", "name": "Plan rates of 2026"}
RATE = {"set": "daily", "base": "EUR", "quote": "USD", "valid_from": "2026-07-10", "rate": "1.10"}
YEAR = RATE | {"set": "plan-2026", "valid_from": "2026-01-01", "valid_to": "2027-01-01"}


@pytest.fixture
async def api(api: Api) -> Api:
    """An organization with a daily and a fixed set."""
    for new in (DAILY, PLAN):
        await api.post("/exchange-rates/sets", new, expect=201)
    return api


async def book_of(api: Api, set_key: str | None = None, known_at: datetime | None = None) -> RateBook:
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        return await load_rates(session, org_id, set_key, known_at or await last_recorded(session, org_id))


async def dollars(api: Api, set_key: str | None = None, known_at: datetime | None = None) -> Decimal | None:
    """What one euro costs on 12 July."""
    factor = (await book_of(api, set_key, known_at)).factor("EUR", "USD", date(2026, 7, 12), "EUR")
    return factor.convert(Decimal(1)) if factor else None


async def test_golden_10_a_sunday_takes_the_friday_of_the_daily_set(api: Api) -> None:
    """A query that names no set takes `daily`."""
    await api.post("/exchange-rates", RATE, expect=201)
    factor = (await book_of(api)).factor("USD", "EUR", date(2026, 7, 12), "EUR")
    assert factor is not None
    assert f"{factor.convert(Decimal(100)):.15g}" == "90.9090909090909"
    assert factor.path == ("EUR/USD 1.10 of 2026-07-10, inverse",)


async def test_a_rate_is_recorded_read_listed_and_taken_back(api: Api) -> None:
    made = await api.post("/exchange-rates", RATE, expect=201)
    assert made.pop("outcome") == "created"
    assert (made["set"], made["rate"], made["valid_to"], made["version"]) == ("daily", "1.1", None, 1)
    path = f"/exchange-rates/{made['id']}"
    assert await api.get(path) == made
    assert await api.get("/exchange-rates") == {"items": [made], "next_cursor": None}
    await api.delete(path)
    await api.get(path, expect=404)
    await api.delete(path, expect=404)
    assert (await api.get("/exchange-rates"))["items"] == []
    assert await dollars(api) is None


async def test_the_same_set_pair_and_day_corrects_the_rate_and_the_same_rate_changes_nothing(api: Api) -> None:
    first = await api.post("/exchange-rates", RATE, expect=201)
    same = await api.post("/exchange-rates", RATE | {"rate": 1.1}, expect=200)
    assert same == first | {"outcome": "unchanged"}
    await api.set_clock("2026-07-20T08:00:00Z")
    corrected = await api.post("/exchange-rates", RATE | {"rate": "1.25"}, expect=201)
    assert (corrected["outcome"], corrected["id"], corrected["version"]) == ("corrected", first["id"], 2)
    assert corrected["created_at"] == first["created_at"] < corrected["recorded_at"]
    assert await dollars(api) == Decimal("1.25")
    assert await dollars(api, known_at=datetime(2026, 7, 19, tzinfo=UTC)) == Decimal("1.10")
    assert len((await api.get("/exchange-rates"))["items"]) == 1


async def test_a_rate_that_was_taken_back_still_counts_as_of_before(api: Api) -> None:
    """S5."""
    made = await api.post("/exchange-rates", RATE, expect=201)
    await api.set_clock("2026-07-20T08:00:00Z")
    await api.delete(f"/exchange-rates/{made['id']}")
    assert await dollars(api) is None
    assert await dollars(api, known_at=datetime(2026, 7, 19, tzinfo=UTC)) == Decimal("1.10")


async def test_a_set_is_read_listed_renamed_and_deleted_with_its_rates(api: Api) -> None:
    listed = (await api.get("/exchange-rates/sets"))["items"]
    assert [one["key"] for one in listed] == ["daily", "plan-2026"]
    path = f"/exchange-rates/sets/{listed[1]['id']}"
    assert await api.get(path) == listed[1]
    renamed = await api.patch(path, {"name": "Budget"})
    assert renamed["recorded_at"] > listed[1]["recorded_at"]
    unchanged = {"recorded_at": renamed["recorded_at"], "name": "Budget", "version": 2}
    assert renamed == listed[1] | unchanged
    await api.post("/exchange-rates", YEAR, expect=201)
    assert await dollars(api, "plan-2026") == Decimal("1.10")
    await api.set_clock("2026-07-20T08:00:00Z")
    await api.delete(path)
    await api.get(path, expect=404)
    assert (await api.get("/exchange-rates"))["items"] == []
    assert await dollars(api, "plan-2026") is None
    assert await dollars(api, "plan-2026", datetime(2026, 7, 19, tzinfo=UTC)) == Decimal("1.10")
    await api.post("/exchange-rates/sets", PLAN, expect=201)
    assert await dollars(api, "plan-2026") is None


async def test_a_key_has_one_set(api: Api) -> None:
    refused = await api.post("/exchange-rates/sets", PLAN | {"kind": "daily"}, expect=409)
    assert refused["type"] == "/problems/rate-set-key-taken"


async def test_what_no_set_is_called_is_refused_and_what_one_was_called_later_has_no_rates(
    api: Api, world: World
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await book_of(api, "plan-2027")
    assert refused.value.errors[0].pointer == "/rate_set"
    stranger = await world.organization()
    assert (await book_of(stranger)).currencies == frozenset()
    before = datetime(2026, 7, 13, 9, tzinfo=UTC)
    assert (await book_of(api, "plan-2026", before)).currencies == frozenset()


async def test_fixed_rates_of_a_pair_share_no_day(api: Api) -> None:
    await api.post("/exchange-rates", YEAR, expect=201)
    july = YEAR | {"valid_from": "2026-07-01", "valid_to": "2026-08-01", "rate": "1.20"}
    refused = await api.post("/exchange-rates", july, expect=409)
    assert refused["type"] == "/problems/exchange-rates-overlap"
    assert "EUR/USD 1.10 holds from 2026-01-01 until before 2027-01-01" in refused["detail"]
    await api.post("/exchange-rates", july | {"base": "USD", "quote": "EUR"}, expect=201)
    await api.post("/exchange-rates", july | {"set": "daily"}, expect=201)
    await api.post("/exchange-rates", YEAR | {"valid_to": "2026-07-01"}, expect=201)
    await api.post("/exchange-rates", july, expect=201)
    await api.post("/exchange-rates", july | {"valid_from": "2026-08-01", "valid_to": None}, expect=201)
    open_end = await api.post("/exchange-rates", YEAR | {"valid_from": "2030-01-01", "valid_to": None}, expect=409)
    assert "on all days after" in open_end["detail"]
    assert await dollars(api, "plan-2026") == Decimal("1.20")


async def test_lists_are_filtered_and_paged(api: Api) -> None:
    for day in ("2026-07-08", "2026-07-09", "2026-07-10"):
        await api.post("/exchange-rates", RATE | {"valid_from": day}, expect=201)
    await api.post("/exchange-rates", RATE | {"base": "GBP"}, expect=201)
    await api.post("/exchange-rates", YEAR, expect=201)

    async def days(**filters: Any) -> list[str]:
        return [item["valid_from"] for item in (await api.get("/exchange-rates", **filters))["items"]]

    assert await days(set="plan-2026") == ["2026-01-01"]
    assert await days(base="GBP") == ["2026-07-10"]
    assert await days(quote="USD", set="daily", base="EUR") == ["2026-07-08", "2026-07-09", "2026-07-10"]
    assert await days(**{"from": "2026-07-09", "to": "2026-07-10"}) == ["2026-07-09"]
    assert await days(set="unheard-of") == []
    first = await api.get("/exchange-rates", limit=3)
    second = await api.get("/exchange-rates", limit=3, cursor=first["next_cursor"])
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (3, 2, None)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"set": "plan-2027"}, "/set"),
    ({"set": "Daily"}, "/set"),
    ({"base": "EUX"}, "/base"),
    ({"base": "eur"}, "/base"),
    ({"quote": "EUR"}, "/quote"),
    ({"quote": None}, "/quote"),
    ({"rate": 0}, "/rate"),
    ({"rate": "-1.1"}, "/rate"),
    ({"rate": "1_000"}, "/rate"),
    ({"rate": "١"}, "/rate"),
    ({"rate": "1,10"}, "/rate"),
    ({"rate": "NaN"}, "/rate"),
    ({"rate": True}, "/rate"),
    ({"rate": "1e400"}, "/rate"),
    ({"rate": "1e12"}, "/rate"),
    ({"rate": "0.0000000000001"}, "/rate"),
    ({"valid_from": "2026-02-30"}, "/valid_from"),
    ({"valid_from": "0001-01-01"}, "/valid_from"),
    ({"valid_from": 20260710}, "/valid_from"),
    ({"valid_to": "2026-07-10"}, "/valid_to"),
    ({"since": "2026-07-10"}, "/since"),
]


@pytest.mark.parametrize(("change", "pointer"), WRONG)
async def test_a_wrong_rate_is_refused_with_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    refused = await api.post("/exchange-rates", RATE | change, expect=422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    batch = await api.post("/exchange-rates/batch", {"rates": [RATE | change]}, expect=200)
    assert [(item["outcome"], item["field"]) for item in batch["items"]] == [("rejected", pointer)]
    assert (await api.get("/exchange-rates"))["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"key": "Daily"}, "/key"),
        ({"key": "x" * 51}, "/key"),
        ({"key": "'; drop"}, "/key"),
        ({"kind": "weekly"}, "/kind"),
        ({"name": " "}, "/name"),
    ],
)
async def test_a_wrong_set_is_refused_with_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    refused = await api.post("/exchange-rates/sets", PLAN | {"key": "other"} | change, expect=422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


async def test_each_rate_of_a_batch_has_its_own_outcome(api: Api) -> None:
    await api.post("/exchange-rates", RATE, expect=201)
    rates = [
        RATE,
        RATE | {"base": "GBP"},
        RATE | {"base": "GBP", "rate": "2"},
        RATE | {"rate": "x"},
        YEAR | {"valid_to": None},
        YEAR | {"valid_from": "2026-07-01"},
        RATE | {"set": "unheard-of"},
        "rate",
    ]
    answer = await api.post("/exchange-rates/batch", {"rates": rates}, expect=200)
    outcomes = [item["outcome"] for item in answer["items"]]
    assert outcomes == ["unchanged", "created", *["rejected"] * 2, "created", *["rejected"] * 3]
    assert answer["counts"] == {"unchanged": 1, "created": 2, "rejected": 5}
    assert answer["items"][2]["reason"] == "item 1 has this set, pair and day"
    assert "on all days after" in answer["items"][5]["reason"]
    assert len((await api.get("/exchange-rates"))["items"]) == 3
    too_many = {"rates": [RATE] * 1001}
    assert (await api.post("/exchange-rates/batch", too_many, expect=422))["errors"][0]["pointer"] == "/rates"


async def test_a_batch_can_end_a_fixed_rate_and_begin_the_next(api: Api) -> None:
    await api.post("/exchange-rates", YEAR | {"valid_to": None}, expect=201)
    rates = [YEAR | {"valid_to": "2026-07-01"}, YEAR | {"valid_from": "2026-07-01", "rate": "1.30"}]
    answer = await api.post("/exchange-rates/batch", {"rates": rates}, expect=200)
    assert answer["counts"] == {"corrected": 1, "created": 1}
    assert await dollars(api, "plan-2026") == Decimal("1.30")


async def test_a_change_on_an_old_version_is_refused(api: Api) -> None:
    made = await api.post("/exchange-rates", RATE, expect=201)
    await api.post("/exchange-rates", RATE | {"rate": "1.2"}, expect=201)
    await api.delete(f"/exchange-rates/{made['id']}", expect=412, headers={"If-Match": '"1"'})
    await api.delete(f"/exchange-rates/{made['id']}", headers={"If-Match": '"2"'})


async def test_rates_of_another_organization_are_not_found(api: Api, world: World) -> None:
    made = await api.post("/exchange-rates", RATE, expect=201)
    rate_set = (await api.get("/exchange-rates/sets"))["items"][0]["id"]
    stranger = await world.organization()
    for path in (f"/exchange-rates/{made['id']}", f"/exchange-rates/{uuid4()}", f"/exchange-rates/sets/{rate_set}"):
        await stranger.get(path, expect=404)
        await stranger.delete(path, expect=404)
    assert (await stranger.get("/exchange-rates"))["items"] == []
    assert (await stranger.post("/exchange-rates", RATE, expect=422))["errors"][0]["pointer"] == "/set"
    assert await dollars(api) == Decimal("1.10")


async def test_who_may_only_read_rates_changes_none(api: Api) -> None:
    reader = await api.key("member", ["rates:read"])
    assert (await reader.get("/exchange-rates"))["items"] == []
    await reader.post("/exchange-rates", RATE, expect=403)
    feed = await api.key("service", ["rates:write"])
    await feed.post("/exchange-rates", RATE, expect=201)
    await feed.get("/exchange-rates", expect=403)
