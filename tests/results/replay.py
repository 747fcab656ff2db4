"""Replays a script of the reference over the HTTP API, each step at its instant, and asks its queries."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.events.sources import Source, SourceCounts, add_source
from app.kpis.partials.keeper import Keeper
from app.kpis.partials.models import Partial, PartialBuild, PartialGuard
from tests.reference import steps as s
from tests.reference.groups import Group, group_text
from tests.reference.questions import Answer, Cell, Comparison, Query, Series, ToDate
from tests.reference.snapshot import Subject
from tests.reference.wire import calendar_json, definition_json, item_json, query_json
from tests.reference.world import Identity
from tests.support import Api, World

JSON = dict[str, Any]
SHOWN = Context(prec=15)


@dataclass
class Replay:
    """An organization that went through a script; `ids` are the API's by the script's keys."""

    world: World
    api: Api
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    sources: dict[str, UUID] = field(default_factory=dict)
    identities: dict[Identity, str] = field(default_factory=dict)
    outcomes: list[list[str]] = field(default_factory=list)

    async def prepare(self, script: tuple[s.Step, ...]) -> None:
        """Make the identities beforehand: when they are first heard of is no part of a script."""
        found = await self.api.get("/identities")
        assert found["items"] == []
        for source in {"api", *(step.key for step in script if isinstance(step, s.AddSource))}:
            self.sources[source] = await self._source(source)
        for step in script:
            if isinstance(step, s.MapIdentity) and step.identity not in self.identities:
                made = await self.api.post(
                    "/identities",
                    {
                        "source_id": str(self.sources[step.identity.source]),
                        "external_id": step.identity.external_id,
                    },
                    expect=201,
                )
                self.identities[step.identity] = made["id"]

    async def _source(self, key: str) -> UUID:
        async with self.world.database.write(self.api.org_id) as session:
            found = await session.execute(select(Source.id).where(Source.org_id == self.api.org_id, Source.key == key))
            source_id = found.scalar_one_or_none()
            if source_id is None:
                source_id = (await add_source(session, self.api.org_id, key=key, name=key, system="api")).id
        return source_id

    async def run(self, step: s.Step) -> None:
        """One step, at its instant."""
        await self.api.set_clock(step.at)
        await self.do(step)

    async def do(self, step: s.Step) -> None:  # noqa: C901 - a case for each kind of step
        """One step, whenever it is."""
        post, ids = self.api.post, self.ids
        match step:
            case s.ChangeSettings():
                await self.api.patch(
                    "/organization",
                    {"time_zone": step.time_zone, "currency": step.currency, "week_starts_on": step.week_start},
                )
            case s.AddSource():
                await self._set_counts(step.key, step.counts)
            case s.ChangeCounts():
                await self._set_counts(step.key, step.counts)
            case s.AddMember():
                ids["member", step.member] = (await post("/members", {"name": step.member}))["id"]
            case s.AddTeam():
                parent = ids["team", step.parent] if step.parent else None
                ids["team", step.team] = (await post("/teams", {"name": step.team, "parent_id": parent}))["id"]
            case s.MoveTeam():
                parent = ids["team", step.parent] if step.parent else None
                await post(
                    f"/teams/{ids['team', step.team]}/placements",
                    {"parent_id": parent, "valid_from": step.valid_from.isoformat()},
                )
            case s.AddMembership():
                team = ids["team", step.team]
                made = await post(
                    f"/teams/{team}/memberships",
                    {"member_id": ids["member", step.member], "kind": "member", **_span(step)},
                )
                ids["membership", step.key] = f"/teams/{team}/memberships/{made['id']}"
            case s.EndMembership():
                await self.api.patch(ids["membership", step.key], {"valid_to": step.valid_to.isoformat()})
            case s.DeleteMembership():
                await self.api.delete(ids["membership", step.key])
            case s.MapIdentity():
                path = f"/identities/{self.identities[step.identity]}/mappings"
                made = await post(path, {"member_id": ids["member", step.member], **_span(step)})
                ids["mapping", step.key] = f"{path}/{made['id']}"
            case s.EndMapping():
                await self.api.patch(ids["mapping", step.key], {"valid_to": step.valid_to.isoformat()})
            case s.ChangeMapping():
                await self.api.patch(ids["mapping", step.key], {"member_id": ids["member", step.member]})
            case s.DeleteMapping():
                await self.api.delete(ids["mapping", step.key])
            case s.PostEvents():
                await self._post_events(step)
            case s.AddKpi():
                await post("/kpis", _kpi(step.kpi) | definition_json(step.definition), expect=201)
            case s.AddKpiVersion():
                valid_from = None if step.valid_from is None else step.valid_from.isoformat()
                body = definition_json(step.definition) | {"valid_from": valid_from}
                await post(f"/kpis/{step.kpi}/versions", body, expect=201)
            case _:
                await self._run_newer(step)

    async def _run_newer(self, step: s.Step) -> None:
        """People's work, and rates."""
        post, ids = self.api.post, self.ids
        match step:
            case s.AddCalendar():
                ids["calendar", step.key] = (await post("/calendars", calendar_json(step)))["id"]
            case s.AddAssignment():
                await post(f"/members/{ids['member', step.member]}/assignments", self._assignment(step), expect=201)
            case s.AddEmployment():
                await post(f"/members/{ids['member', step.member]}/employments", _span(step), expect=201)
            case s.AddAbsence():
                body = {**_span(step), "effect": step.effect}
                await post(f"/members/{ids['member', step.member]}/absences", body, expect=201)
            case s.AddRateSet():
                body = {"key": step.key, "kind": step.kind, "name": step.key}
                await post("/exchange-rates/sets", body, expect=201)
            case s.AddRate():
                pair = {"set": step.rate_set, "base": step.base, "quote": step.quote, "rate": str(step.value)}
                await post("/exchange-rates", pair | _span(step))
            case _:
                await self._run_of_goals(step)

    async def _run_of_goals(self, step: s.Step) -> None:
        """What is aimed at."""
        post, ids = self.api.post, self.ids
        body: JSON
        match step:
            case s.AddGoal():
                ids["goal", step.key] = (await post("/goals", self._goal(step), expect=201))["id"]
            case s.AddRamp():
                body = {"name": step.key, "shares": [str(share) for share in step.shares]}
                ids["ramp", step.key] = (await post("/goal-ramps", body, expect=201))["id"]
            case s.ChangeTarget():
                body = {"target": _target(step), "reason": "We know better."}
                await post(f"/goals/{ids['goal', step.key]}/targets", body, expect=201)
            case s.ChangeTerms():
                await self.api.patch(f"/goals/{ids['goal', step.key]}", self._terms(step))
            case s.SetGoalSettings():
                names = ("behind_below", "ahead_above", "too_early_before")
                await self.api.put("/goal-settings", {name: str(getattr(step, name)) for name in names})
            case _:
                raise TypeError(step)

    def _assignment(self, step: s.AddAssignment) -> JSON:
        calendar = None if step.calendar is None else self.ids["calendar", step.calendar]
        what = {"revenue_role": step.revenue_role, "country": step.country}
        return {"fte": str(step.fte), "calendar_id": calendar, **what, **_span(step)}

    def _goal(self, step: s.AddGoal) -> JSON:
        kind, key = step.owner
        return {
            "name": step.key or "What is aimed at",
            "owner": {"type": kind, "id": None if kind == "organization" else self.ids[kind, key]},
            "kpi": step.kpi,
            "period": f"{step.start}..{step.end - timedelta(days=1)}",
            "target": _target(step),
            "currency": step.currency,
            "counts": step.counts,
            "parent_id": self.ids["goal", step.parent] if step.parent else None,
            **self._terms(step),
        }

    def _terms(self, step: s.AddGoal | s.ChangeTerms) -> JSON:
        milestones = [
            {"key": each.key, "name": each.key, **_written(value=each.value, share=each.share, due_on=each.due_on)}
            for each in step.milestones
        ]
        ramp = self.ids["ramp", step.ramp] if step.ramp else None
        return {"expected": step.expected, "ramp_id": ramp, "milestones": milestones}

    async def _post_events(self, step: s.PostEvents) -> None:
        events = [item_json(item) | {"source": step.source} for item in step.items]
        answer = await self.api.post("/events/batch", {"events": events})
        self.outcomes.append([item["outcome"] for item in answer["items"]])

    async def _set_counts(self, key: str, counts: frozenset[str] | None) -> None:
        async with self.world.database.write(self.api.org_id) as session:
            await set_counts(session, self, key, counts)

    async def keep(self, rounds: int | None = None, *, workers: int = 1) -> None:
        """Let workers keep figures ready, at once: so many rounds each, or until nothing is to be done."""
        keepers = [Keeper(self.world.worker_database) for _ in range(workers)]
        if rounds is None:
            await asyncio.gather(*(keeper.drain(self.api.org_id) for keeper in keepers))
        for _ in range(rounds or 0):
            await asyncio.gather(*(keeper.look_after(self.api.org_id) for keeper in keepers))

    async def drop_kept(self) -> None:
        """Throw everything away that is kept ready: the ledger answers alone."""
        async with self.world.worker_database.write(self.api.org_id) as session:
            for table in (Partial, PartialBuild, PartialGuard):
                await session.execute(delete(table).where(table.org_id == self.api.org_id))

    async def ask(self, query: Query, now: datetime) -> Any:
        """The API's answer to a query of the reference, asked at `now`."""
        await self.api.set_clock(now)
        return await self.api.post("/kpi-results/query", query_json(query, self.ids), expect=200)


