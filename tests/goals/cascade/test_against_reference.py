"""Splits of random worlds against a slow count of days: who is where, absent, half time (S31, S33, S35)."""

import random
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.goals.cascade.test_splits import cascade, goal, preview, split, team
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.support import Api

FIRST, END = date(2026, 7, 1), date(2026, 8, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(31)]
WORKING = [day for day in DAYS if day.weekday() < 5]
NAMES = ("Ana", "Bo", "Cy", "Di", "Ed")


class Person:
    """Somebody with days in North or in Coast, below it, part time from a day on, absences of both kinds."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name, self.id = name, ""
        cut = sorted(chance.sample(range(1, 31), 2))
        spans = chance.choice([[(0, 31)], [(cut[0], 31)], [(0, cut[1])], [(0, cut[0]), (cut[1], 31)]])
        self.spans = [(DAYS[a], DAYS[0] + timedelta(days=b)) for a, b in spans]
        self.team = chance.choice(["North", "North", "Coast"])
        self.fte, self.fte_from = Decimal(chance.choice(["1", "0.5", "0.8"])), chance.choice(DAYS)
        self.away: list[tuple[date, date, str]] = []
        if chance.random() < 0.5:
            start = chance.randrange(0, 25)
            effect = chance.choice(["prorate_target", "reschedule"])
            self.away.append((DAYS[start], DAYS[start] + timedelta(days=chance.randrange(1, 12)), effect))

    def part_on(self, day: date) -> Fraction:
        return Fraction(self.fte) if day >= self.fte_from else Fraction(1)

    def is_there(self, day: date) -> bool:
        return any(start <= day < end for start, end in self.spans)

    def absence(self, day: date) -> str | None:
        return next((effect for start, end, effect in self.away if start <= day < end), None)

    def weight(self, by: str, days: list[date] = WORKING) -> Fraction:
        """Working time in the team over that of the period; holidays only move work."""
        here = [day for day in days if self.is_there(day) and self.absence(day) != "prorate_target"]
        return sum((self.part_on(day) if by == "fte" else Fraction(1) for day in here), Fraction()) / len(WORKING)

    def counted(self, start: date, end: date) -> Fraction:
        """What of a target over some days counts in the team: what absences leave, by working time there."""
        mine = [day for day in WORKING if start <= day < end]
        there = sum((self.part_on(day) for day in mine if self.absence(day) is None), Fraction())
        waived = sum((self.part_on(day) for day in mine if self.absence(day) == "prorate_target"), Fraction())
        inside = sum((self.part_on(d) for d in mine if self.absence(d) is None and self.is_there(d)), Fraction())
        kept = there / (there + waived) if there + waived else Fraction(1)
        return kept * (inside / there) if there else kept

    async def live(self, api: Api, teams: dict[str, str]) -> None:
        self.id = await member_with_identity(api, self.name, self.name)
        for start, end in self.spans:
            body = {"member_id": self.id, "valid_from": f"{start}", "valid_to": f"{end}"}
            if (start, end) == (FIRST, END):
                body = {"member_id": self.id}
            await api.post(f"/teams/{teams[self.team]}/memberships", body, expect=201)
        body = {"fte": f"{self.fte}", "valid_from": f"{self.fte_from}"}
        await api.post(f"/members/{self.id}/assignments", body, expect=201)
        for start, end, effect in self.away:
            body = {"valid_from": f"{start}", "valid_to": f"{end}", "effect": effect}
            await api.post(f"/members/{self.id}/absences", body, expect=201)


def largest_remainder(whole: Decimal, weights: list[Fraction]) -> list[int]:
    exact = [Fraction(whole) * weight / sum(weights) for weight in weights]
    parts = [int(share) for share in exact]
    order = sorted(range(len(parts)), key=lambda n: (parts[n] - exact[n], n))
    for n in order[: int(whole) - sum(parts)]:
        parts[n] += 1
    return parts


async def world(api: Api, seed: int) -> tuple[list[Person], dict[str, str]]:
    chance = random.Random(seed)  # the same world for the same number
    await define(api, "calls_made")
    teams = {"North": await team(api, "North")}
    teams["Coast"] = await team(api, "Coast", teams["North"])
    people = [Person(name, chance) for name in NAMES]
    for person in people:
        await person.live(api, teams)
    return people, teams


def figures(answer: Any) -> dict[str, Decimal]:
    return {row["owner"]["name"]: Decimal(row["part"]) for row in answer["parts"] if Decimal(row["part"])}


async def adds_up(api: Api, whole: str, target: int) -> None:
    """The cascade finds no gap, and the progress of the goal, which counts its parts, counts the same of each."""
    root = (await cascade(api, whole))["root"]
    assert (root["check"]["status"], root["check"]["parts_sum"]) == ("exact", target)
    parts = (await api.get(f"/goals/{whole}/progress"))["parts"]
    assert (parts["target"], parts["covers"]) == (target, 1)
    told = {row["name"]: (row["target_counted"]) for row in parts["rows"]}
    assert told == {part["name"]: part["counted"] for part in root["parts"]}


@pytest.mark.parametrize("seed", range(8))
async def test_members_weigh_and_count_by_their_days(api: Api, seed: int) -> None:
    people, teams = await world(api, seed)
    for by in ("head_count", "fte"):
        whole = await goal(api, teams["North"], target={"value": "1001"}, name=f"By {by}")
        there = [each for each in people if each.weight(by)]
        done = await split(api, whole, to="members", by=by, counts="parts")
        wanted = largest_remainder(Decimal(1001), [each.weight(by) for each in there])
        assert figures(done) == dict(zip([each.name for each in there], map(Decimal, wanted), strict=True))
        for row in done["parts"]:
            if row["target"] is None:
                continue
            (person,) = (each for each in people if each.name == row["owner"]["name"])
            counts = person.counted(date.fromisoformat(row["start"]), date.fromisoformat(row["end"]))
            assert abs(Fraction(row["target"]) * counts - Fraction(row["part"])) <= Fraction(1, 10**6)
        await adds_up(api, whole, 1001)


@pytest.mark.parametrize("seed", range(8, 12))
async def test_teams_and_own_members_add_up_at_each_level(api: Api, seed: int) -> None:
    people, teams = await world(api, seed)
    whole = await goal(api, teams["North"], target={"value": "1001"})
    done = await split(api, whole, to="level", depth=2, by="fte", counts="parts")
    coast = sum((each.weight("fte") for each in people if each.team == "Coast"), Fraction())
    own = [each for each in people if each.team == "North" and each.weight("fte")]
    weights = [coast, *(each.weight("fte") for each in own)]
    wanted = [part for part in largest_remainder(Decimal(1001), weights) if part]
    assert list(figures(done).values()) == wanted
    assert done["parts_sum"] == "1001"
    for row in done["parts"]:
        assert row["parts"] == [] or row["parts_sum"] == row["part"]
    await adds_up(api, whole, 1001)


@pytest.mark.parametrize("seed", range(12, 16))
async def test_plans_of_several_days_keep_the_sum(api: Api, seed: int) -> None:
    chance = random.Random(seed)  # the same world for the same number
    people, teams = await world(api, seed)
    whole = await goal(api, teams["North"], target={"value": "997"})
    await api.set_clock("2026-07-01T06:00:00Z")
    await split(api, whole, to="members", by="fte", counts="parts")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 30, actor="Ana"))
    for day in (9, 17, 24):
        await api.set_clock(f"2026-07-{day:02}T06:00:00Z")
        late = await member_with_identity(api, f"New {day}", f"New {day}")
        body = {"member_id": late, "valid_from": f"2026-07-{day:02}"}
        await api.post(f"/teams/{teams['North']}/memberships", body, expect=201)
        someone = chance.choice(people)
        away = {"valid_from": f"2026-07-{day:02}", "valid_to": "2026-08-20", "effect": "prorate_target"}
        await api.call("POST", f"/members/{someone.id}/absences", away)
        assert (await cascade(api, whole))["is_replan_due"] is True
        seen = await preview(api, whole, to="members", by="fte", mode="replan")
        done = await split(api, whole, to="members", by="fte", mode="replan", expect=200)
        assert figures(seen) == figures(done)
        assert done["parts_sum"] == "997"
        await adds_up(api, whole, 997)
        assert (await cascade(api, whole))["is_replan_due"] is False
