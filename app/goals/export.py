"""Goals as a file that can be edited and imported again: written row by row, none of them kept in memory."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, BinaryIO, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool

from app.core.db import OrganizationId
from app.core.pagination import Key, paginate_rows
from app.core.problems import ValidationFailed
from app.core.snapshots import Snapshots
from app.core.spreadsheets import Cell, CsvTable, SheetTable
from app.goals import making, queries, schemas
from app.goals.frozen import jsonable
from app.goals.models import Goal
from app.goals.sheet import COLUMNS, PROGRESS_COLUMNS, milestones_cell
from app.goals.standings import standings

MOST_WITH_PROGRESS = 5_000
_PAGE = 200
_WIDTHS = {"goal": 38, "name": 30, "member": 26, "team": 20, "kpi": 20, "milestones": 30, "parent": 38, "reason": 30}
_BLOCK = 65_536


class ExportQuery(schemas.GoalWhich):
    """Which goals, and how they are written."""

    format: Literal["csv", "xlsx"] = Field(default="csv", description="How the file is written.")
    with_progress: bool = Field(
        default=False,
        description="Also how each goal stands now (of at most 5,000): actual, attainment, pace and verdict, all as "
        "of one instant.",
    )
    bom: bool = Field(
        default=False, description="CSV: begin with a byte order mark, by which Excel knows that the file is UTF-8."
    )


@dataclass(frozen=True)
class Exported:
    """A finished file on disk, to be sent and closed by whoever has it; `digest` of all that it says."""

    file: BinaryIO
    size: int
    digest: bytes

    async def blocks(self) -> AsyncIterator[bytes]:
        """The file piece by piece."""
        self.file.seek(0)
        while block := await run_in_threadpool(self.file.read, _BLOCK):
            yield block


@dataclass
class _Names:
    """What people call the owners and ramps of some goals."""

    members: Mapping[UUID, str] = field(default_factory=dict)
    teams: Mapping[UUID, str] = field(default_factory=dict)
    ramps: Mapping[UUID, str] = field(default_factory=dict)


async def export_goals(snapshots: Snapshots, query: ExportQuery) -> Exported:
    """The goals that match, oldest first, as a file. Raises `ValidationFailed` for too many with progress."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed by whoever gets it
    try:
        async with snapshots.at(None) as session:
            digest = await _write(session, snapshots.org_id, query, file)
    except BaseException:
        file.close()
        raise
    return Exported(file, file.seek(0, 2), digest)


async def _write(session: AsyncSession, org_id: OrganizationId, query: ExportQuery, file: BinaryIO) -> bytes:
    columns = [*COLUMNS, *(PROGRESS_COLUMNS if query.with_progress else ())]
    digest = hashlib.sha256(query.format.encode() + bytes([query.bom]))
    with _table(query, columns, file) as table:
        await run_in_threadpool(table.write, [columns])
        async for rows in _pages(session, org_id, query):
            digest.update(repr([row | {"as_of": None} for row in rows]).encode())
            await run_in_threadpool(table.write, [[row[name] for name in columns] for row in rows])
    return digest.digest()


def _table(query: ExportQuery, columns: Sequence[str], file: BinaryIO) -> CsvTable | SheetTable:
    if query.format == "csv":
        return CsvTable(file, has_byte_order_mark=query.bom)
    return SheetTable(file, "Goals", [_WIDTHS.get(name, 14) for name in columns])


async def _pages(
    session: AsyncSession, org_id: OrganizationId, query: ExportQuery
) -> AsyncIterator[list[dict[str, Cell]]]:
    """The rows by the names of their columns, some at a time."""
    wanted = schemas.GoalFilters(limit=_PAGE, **{name: getattr(query, name) for name in schemas.GoalWhich.model_fields})
    matching = queries.matching(org_id, wanted, await making.today_of(session, org_id))
    if query.with_progress:
        await _require_few(session, org_id, matching)
    while True:
        statement = queries.listed(org_id).where(*matching)
        rows, following = await paginate_rows(session, statement, [Key(Goal.created_at), Key(Goal.id)], wanted)
        names = await _names(session, org_id, rows)
        told = [_told(row, names) for row in rows]
        if query.with_progress:
            stand = await _standings(session, org_id, [row.id for row in rows])
            told = [each | stand[row.id] for row, each in zip(rows, told, strict=True)]
        yield told
        if following is None:
            return
        wanted = wanted.model_copy(update={"cursor": following})