async def replay(world: World, script: tuple[s.Step, ...], *, until: int | None = None) -> Replay:
    """An organization that went through all steps, or the first ones of them."""
    first, *rest = script
    assert isinstance(first, s.CreateOrganization)
    api = await world.organization(
        time_zone=first.time_zone, currency=first.currency, week_starts_on=first.week_start, now=first.at
    )
    replayed = Replay(world, api)
    await replayed.prepare(script)
    for step in rest if until is None else script[1:until]:
        await replayed.run(step)
    return replayed


async def set_counts(session: AsyncSession, replayed: Replay, key: str, counts: frozenset[str] | None) -> None:
    """Change what a source is authoritative for, in a transaction that is open."""
    org_id, source_id = replayed.api.org_id, replayed.sources[key]
    at = await clock.tick(session, org_id)
    is_current = SourceCounts.superseded_at.is_(None)
    await session.execute(
        update(SourceCounts)
        .where(SourceCounts.org_id == org_id, SourceCounts.source_id == source_id, is_current)
        .values(superseded_at=at)
    )
    listed = None if counts is None else sorted(counts)
    session.add(SourceCounts(org_id=org_id, source_id=source_id, counts=listed, recorded_at=at))


def _span(step: Any) -> dict[str, str | None]:
    return {
        name: None if value is None else value.isoformat()
        for name, value in (("valid_from", step.valid_from), ("valid_to", step.valid_to))
    }


