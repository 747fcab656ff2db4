"""Replays a script of the reference over the HTTP API, each step at its instant, and asks its queries."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.core import clock
from app.events.sources import Source, SourceCounts, add_source
from tests.reference import steps as s
from tests.reference.results import Answer, Cell, Query, ToDate
from tests.reference.snapshot import Subject
from tests.reference.wire import definition_json, item_json, query_json
from tests.reference.world import Identity
from tests.support import Api, World

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

    async def run(self, step: s.Step) -> None:  # noqa: C901 - a case for each kind of step
        """One step, at its instant."""
        await self.api.set_clock(step.at)
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
                raise TypeError(step)

    async def _post_events(self, step: s.PostEvents) -> None:
        events = [item_json(item) | {"source": step.source} for item in step.items]
        answer = await self.api.post("/events/batch", {"events": events})
        self.outcomes.append([item["outcome"] for item in answer["items"]])

    async def _set_counts(self, key: str, counts: frozenset[str] | None) -> None:
        async with self.world.database.write(self.api.org_id) as session:
            at = await clock.tick(session, self.api.org_id)
            await session.execute(
                update(SourceCounts)
                .where(
                    SourceCounts.org_id == self.api.org_id,
                    SourceCounts.source_id == self.sources[key],
                    SourceCounts.superseded_at.is_(None),
                )
                .values(superseded_at=at)
            )
            listed = None if counts is None else sorted(counts)
            session.add(
                SourceCounts(org_id=self.api.org_id, source_id=self.sources[key], counts=listed, recorded_at=at)
            )

    async def ask(self, query: Query, now: datetime) -> Any:
        """The API's answer to a query of the reference, asked at `now`."""
        await self.api.set_clock(now)
        return await self.api.post("/kpi-results/query", query_json(query, self.ids), expect=200)


async def replay(world: World, script: tuple[s.Step, ...]) -> Replay:
    """An organization that went through all steps."""
    first, *rest = script
    assert isinstance(first, s.CreateOrganization)
    api = await world.organization(
        time_zone=first.time_zone, currency=first.currency, week_starts_on=first.week_start, now=first.at
    )
    replayed = Replay(world, api)
    await replayed.prepare(script)
    for step in rest:
        await replayed.run(step)
    return replayed


def _span(step: Any) -> dict[str, str | None]:
    return {
        name: None if value is None else value.isoformat()
        for name, value in (("valid_from", step.valid_from), ("valid_to", step.valid_to))
    }


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
    wanted = {(series.kpi, *_subject_key(series.subject, ids)): series for series in expected.series}
    found += [f"missing {key}" for key in wanted.keys() - got.keys()]
    # The rows of a team's people are the same for all KPIs of a query: whom one of them has is in all.
    found += [f"unexpected {key}" for key in got.keys() - wanted.keys() if got[key]["total"]["sample"]]
    for key in wanted.keys() & got.keys():
        found += [f"{key}: {line}" for line in _series_differences(got[key], wanted[key])]
    return found


def _key_of(series: Any) -> tuple[str, ...]:
    subject = series["subject"]
    return series["kpi"], subject["type"], subject["id"] or "", subject["within_team"] or ""


def _subject_key(subject: Subject, ids: dict[tuple[str, str], str]) -> tuple[str, ...]:
    if subject.kind in {"organization", "unassigned"}:
        return subject.kind, "", ""
    if subject.kind == "team":
        return "team", ids["team", subject.key], ""
    return "member", ids["member", subject.key], ids["team", subject.team] if subject.team else ""


def _series_differences(got: Any, wanted: Any) -> list[str]:
    cells = [
        _cell(value, status, sample, version, details)
        for value, status, sample, version, details in zip(
            got["values"], got["statuses"], got["samples"], got["kpi_versions"], got["details"], strict=True
        )
    ]
    expected = [_expected(cell) for cell in wanted.cells]
    pairs: list[tuple[str, Any, Any]] = [("windows", cells, expected)]
    pairs.append(("total", _figures(got["total"]), _expected(wanted.total)))
    if wanted.previous_period is not None:
        before, other = got["comparisons"]["previous_period"], wanted.previous_period
        values = zip(before["values"], before["statuses"], strict=True)
        short = [(_number(cell.value), cell.status) for cell in other.cells]
        pairs.append(("previous windows", [(_number(value), status) for value, status in values], short))
        pairs.append(("previous total", _figures(before["total"]), _expected(other.total)))
        pairs.append(("to date", before["to_date"], _to_date(other.to_date)))
        pairs.append(("to dates", before["to_dates"], [_to_date(each) for each in other.to_date_by_window]))
    return [f"{place}: got {one}, expected {other}" for place, one, other in pairs if one != other]


def _cell(value: Any, status: str, sample: int, version: int | None, details: Any) -> tuple[Any, ...]:
    counts = details or {"left_out": 0, "open": 0, "pending": 0}
    return _number(value), status, sample, version, counts["left_out"], counts["open"], counts["pending"]


def _figures(figures: Any) -> tuple[Any, ...]:
    return _cell(figures["value"], figures["status"], figures["sample"], figures["kpi_version"], figures["details"])


def _expected(cell: Cell) -> tuple[Any, ...]:
    return (
        _number(cell.value), cell.status, cell.sample, cell.kpi_version, cell.left_out, cell.open, cell.pending
    )  # fmt: skip


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
