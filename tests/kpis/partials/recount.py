"""What cells should say, by a slow and obvious look at every row of the ledger."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.ids import NIL
from app.events.models import Event, EventCredit, SourceCounts
from app.events.sharding import EVERYBODY
from app.kpis.partials.models import Partial, PartialMeasure
from app.kpis.partials.shapes import Part, Shape

Key = tuple[bytes, UUID, bool, date, str]
"""Digest of the shape, identity, whether shared, day, currency."""


@dataclass
class Cell:
    """What is known of a key; amounts are None where nothing was added."""

    n: int = 0
    left_out: int = 0
    weight: Decimal | None = None
    total: Decimal | None = None
    whole: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def says_anything(self) -> bool:
        return bool(self.n or self.left_out)


@dataclass
class Fact:
    """An event that counts, with its owners."""

    row: Mapping[str, Any]
    shares: dict[UUID, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


async def facts(session: AsyncSession, org_id: OrganizationId, at: datetime) -> list[Fact]:
    """The events that are in any figure at an instant."""
    counts = {
        row.source_id: row.counts
        for row in await session.execute(
            select(SourceCounts.source_id, SourceCounts.counts).where(
                SourceCounts.org_id == org_id, SourceCounts.superseded_at.is_(None)
            )
        )
    }
    rows = await session.execute(select(*Event.__table__.c).where(Event.org_id == org_id))
    found = {
        row["row_id"]: Fact(dict(row))
        for row in rows.mappings()
        if row["superseded_at"] is None
        and not row["retracted"]
        and row["occurred_at"] <= at
        and (counts[row["source_id"]] is None or row["type"] in counts[row["source_id"]])
    }
    credits_ = await session.execute(select(*EventCredit.__table__.c).where(EventCredit.org_id == org_id))
    for credit in credits_.mappings():
        if credit["row_id"] in found and credit["role"] == "owner":
            found[credit["row_id"]].shares[credit["identity_id"]] += credit["share"]
    return list(found.values())


def cells(events: Iterable[Fact], shapes: Sequence[Shape], zone: str) -> dict[Key, Cell]:
    """Every cell of every day."""
    found: dict[Key, Cell] = defaultdict(Cell)
    for event in events:
        day = event.row["occurred_on"] or event.row["occurred_at"].astimezone(ZoneInfo(zone)).date()
        for shape in shapes:
            states = [state for part in shape.parts if (state := _state(part, event.row))]
            if not states:
                continue
            value = _value(shape.parts[0], event.row)
            currency = (event.row["currency"] or "") if shape.is_money else ""
            for identity, share in _owners(event).items():
                cell = found[shape.digest, identity, event.row["is_shared"], day, currency]
                _add(cell, shape, states, value, share, is_shared=event.row["is_shared"])
    return dict(found)


def _owners(event: Fact) -> dict[UUID, Decimal]:
    if not event.row["is_shared"]:
        return {event.row["identity_id"] or NIL: Decimal(1)}
    return {EVERYBODY: Decimal(1)} | (dict(event.shares) or {NIL: Decimal(1)})


def _state(part: Part, row: Mapping[str, Any]) -> str | None:
    """What becomes of an event: `enters`, `left_out`, or nothing. Filters here compare one property with a text."""
    if row["type"] not in part.events or not _passes(part, row):
        return None
    if part.value is None or _value(part, row) is not None:
        return "enters"
    is_there = part.value.path[0] == "properties" and part.value.path[1] in row["properties"]
    return "left_out" if is_there else None


def _passes(part: Part, row: Mapping[str, Any]) -> bool:
    where: Any = part.where
    return where is None or row["properties"].get(where.left.path[1]) == where.right.value


def _value(part: Part, row: Mapping[str, Any]) -> Decimal | None:
    if part.value is None:
        return None
    if part.value.path[0] != "properties":
        found: Decimal | None = row[part.value.path[0]]
        return found
    value = row["properties"].get(part.value.path[1])
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return Decimal(value) if is_number else None


def _add(
    cell: Cell, shape: Shape, states: Sequence[str], value: Decimal | None, share: Decimal, *, is_shared: bool
) -> None:
    cell.left_out += "left_out" in states
    if "enters" not in states:
        return
    cell.n += 1
    if is_shared:
        cell.weight = (cell.weight or 0) + share
    if shape.keeps == "total" and value is not None:
        cell.total = (cell.total or 0) + share * value
        if is_shared:
            cell.whole = (cell.whole or 0) + value
    if shape.keeps == "range" and value is not None:
        cell.low = value if cell.low is None else min(cell.low, value)
        cell.high = value if cell.high is None else max(cell.high, value)


async def kept(session: AsyncSession, org_id: OrganizationId) -> dict[Key, Cell]:
    """Every cell as it is kept; each month is asked whether it is what its days make."""
    rows = await session.execute(
        select(Partial, PartialMeasure.digest)
        .join(PartialMeasure, PartialMeasure.id == Partial.measure_id)
        .where(Partial.org_id == org_id, PartialMeasure.org_id == org_id)
    )
    found: dict[Key, Cell] = {}
    for row, digest in rows:
        days = [
            Cell(*values)
            for values in zip(
                row.day_n, row.day_left_out,
                *[getattr(row, f"day_{name}") or [None] * len(row.day_n)
                  for name in ("weight", "total", "whole", "low", "high")],
                strict=True,
            )
        ]  # fmt: skip
        assert month_of(days) == Cell(row.n, row.left_out, row.weight, row.total, row.whole, row.low, row.high)
        for number, cell in enumerate(days):
            day = row.month.replace(day=number + 1)
            found[digest, row.identity_id, row.is_shared, day, row.currency] = cell
    return found


def month_of(days: Sequence[Cell]) -> Cell:
    """What the days of a month make together."""

    def told(name: str) -> list[Decimal]:
        return [value for each in days if (value := getattr(each, name)) is not None]

    sums = {name: sum(told(name), Decimal(0)) if told(name) else None for name in ("weight", "total", "whole")}
    return Cell(
        sum(each.n for each in days),
        sum(each.left_out for each in days),
        weight=sums["weight"],
        total=sums["total"],
        whole=sums["whole"],
        low=min(told("low"), default=None),
        high=max(told("high"), default=None),
    )