def _target(step: s.AddGoal | s.ChangeTarget) -> JSON:
    change = step.change if isinstance(step, s.AddGoal) else None
    if change is not None:
        return {"change": {"on": change.on, **_written(by=change.by, amount=change.amount)}}
    band = _written(low=step.low, high=step.high) if isinstance(step, s.AddGoal) else {}
    return _written(value=step.value, stretch=step.stretch) | band


def _written(**values: object) -> JSON:
    """What there is, as text."""
    return {name: str(value) for name, value in values.items() if value is not None}


def _kpi(key: str) -> dict[str, str]:
    return {"key": key, "name": key, "category": "sales_results", "indicator": "lagging"}


# ------------------------------------------------------------------------------------------------------ comparing


def differences(answer: Any, expected: Answer, ids: dict[tuple[str, str], str]) -> list[str]:
    """Where the API's answer is another than the reference's; empty when they agree."""
    found = []
    if [window["start"] for window in answer["windows"]] != [w.start.isoformat() for w in expected.windows]:
        found.append(f"windows {answer['windows']} != {expected.windows}")
    if [window["is_complete"] for window in answer["windows"]] != list(expected.is_complete):
        found.append("is_complete")
    got = {_key_of(series): series for series in answer["series"]}
    wanted = {(each.kpi, *_subject_key(each.subject, ids), _group_key(each.group)): each for each in expected.series}
    # A row or a group of which nothing was found may be told or not; groups are found in the total (S20).
    found += [f"missing {key}" for key in wanted.keys() - got.keys() if not wanted[key].is_empty]
    found += [f"unexpected {key}" for key in got.keys() - wanted.keys() if got[key]["total"]["sample"]]
    for key in wanted.keys() & got.keys():
        found += [f"{key}: {line}" for line in _series_differences(got[key], wanted[key])]
    return found


