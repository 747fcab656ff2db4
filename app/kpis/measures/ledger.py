"""The events that count at all, from one point of view, with what may be asked of each."""

from collections.abc import Mapping, Sequence
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
    type_coerce,
    union_all,
)
from sqlalchemy import Text as SqlText
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import ARRAY

from app.core.db import known_by
from app.events.models import Event, EventCredit, Source, SourceCounts
from app.kpis.attribution import ALL_TIME, Days
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


EVER = Bounds(ALL_TIME, "ever_")


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
        self._shared_in: dict[tuple[Bounds, str], CTE] = {}
        self._seen = select(*[getattr(Event, name) for name in _READ]).where(
            Event.org_id == scope.organization,
            Event.recorded_at <= scope.known,
            Event.retracted.is_(False),
            Event.occurred_at <= scope.now,
        )

    def view(
        self,
        types: Sequence[str],
        *conditions: Node | None,
        in_days: bool = False,
        role: str | None = None,
        of: Mapping[str, Things] | None = None,
    ) -> tuple[Subquery, FilterCompiler]:
        """The events of these types that count at all: current, authoritative, not in the future (S3, S5, S10).

        `in_days` asks for those of the ledger's days alone, with a `role` for those that its identities have a credit
        of: others may be missing. `of` asks for those about any of some things.
        """
        org_id, known_at = self.scope.organization, self.scope.known
        counted = sorted(things_counted(*conditions))
        things = {thing: f"nth_{n}" for n, thing in enumerate(counted)}
        if counted and in_days:
            # Where an event's place among all of its thing counts, they are all there.
            in_days, of = False, self.things(counted, [(types, self.days)], role)
        event = union_all(*self._known(types, self.days if in_days else None, role, of or {})).subquery("known")
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

    def things(
        self, kinds: Sequence[str], looks: Sequence[tuple[Sequence[str], Bounds]], role: str | None
    ) -> dict[str, Things] | None:
        """The things of these kinds that the identities' own events of some types and days are about.

        None where everybody's are asked for.
        """
        if self._identities is None or role is None:
            return None
        arms = [arm for types, days in looks for arm in self._known(types, days, role, {})]
        own = union_all(*arms).cte()
        return {kind: select(_about(own.c.about, kind)) for kind in kinds}

    def things_of(
        self, kind: str, looks: Sequence[tuple[Sequence[str], Bounds]], role: str, conditions: Sequence[Node | None]
    ) -> dict[str, Things] | None:
        """The things of a kind, as `things`; None too where events of others decide what passes the conditions."""
        return None if things_counted(*conditions) else self.things([kind], looks, role)

    def _known(
        self, types: Sequence[str], days: Bounds | None, role: str | None, of: Mapping[str, Things]
    ) -> list[Select[Any]]:
        """The revisions that held, by ways that an index knows: each condition stands where one has it.

        What was superseded later is asked for by itself: mostly there is none, and `superseded_at IS NULL OR …` would
        keep the database from the indexes of what is current.
        """
        wanted = any_(literal(list(types), ARRAY(_TEXT)))
        seen = self._seen.where(
            Event.type == wanted, *([Event.is_shared] if self.scope.only_shared else []), *_is_any_of(of)
        )
        current = seen.where(Event.superseded_at.is_(None))
        past = seen.where(Event.superseded_at > self.scope.known)
        if days is None:
            return [current, past]
        past = past.where(_lies_in(days, Event))
        if role is None or self._identities is None:
            return [current.where(_lies_in(days, Event)), past]
        shared = self._shared(self._identities, days, role)
        of_several = select(shared).where(shared.c.type == wanted)
        if role != "owner" or self.scope.only_shared:
            return [of_several, past]
        theirs = any_(named_array("identities", self._identities, SqlUuid()))
        return [current.where(Event.identity_id == theirs, _lies_in(days, Event)), of_several, past]

    def _shared(self, identities: Sequence[UUID], days: Bounds, role: str) -> CTE:
        """The current events of somebody's days that they share with others: of all types, once for all measures."""
        if (days, role) not in self._shared_in:
            theirs = select(EventCredit.row_id).where(
                EventCredit.org_id == self.scope.organization,
                EventCredit.identity_id == any_(named_array("identities", identities, SqlUuid())),
                EventCredit.role == role,
                # Without a time: written by a server of the version before.
                or_(_lies_in(days, EventCredit), EventCredit.occurred_at.is_(None)),
            )
            chosen = self._seen.where(Event.superseded_at.is_(None), Event.is_shared, Event.row_id.in_(theirs))
            self._shared_in[days, role] = chosen.cte()
        return self._shared_in[days, role]

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