async def _require_few(session: AsyncSession, org_id: OrganizationId, matching: Sequence[Any]) -> None:
    found = queries.ids(org_id).where(*matching).subquery()
    count = (await session.execute(select(func.count()).select_from(found))).scalar_one()
    if count > MOST_WITH_PROGRESS:
        told = f"{count} goals match; progress is told of at most {MOST_WITH_PROGRESS} at a time: narrow it down."
        raise ValidationFailed.at("?with_progress", told, "too_many")


async def _names(session: AsyncSession, org_id: OrganizationId, rows: Sequence[Any]) -> _Names:
    members = await session.execute(queries.members_told(org_id, _ids(row.member_id for row in rows)))
    teams = await session.execute(queries.teams_told(org_id, _ids(row.team_id for row in rows)))
    ramps = await session.execute(queries.ramps_told(org_id, _ids(row.ramp_id for row in rows)))
    return _Names(
        members={each.id: each.email or each.name for each in members},
        teams={each.id: each.name for each in teams},
        ramps={each.id: each.name for each in ramps},
    )


def _ids(found: Iterable[UUID | None]) -> list[UUID]:
    return sorted({each for each in found if each is not None})


def _told(row: Any, names: _Names) -> dict[str, Cell]:
    """A goal by the names of the columns; what an import may leave as it is, is written as it stands."""
    return {
        "goal": str(row.id),
        "version": row.version,
        "name": row.name,
        "description": row.description,
        "member": names.members.get(row.member_id),
        "team": names.teams.get(row.team_id),
        "kpi": row.kpi_key,
        "period": row.period,
        "first_day": row.start_on,
        "last_day": row.end_on - timedelta(days=1),
        "amount": row.value,
        "low": row.low,
        "high": row.high,
        "stretch": row.stretch,
        **dict(_change(row.baseline)),
        "currency": row.currency,
        "rate_set": row.rate_set,
        "weight": row.weight,
        "parent": None if row.parent_id is None else str(row.parent_id),
        "counts": row.counts,
        "expected": row.expected,
        "ramp": names.ramps.get(row.ramp_id),
        "milestones": milestones_cell(row.milestones),
        "yields": row.yields,
        "state": row.state,
        "reason": None,
    }


def _change(baseline: Mapping[str, Any] | None) -> Iterator[tuple[str, Cell]]:
    """The change of a relative target; beside its amount it says how that came about."""
    told = baseline or {}
    for name in ("by", "amount"):
        yield f"change_{name}", None if told.get(name) is None else Decimal(told[name])
    yield "change_on", told.get("on")
    yield "change_stretch", None  # its result is the stretch target


async def _standings(session: AsyncSession, org_id: OrganizationId, ids: Sequence[UUID]) -> dict[UUID, dict[str, Cell]]:
    """How these goals stand now, closed ones as they were frozen; without figures what cannot be told any more."""
    found = (await session.execute(queries.goals_alone(org_id, ids))).scalars().all()
    targets = (await session.execute(queries.present_targets(org_id, ids))).scalars()
    of_goal = {target.goal_id: target for target in targets}
    told = {goal.id: _figures(goal.closing or {}) for goal in found}
    still = [(goal, of_goal[goal.id]) for goal in found if goal.closing is None]
    async for goal, _, standing in standings(session, still):
        told[goal.id] = _figures({name: jsonable(getattr(standing, name)) for name in PROGRESS_COLUMNS})
    return told


def _figures(told: Mapping[str, Any]) -> dict[str, Cell]:
    return {
        name: Decimal(told[name]) if name in _NUMBERS and told.get(name) is not None else told.get(name)
        for name in PROGRESS_COLUMNS
    }


_NUMBERS = frozenset({"actual", "attainment", "pace"})
