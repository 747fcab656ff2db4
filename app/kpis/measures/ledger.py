"""The events that count at all, from one point of view, with what may be asked of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    TIMESTAMP,
    ColumnElement,
    Date,
    Numeric,
    Select,
    Subquery,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy import Text as SqlText
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import ARRAY

from app.core.db import known_by
from app.events.models import Event, EventCredit, Source, SourceCounts
from app.kpis.attribution import Days
from app.kpis.compiler import DIVISION_SCALE, FilterCompiler, things_counted
from app.kpis.expressions.syntax import Node
from app.kpis.measures.bound import bucket, named_array
from app.kpis.measures.scope import REST, CurrencyFactors, Scope

_TEXT = SqlText(collation="C")
Things = Select[Any]
"""The names of things of one kind."""
ORDER = ("occurred_at", "source_key", "external_id")
"""The order of events (S11), by columns of a view."""

_SEEN = (
    *("row_id", "type", "external_id", "occurred_at", "identity_id", "is_shared", "about", "amount", "currency"),
    *("quantity", "duration_seconds", "properties"),
)
_READ = (*_SEEN, "source_id", "occurred_on")
_DAY = timedelta(days=1)
# With room for a day before and after.
_FIRST, _LAST = date.min + _DAY, date.max - _DAY


class Factors:
    """The factors of a currency as arrays, one element for each span of days, bound by names."""

    def __init__(self, factors: CurrencyFactors) -> None:
        self.currency = factors.currency
        values = factors.values().items()
        kinds = (Date(), Date(), Numeric(), Numeric())
        self.first_days, self.next_days, self.multiply, self.divide = (
            named_array(name, each, kind) for (name, each), kind in zip(values, kinds, strict=True)
        )

    def converted(self, amount: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[Any]:
        """The amount by the factors of its day; NULL on a day without."""
        place = bucket(day, self.first_days)
        product = amount * self.multiply[place] + literal(DIVISION_SCALE, Numeric())
        return case((day < self.next_days[place], product / self.divide[place]))


class Bounds:
    """A run of days: first and following day, and the instants between which it lies in every zone, bound by names.

    No zone is a day away from UTC, and each has its own changes: whoever asks by instants looks at the day too.
    """

    def __init__(self, days: Days, name: str) -> None:
        first, following = (datetime.combine(max(_FIRST, min(day, _LAST)), time(), UTC) for day in days)
        self.days = days
        dates = {f"{name}start": days.start, f"{name}end": days.end}
        instants = {f"{name}earliest": first - _DAY, f"{name}latest": following + _DAY}
        self.values: dict[str, Any] = {**dates, **instants}
        self.start, self.end = (bindparam(key, day, Date()) for key, day in dates.items())
        self.earliest, self.latest = (bindparam(key, at, TIMESTAMP(timezone=True)) for key, at in instants.items())


Instant = ColumnElement[datetime]


@dataclass(frozen=True, eq=False)
class Reach:
    """The earliest and the latest instant, both included, at which events of some types and days may have happened."""

    earliest: Instant
    latest: Instant


@dataclass(frozen=True, eq=False)
class Look:
    """Which events are looked at: of some types, of whatever days and instants unless some are said."""

    types: Sequence[str]
    days: Bounds | None = None
    since: Instant | None = None
    until: Instant | None = None

    def holds(self, table: type[Event | EventCredit]) -> list[ColumnElement[bool]]:
        """Whether an event, or one with a credit, happened then, as ranges that indexes have."""
        return [
            *([_lies_in(self.days, table)] if self.days is not None else []),
            *([table.occurred_at >= self.since] if self.since is not None else []),
            *([table.occurred_at <= self.until] if self.until is not None else []),
        ]


class Ledger:
    """The ledger from a point of view, over days that enclose every window. Its days are bound by names with `name`.

    `tells` asks facts to name their related events too, which only somebody who opens a figure wants to know. With
    `identities` nobody else's credits are asked for: events of others may be missing where they are looked at by days.
    """

    def __init__(
        self, scope: Scope, days: Days, name: str = "", *, tells: bool = False, identities: Sequence[UUID] | None = None
    ) -> None:
        self.scope = scope
        self.days = Bounds(days, name)
        self.name = name
        self.tells = tells
        self._identities = identities
        self._factors = [Factors(each) for each in scope.factors if each.spans]
        self._credits_in: dict[tuple[Bounds | None, Instant | None, Instant | None, str], CTE] = {}
        self._seen = select(*[getattr(Event, name) for name in _READ]).where(
            Event.org_id == scope.organization,
            Event.recorded_at <= scope.known,
            Event.retracted.is_(False),
            Event.occurred_at <= scope.now,
        )

    def view(
        self, types: Sequence[str], *conditions: Node | None, in_days: bool = False, role: str | None = None
    ) -> tuple[Subquery, FilterCompiler]:
        """The events of these types that count at all: current, authoritative, not in the future (S3, S5, S10).

        `in_days` asks for those of the ledger's days alone, with a `role` for those that its identities have a credit
        of: others may be missing.
        """
        look = Look(types, self.days if in_days else None)
        counted = sorted(things_counted(*conditions))
        if counted and in_days:
            # Where an event's place among all of its thing counts, they are all there.
            return self.related([Look(types)], *conditions, of=self.things(counted, [look], role))
        return self._view(self._known(look, role), *conditions)

    def related(
        self, looks: Sequence[Look], *conditions: Node | None, of: Mapping[str, Things] | None
    ) -> tuple[Subquery, FilterCompiler]:
        """The events looked at, whosever they are; `of` asks for those about any of some things."""
        about = _is_any_of(of or {})
        return self._view([arm.where(*about) for look in looks for arm in self._known(look, None)], *conditions)

    def _view(self, arms: Sequence[Select[Any]], *conditions: Node | None) -> tuple[Subquery, FilterCompiler]:
        org_id, known_at = self.scope.organization, self.scope.known
        things = {thing: f"nth_{n}" for n, thing in enumerate(sorted(things_counted(*conditions)))}
        event = union_all(*arms).subquery("known")
        local = cast(func.timezone(self.scope.time_zone, event.c.occurred_at), Date())
        day = func.coalesce(event.c.occurred_on, local)
        found = (
            select(
                *[event.c[name] for name in _SEEN],
                Source.key.label("source_key"),
                day.label("day"),
                self._converted(event, day).label("converted"),
                *[_nth(event, thing).label(label) for thing, label in things.items()],
            )
            # There always is one; where its key is not asked for, the database leaves an outer join out.
            .outerjoin(Source, and_(Source.org_id == org_id, Source.id == event.c.source_id))
            .join(SourceCounts, and_(SourceCounts.org_id == org_id, SourceCounts.source_id == event.c.source_id))
            .where(
                known_by(SourceCounts, known_at),
                or_(SourceCounts.counts.is_(None), event.c.type == any_(SourceCounts.counts)),
                *([day >= self.scope.kept_from] if self.scope.kept_from else []),
            )
            # Kept apart: merged into the outer query, the day is computed again wherever it is used.
            .offset(0)
            .subquery()
        )
        return found, FilterCompiler(found, things)

    def things(self, kinds: Sequence[str], looks: Sequence[Look], role: str | None) -> dict[str, Things] | None:
        """The things of these kinds that the identities' own events among these are about.

        None where everybody's are asked for.
        """
        if self._identities is None or role is None:
            return None
        own = union_all(*[arm for look in looks for arm in self._known(look, role)]).cte()
        return {kind: select(_about(own.c.about, kind)) for kind in kinds}

    def things_of(
        self, kind: str, looks: Sequence[Look], role: str, conditions: Sequence[Node | None]
    ) -> dict[str, Things] | None:
        """The things of a kind, as `things`; None too where events of others decide what passes the conditions."""
        return None if things_counted(*conditions) else self.things([kind], looks, role)

    def reach(self, types: Sequence[str]) -> Reach:
        """Between which instants the events of these types and of the ledger's days happened.

        Those that were told to be of a day (`occurred_on`) may have happened whenever.
        """
        dated = select(Event.occurred_at).where(
            Event.org_id == self.scope.organization,
            Event.type == any_(literal(list(types), ARRAY(_TEXT))),
            Event.occurred_on.is_not(None),
            Event.occurred_on >= self.days.start,
            Event.occurred_on < self.days.end,
        )
        held = (Event.superseded_at.is_(None), Event.superseded_at > self.scope.known)
        at = union_all(*[dated.where(condition) for condition in held]).subquery().c.occurred_at
        both = select(
            func.least(self.days.earliest, func.min(at)).label("earliest"),
            func.greatest(self.days.latest, func.max(at)).label("latest"),
        ).cte()
        return Reach(select(both.c.earliest).scalar_subquery(), select(both.c.latest).scalar_subquery())

    def _known(self, look: Look, role: str | None) -> list[Select[Any]]:
        """The revisions that held, by ways that an index knows: each condition stands where one has it.

        With a role those of the ledger's identities; others may be among them. What was superseded later is asked for
        by itself: mostly there is none, and `superseded_at IS NULL OR …` would keep the database from the indexes of
        what is current.
        """
        wanted = any_(literal(list(look.types), ARRAY(_TEXT)))
        seen = self._seen.where(
            Event.type == wanted, *([Event.is_shared] if self.scope.only_shared else []), *look.holds(Event)
        )
        current = seen.where(Event.superseded_at.is_(None))
        past = seen.where(Event.superseded_at > self.scope.known)
        if role is None or self._identities is None:
            return [current, past]
        credited = self._credits(self._identities, look, role)
        # Without a type or a time: written by a server of a version before.
        theirs = select(credited.c.row_id).where(or_(credited.c.type == wanted, credited.c.type.is_(None)))
        of_several = current.where(Event.is_shared, Event.row_id.in_(theirs))
        if role != "owner" or self.scope.only_shared:
            return [of_several, past]
        own = any_(named_array("identities", self._identities, SqlUuid()))
        return [current.where(Event.identity_id == own), of_several, past]

    def _credits(self, identities: Sequence[UUID], look: Look, role: str) -> CTE:
        """Somebody's credits for shared events of whatever type, when they are looked at: once for all measures."""
        key = (look.days, look.since, look.until, role)
        if key not in self._credits_in:
            self._credits_in[key] = (
                select(EventCredit.row_id, EventCredit.type)
                .where(
                    EventCredit.org_id == self.scope.organization,
                    EventCredit.identity_id == any_(named_array("identities", identities, SqlUuid())),
                    EventCredit.role == role,
                    or_(and_(true(), *look.holds(EventCredit)), EventCredit.occurred_at.is_(None)),
                )
                .cte()
            )
        return self._credits_in[key]

    def selected(self, view: Subquery, filters: FilterCompiler, *conditions: Node | None) -> Select[Any]:
        """The events in view that pass all of these conditions, without columns yet."""
        wanted = [filters.condition(condition) for condition in conditions if condition is not None]
        return select().select_from(view).where(*wanted)

    def is_selected(self, filters: FilterCompiler) -> ColumnElement[bool]:
        """Whether an event passes the filter on top of the query."""
        return filters.condition(self.scope.where) if self.scope.where is not None else literal(True)

    def group(self, filters: FilterCompiler) -> ColumnElement[Any]:
        """The group that an event belongs to, as `Row.group`."""
        grouping = self.scope.grouping
        if grouping is None:
            return cast(null(), _TEXT)
        told = filters.json_text(grouping.by)
        if grouping.kept is None:
            return told
        kept = named_array("groups", grouping.kept, _TEXT)
        return case((told == any_(kept), told), else_=literal(REST, _TEXT))

    def _converted(self, event: Subquery, day: ColumnElement[Any]) -> ColumnElement[Any]:
        """The amount in the query's currency; NULL where that cannot be told (S26, S27)."""
        amount: ColumnElement[Any] = type_coerce(event.c.amount, Numeric())
        own = (event.c.currency == self.scope.currency, amount)
        return case(own, *[(event.c.currency == each.currency, each.converted(amount, day)) for each in self._factors])


