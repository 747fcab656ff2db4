"""The rates that stand, and what becomes of them when others are recorded."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, Uuid, any_, insert, literal, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.ids import new_id
from app.rates import queries, schemas
from app.rates.models import ExchangeRateRow, RateSetRow

Done = Literal["created", "corrected", "unchanged"]
PairOfSet = tuple[UUID, str, str]
RateKey = tuple[UUID, str, str, date]

_TABLE = cast(Table, ExchangeRateRow.__table__)  # a mapped class has one


@dataclass(frozen=True, slots=True)
class Entry:
    """A rate to be recorded, and its set."""

    told: schemas.ExchangeRateCreate
    into: RateSetRow

    @property
    def pair(self) -> PairOfSet:
        return self.into.id, self.told.base, self.told.quote

    @property
    def key(self) -> RateKey:
        return *self.pair, self.told.valid_from


@dataclass
class Standing:
    """The rates that stand, by set, pair and first day, and how they change."""

    org_id: OrganizationId
    at: datetime
    by_pair: dict[PairOfSet, dict[date, ExchangeRateRow]] = field(default_factory=dict)
    days: dict[PairOfSet, list[date]] = field(default_factory=dict)
    """The first days of each pair, in order: a large upload must not look at all of them for each of its rates."""
    superseded: list[ExchangeRateRow] = field(default_factory=list)
    inserted: list[ExchangeRateRow] = field(default_factory=list)

    async def load(self, session: AsyncSession, entries: Sequence[Entry]) -> None:
        """Read what new rates have to do with: in a daily set those of the same days, in a fixed one all of a pair."""
        pairs = {entry.pair for entry in entries if entry.into.kind == "fixed"}
        days = {entry.key for entry in entries if entry.into.kind != "fixed"}
        wanted = [queries.of_pairs(self.org_id, pairs)] if pairs else []
        wanted += [queries.of_days(self.org_id, days)] if days else []
        for statement in wanted:
            for row in (await session.execute(statement)).scalars():
                self.by_pair.setdefault((row.rate_set_id, row.base, row.quote), {})[row.valid_from] = row
        self.days = {pair: sorted(rates) for pair, rates in self.by_pair.items()}

    def clash(self, entry: Entry) -> ExchangeRateRow | None:
        """A rate of the pair that begins just before or after this one and shares a day with it, where none may."""
        if entry.into.kind != "fixed":
            return None
        known, days, told = self.by_pair.get(entry.pair, {}), self.days.get(entry.pair, []), entry.told
        place = bisect_left(days, told.valid_from)
        before = known[days[place - 1]] if place else None
        if before is not None and (before.valid_to is None or told.valid_from < before.valid_to):
            return before
        place = bisect_right(days, told.valid_from)
        after = known[days[place]] if place < len(days) else None
        return after if after is not None and (told.valid_to is None or after.valid_from < told.valid_to) else None

    def take(self, entry: Entry) -> tuple[Done, ExchangeRateRow]:
        """Let the rate stand; tells what that changed."""
        known = self.by_pair.setdefault(entry.pair, {})
        old = known.get(entry.told.valid_from)
        if old is not None and (old.rate, old.valid_to) == (entry.told.rate, entry.told.valid_to):
            return "unchanged", old
        row = self._row(entry, old)
        if old is not None:
            self.superseded.append(old)
        else:
            insort(self.days.setdefault(entry.pair, []), row.valid_from)
        self.inserted.append(row)
        known[row.valid_from] = row
        return ("created" if old is None else "corrected"), row

    async def write(self, session: AsyncSession) -> None:
        """Store what changed, in two statements: the organization's other writers wait meanwhile."""
        if self.superseded:
            await session.execute(
                update(ExchangeRateRow)
                .where(ExchangeRateRow.org_id == self.org_id, _among(row.row_id for row in self.superseded))
                .values(superseded_at=self.at)
                .execution_options(synchronize_session=False)
            )
        if self.inserted:
            await session.execute(insert(_TABLE), [self._columns(row) for row in self.inserted])

    def _row(self, entry: Entry, old: ExchangeRateRow | None) -> ExchangeRateRow:
        return ExchangeRateRow(
            org_id=self.org_id,
            row_id=new_id(),
            id=new_id() if old is None else old.id,
            rate_set_id=entry.into.id,
            base=entry.told.base,
            quote=entry.told.quote,
            valid_from=entry.told.valid_from,
            valid_to=entry.told.valid_to,
            rate=entry.told.rate,
            is_fixed=entry.into.kind == "fixed",
            version=1 if old is None else old.version + 1,
            created_at=self.at if old is None else old.created_at,
            recorded_at=self.at,
        )

    def _columns(self, row: ExchangeRateRow) -> dict[str, Any]:
        return {column.name: getattr(row, column.name) for column in _TABLE.columns}


def _among(row_ids: Iterable[UUID]) -> ColumnElement[bool]:
    return ExchangeRateRow.row_id == any_(literal(list(row_ids), ARRAY(Uuid())))