def _key_of(series: JSON) -> tuple[str, ...]:
    subject, group = series["subject"], series["group"]
    shown = "" if group is None else f"{group['kind']} {group_text(_plain(group['value']))}"
    return series["kpi"], subject["type"], subject["id"] or "", subject["within_team"] or "", shown


def _plain(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else value


def _group_key(group: Group | None) -> str:
    return "" if group is None else f"{group.kind} {group_text(group.value)}"


def _subject_key(subject: Subject, ids: dict[tuple[str, str], str]) -> tuple[str, ...]:
    if subject.kind in {"organization", "unassigned"}:
        return subject.kind, "", ""
    if subject.kind == "team":
        return "team", ids["team", subject.key], ""
    return "member", ids["member", subject.key], ids["team", subject.team] if subject.team else ""


def _series_differences(got: JSON, wanted: Series) -> list[str]:
    cells = [
        _cell(value, status, sample, version, details)
        for value, status, sample, version, details in zip(
            got["values"], got["statuses"], got["samples"], got["kpi_versions"], got["details"], strict=True
        )
    ]
    pairs: list[tuple[str, Any, Any]] = [("windows", cells, [_expected(cell) for cell in wanted.cells])]
    pairs.append(("total", _figures(got["total"]), _expected(wanted.total)))
    pairs.append(("comparisons", sorted(got["comparisons"]), sorted(wanted.comparisons)))
    for way, other in wanted.comparisons.items():
        if way in got["comparisons"]:
            pairs += [(f"{way} {what}", *both) for what, *both in _comparison_pairs(got["comparisons"][way], other)]
    return [f"{place}: got {one}, expected {other}" for place, one, other in pairs if one != other]


def _comparison_pairs(got: JSON, wanted: Comparison) -> list[tuple[str, Any, Any]]:
    values = [(_number(value), status) for value, status in zip(got["values"], got["statuses"], strict=True)]
    return [
        ("windows", values, [(_number(cell.value), cell.status) for cell in wanted.cells]),
        ("total", _figures(got["total"]), _expected(wanted.total)),
        ("to date", got["to_date"], _to_date(wanted.to_date)),
        ("to dates", got["to_dates"], [_to_date(each) for each in wanted.to_date_by_window]),
    ]


def _cell(value: Any, status: str, sample: int, version: int | None, details: JSON | None) -> tuple[Any, ...]:
    told = [(details or {}).get(what, 0) for what in ("left_out", "open", "pending", "immature")]
    return _number(value), status, sample, version, *told


def _figures(figures: JSON) -> tuple[Any, ...]:
    return _cell(figures["value"], figures["status"], figures["sample"], figures["kpi_version"], figures["details"])


def _expected(cell: Cell) -> tuple[Any, ...]:
    counts = (cell.left_out, cell.open, cell.pending, cell.young)
    return _number(cell.value), cell.status, cell.sample, cell.kpi_version, *counts


def _to_date(both: ToDate | None) -> dict[str, Any] | None:
    if both is None:
        return None
    current, previous = both.current.value, both.previous.value
    return {"working_days": both.working_days, "current": _json(current), "previous": _json(previous)}


def _json(value: Decimal | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() and abs(value) < 10**15 else float(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(SHOWN.plus(Decimal(str(value))))