def _lies_in(days: Bounds, table: type[Event | EventCredit]) -> ColumnElement[bool]:
    """Whether the local day (S1) may be one of these, as two ranges that indexes have."""
    return or_(
        and_(table.occurred_on.is_(None), table.occurred_at >= days.earliest, table.occurred_at < days.latest),
        and_(table.occurred_on.is_not(None), table.occurred_on >= days.start, table.occurred_on < days.end),
    )


def _is_any_of(of: Mapping[str, Things]) -> list[ColumnElement[bool]]:
    """Whether an event is about any of the things: none given is no condition."""
    # With `IS TRUE` they are looked up in a hash; else it may become a join that compares all with all.
    return (
        [or_(*[_about(Event.__table__.c.about, kind).in_(things).is_(True) for kind, things in of.items()])]
        if of
        else []
    )


def _about(about: ColumnElement[Any], thing: str) -> ColumnElement[Any]:
    return about.op("->>")(literal(thing, SqlText())).cast(_TEXT)


def _nth(event: Subquery, thing: str) -> ColumnElement[Any]:
    """The event's place among those of its type about the same thing, over all time and before any filter (S13a)."""
    about = _about(event.c.about, thing)
    order = (event.c.occurred_at, Source.key, event.c.external_id)
    return case((about.is_not(None), func.row_number().over(partition_by=(event.c.type, about), order_by=order)))
