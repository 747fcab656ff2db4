"""How figures are kept: each step is a transaction that holds the guard row of one shard, and lasts a moment.

READ COMMITTED, in separate statements: the guard is locked, then what figures depend on is read, then markers are
claimed, then cells are computed from the ledger, then the claimed markers are removed. What is committed after a
statement began has a marker of its own, which is not claimed yet; so nothing is lost, and whoever dies gives all back.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    TIMESTAMP,
    Date,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database, OrganizationId, Ready, plan_anew
from app.core.ids import NIL, new_id
from app.events.bulk import among, insert_rows
from app.events.facts import OWNER
from app.events.models import Event, EventCredit, StaleMarker
from app.events.sharding import EVERYBODY, shard_of
from app.kpis.measures.bound import bound_table
from app.kpis.partials import guard
from app.kpis.partials.guard import State, is_in_shard
from app.kpis.partials.models import Partial, PartialBuild, PartialGuard, PartialMeasure
from app.kpis.partials.recomputing import Kept, marked_days, rewriting
from app.kpis.partials.shapes import Shape
from app.teams.models import Identity

_DAY = timedelta(days=1)
CLAIMED = 4_000
"""So many markers that name cells are taken at a time."""
DISCARDED = 20_000
"""So many that name none."""
BUILT_EVENTS = 600_000
"""About so many events of an organization are passed in one piece of building, divided by the shapes."""
MONTH_EVENTS = 3_000_000
"""At most so many where a month has more, which is never divided: its shapes are built one after the other."""
SAMPLE = 2_000
"""So many events tell how many a day has."""
CHUNK_EVENTS = 50_000
"""About so many events of an organization are passed when days that are over are added."""


@dataclass(frozen=True)
class Building(Kept):
    """A shape with the next month to be built in a shard; None: all are."""

    next_month: date | None


@dataclass(frozen=True)
class Done:
    """What a step did: how many markers it removed, whether more is waiting for the same step, if it could at all."""

    markers: int = 0
    is_more: bool = False
    is_anything: bool = False
    is_held: bool = False


HELD = Done(is_held=True)
"""Another has the shard: it does what is to be done."""


async def has_work(session: AsyncSession, org_id: OrganizationId) -> bool:
    """Whether there are markers whose time has come, days that are over, or another basis; asked often, so it is cheap.

    Whether a shape is wanted that is not built is not asked.
    """
    now = await clock.now(session, org_id)
    [row] = await _HAS_WORK.rows(session, org_id=org_id, now=now)
    return bool(row[0])


def _has_work() -> Select[Any]:
    org_id, now = bindparam("org_id", type_=Uuid()), bindparam("now", type_=TIMESTAMP(timezone=True))
    is_marked = exists().where(StaleMarker.org_id == org_id, StaleMarker.occurred_at <= now)
    is_behind = exists().where(
        PartialGuard.org_id == org_id,
        or_(
            PartialGuard.before.is_(None),
            PartialGuard.before != cast(func.timezone(guard.zone_of(org_id), now), Date()),
            PartialGuard.basis != guard.basis(org_id),
        ),
    )
    return select(or_(is_marked, is_behind))


_HAS_WORK = Ready(_has_work())


async def tend(database: Database, org_id: OrganizationId, shard: int, wanted: frozenset[bytes]) -> list[Done]:
    """One round over a shard: its days and markers first, then a piece of what is not built yet."""
    done = []
    for step in (catch_up, build):
        async with database.write(org_id) as session:
            done.append(await step(session, org_id, shard, wanted))
    return done


async def catch_up(session: AsyncSession, org_id: OrganizationId, shard: int, wanted: frozenset[bytes]) -> Done:
    """Let the shard's cells say what the ledger says: begin anew, add days that are over, or clear markers."""
    state = await _locked(session, org_id, shard)
    if state is None:
        return HELD
    at, today = await _now(session, org_id, state)
    if state.before is None or state.basis != state.now_basis or today < state.before:
        return await _begin_anew(session, org_id, state, at, today)
    kept = await _builds(session, org_id, shard)
    if state.before < today:
        return await _add_days(session, org_id, state, kept, at, today)
    return await _clear(session, org_id, state, kept, at)


async def build(session: AsyncSession, org_id: OrganizationId, shard: int, wanted: frozenset[bytes]) -> Done:
    """Build a month of what is not built yet, newest first; or remove something that nobody wants any more."""
    state = await _locked(session, org_id, shard)
    if state is None:
        return HELD
    at, today = await _now(session, org_id, state)
    if state.before is None or state.basis != state.now_basis or today < state.before:
        return Done()
    unwanted = await _drop(session, org_id, shard, wanted)
    begun = await _begin(session, org_id, state, wanted)
    builds = [each for each in await _builds(session, org_id, shard) if each.next_month is not None]
    if not builds:
        return Done(is_anything=unwanted or begun)
    month = max(each.next_month for each in builds if each.next_month)
    now = [each for each in builds if each.next_month == month]
    following = min(_following(month), state.before)
    newest, daily = await _density(session, org_id, state.zone, following)
    now = now[: max(1, int(MONTH_EVENTS / (daily * 31)))] if daily else now
    first = min(month, _first_of_piece(newest, daily * len(now))) if newest else month
    if first < following:
        await _rewrite_all(session, org_id, state, now, (first, following), at, whole_months=following < state.before)
    earlier = await _month_before(session, org_id, state.zone, first)
    await session.execute(
        update(PartialBuild)
        .where(
            PartialBuild.org_id == org_id,
            PartialBuild.shard == shard,
            among(PartialBuild.measure_id, [each.id for each in now]),
        )
        .values(next_month=earlier)
    )
    await guard.save(session, org_id, state, before=state.before, computed_at=at)
    return Done(is_anything=True, is_more=earlier is not None or len(now) < len(builds))


# --------------------------------------------------------------------------------------------------------- state


async def _locked(session: AsyncSession, org_id: OrganizationId, shard: int) -> State | None:
    await plan_anew(session)  # how many rows an array brings is only seen where a plan is made for it
    return await guard.lock(session, org_id, shard)


async def _now(session: AsyncSession, org_id: OrganizationId, state: State) -> tuple[datetime, date]:
    """The instant to compute by, and its local day. It never goes back: what has been counted stays counted.

    Where the clock was set back to an earlier day the shard is begun anew, by the day that it is now.
    """
    now = await clock.now(session, org_id)
    at = max(now, state.computed_at) if state.computed_at else now
    days = select(*[cast(func.timezone(state.zone, literal(each)), Date()) for each in (now, at)])
    row = (await session.execute(days)).one()
    today: date = row[0]
    counted: date = row[1]
    is_set_back = state.before is not None and today < state.before
    return (now, today) if is_set_back else (at, counted)


@lru_cache(maxsize=4096)
def _shape(wire: str) -> Shape:
    return Shape.from_json(json.loads(wire))


async def _builds(session: AsyncSession, org_id: OrganizationId, shard: int) -> list[Building]:
    """What is kept or being built in the shard."""
    rows = await session.execute(
        select(PartialMeasure.id, cast(PartialMeasure.shape, Text()), PartialBuild.next_month)
        .join(
            PartialBuild,
            and_(PartialBuild.org_id == PartialMeasure.org_id, PartialBuild.measure_id == PartialMeasure.id),
        )
        .where(PartialMeasure.org_id == org_id, PartialBuild.org_id == org_id, PartialBuild.shard == shard)
        .order_by(PartialMeasure.id)
    )
    return [Building(measure_id, _shape(wire), month) for measure_id, wire, month in rows]


# ---------------------------------------------------------------------------------------------------- catching up


async def _begin_anew(session: AsyncSession, org_id: OrganizationId, state: State, at: datetime, today: date) -> Done:
    """Nothing is kept any more; what lies after `at` gets a marker again, since it may have been counted before."""
    await session.execute(delete(PartialBuild).where(PartialBuild.org_id == org_id, PartialBuild.shard == state.shard))
    await _mark_future(session, org_id, state.shard, at)
    await guard.save(session, org_id, state, before=today, computed_at=at)
    return Done(is_anything=True, is_more=True)


async def _mark_future(session: AsyncSession, org_id: OrganizationId, shard: int, at: datetime) -> None:
    """A marker for each event of the shard that does not count yet."""
    is_coming = (
        Event.org_id == org_id,
        Event.superseded_at.is_(None),
        Event.retracted.is_(False),
        Event.occurred_at > at,
    )
    when = Event.occurred_at, Event.occurred_on, Event.type
    single = select(func.coalesce(Event.identity_id, NIL), *when).where(*is_coming, Event.is_shared.is_(False))
    whole = [
        select(literal(identity, Uuid()), *when).where(*is_coming, Event.is_shared) for identity in (NIL, EVERYBODY)
    ]
    parts = (
        select(EventCredit.identity_id, *when)
        .join(EventCredit, and_(EventCredit.org_id == Event.org_id, EventCredit.row_id == Event.row_id))
        .where(*is_coming, EventCredit.org_id == org_id, EventCredit.role == OWNER)
    )
    found = union_all(single, parts, *whole).subquery("coming")
    of_shard = select(found).where(is_in_shard(next(iter(found.c)), shard)).distinct()
    rows = await session.execute(of_shard)
    await _append(session, org_id, rows.all())


async def _append(session: AsyncSession, org_id: OrganizationId, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append markers: (identity, occurred_at, occurred_on, type)."""
    made = [
        {"org_id": org_id, "id": new_id(), "identity_id": identity, "occurred_at": at, "occurred_on": on,
         "shard": shard_of(identity), "type": kind}
        for identity, at, on, kind in rows
    ]  # fmt: skip
    if made:
        await session.execute(insert_rows(StaleMarker, made).returning(StaleMarker.org_id))


async def _add_days(
    session: AsyncSession,
    org_id: OrganizationId,
    state: State,
    kept: Sequence[Building],
    at: datetime,
    today: date,
) -> Done:
    """Add days that are over: all of them, or as many as have a good number of events."""
    assert state.before is not None  # noqa: S101 - days are added to what there is
    until = await _until(session, org_id, state.zone, state.before, today)
    if kept:
        await _rewrite_all(session, org_id, state, kept, (state.before, until), at)
    await guard.save(session, org_id, state, before=until, computed_at=at)
    return Done(is_anything=True, is_more=True)


async def _until(session: AsyncSession, org_id: OrganizationId, zone: str, first: date, today: date) -> date:
    """The day before which about CHUNK_EVENTS have happened since the first; at most today."""
    day = cast(func.timezone(zone, Event.occurred_at), Date())
    reached = (
        select(day)
        .where(
            Event.org_id == org_id,
            Event.superseded_at.is_(None),
            Event.occurred_at >= func.timezone(zone, cast(cast(literal(first), Date()), TIMESTAMP())),
        )
        .order_by(Event.occurred_at)
        .offset(CHUNK_EVENTS)
        .limit(1)
    )
    found: date | None = (await session.execute(reached)).scalar_one_or_none()
    return today if found is None else min(today, max(found, first + _DAY))


async def _clear(
    session: AsyncSession, org_id: OrganizationId, state: State, kept: Sequence[Building], at: datetime
) -> Done:
    """Remove markers whose time has come: those of days that are not kept at once, others with their cells."""
    assert state.before is not None  # noqa: S101 - a shard without days is begun first
    discarded = await _discard(session, org_id, state, at)
    claimed = await _claimed(session, org_id, state, at)
    if claimed:
        if marked := marked_days(kept, [each[1:] for each in claimed]):
            days, identities = marked
            special = {"nobody": NIL in identities, "everybody": EVERYBODY in identities}
            await session.execute(rewriting(org_id, state.zone, kept, days, at, **special))
        await session.execute(
            delete(StaleMarker).where(
                StaleMarker.org_id == org_id, among(StaleMarker.id, [each[0] for each in claimed])
            )
        )
        await guard.save(session, org_id, state, before=state.before, computed_at=at)
    is_more = discarded == DISCARDED or len(claimed) == CLAIMED
    return Done(discarded + len(claimed), is_more=is_more, is_anything=bool(discarded or claimed))


def _waiting(org_id: OrganizationId, state: State, at: datetime, *columns: Any) -> Select[Any]:
    """The shard's markers whose time has come: one that lies after `at` stays, whatever its day."""
    return select(*columns).where(
        StaleMarker.org_id == org_id, StaleMarker.shard == state.shard, StaleMarker.occurred_at <= at
    )


def _marked_day(zone: str) -> Any:
    return func.coalesce(StaleMarker.occurred_on, cast(func.timezone(zone, StaleMarker.occurred_at), Date()))


async def _discard(session: AsyncSession, org_id: OrganizationId, state: State, at: datetime) -> int:
    """Remove markers of days that are not kept: such days are computed whole when they are over."""
    of_no_cell = (
        _waiting(org_id, state, at, StaleMarker.id)
        .where(_marked_day(state.zone) >= state.before)
        .limit(DISCARDED)
        .subquery("of_no_cell")
    )
    removed = await session.execute(
        delete(StaleMarker)
        .where(StaleMarker.org_id == org_id, StaleMarker.id.in_(select(of_no_cell.c.id)))
        .execution_options(synchronize_session=False)
    )
    return int(removed.rowcount)  # type: ignore[attr-defined]  # a deletion tells how many


async def _claimed(
    session: AsyncSession, org_id: OrganizationId, state: State, at: datetime
) -> list[tuple[UUID, UUID, date, str | None]]:
    """Markers with their identities, days and types of events. No lock: only who holds the guard removes any."""
    day = _marked_day(state.zone)
    columns = StaleMarker.id, StaleMarker.identity_id, day, StaleMarker.type
    found = _waiting(org_id, state, at, *columns).where(day < state.before)
    return [(row[0], row[1], row[2], row[3]) for row in await session.execute(found.limit(CLAIMED))]


# ------------------------------------------------------------------------------------------------------- building


async def _rewrite_all(
    session: AsyncSession,
    org_id: OrganizationId,
    state: State,
    kept: Sequence[Kept],
    days: tuple[date, date],
    at: datetime,
    *,
    whole_months: bool = False,
) -> None:
    """Make these days of all the shard's identities what the ledger says."""
    special = {"nobody": shard_of(NIL) == state.shard, "everybody": shard_of(EVERYBODY) == state.shard}
    everybody = _everybody_of(org_id, state.shard, *days)
    await session.execute(rewriting(org_id, state.zone, kept, everybody, at, **special, whole_months=whole_months))


def _everybody_of(org_id: OrganizationId, shard: int, first: date, following: date) -> Any:
    """All identities of the shard over the same days, with nobody and EVERYBODY where these are of it."""
    special = [identity for identity in (NIL, EVERYBODY) if shard_of(identity) == shard]
    named = bound_table("named", {"id": (Uuid(), special)})
    identities = union_all(
        select(Identity.id).where(Identity.org_id == org_id, is_in_shard(Identity.id, shard)), select(named.c.id)
    ).subquery("identities")
    days = [cast(literal(first), Date()).label("first_day"), cast(literal(following), Date()).label("next_day")]
    return select(identities.c.id.label("identity_id"), *days).subquery("stale")


async def _begin(session: AsyncSession, org_id: OrganizationId, state: State, wanted: frozenset[bytes]) -> bool:
    """Let what is not kept yet be built from the last day that is over, in place of whatever stood."""
    assert state.before is not None  # noqa: S101 - see `build`
    begun = select(PartialBuild.measure_id).where(PartialBuild.org_id == org_id, PartialBuild.shard == state.shard)
    found = await session.execute(
        select(PartialMeasure.id, PartialMeasure.digest).where(
            PartialMeasure.org_id == org_id, PartialMeasure.id.not_in(begun)
        )
    )
    new = [row.id for row in found if row.digest in wanted]
    if not new:
        return False
    await _remove_cells(session, org_id, state.shard, new)
    month = (state.before - _DAY).replace(day=1)
    rows = [{"org_id": org_id, "measure_id": each, "shard": state.shard, "next_month": month} for each in new]
    await session.execute(insert(PartialBuild).values(rows))
    return True


async def _drop(session: AsyncSession, org_id: OrganizationId, shard: int, wanted: frozenset[bytes]) -> bool:
    """Remove the shard's cells of one shape that nobody wants any more; with the last shard's the shape itself."""
    known = await session.execute(
        select(PartialMeasure.id, PartialMeasure.digest).where(PartialMeasure.org_id == org_id)
    )
    unwanted = [row.id for row in known if row.digest not in wanted][:1]
    if not unwanted:
        return False
    await _remove_cells(session, org_id, shard, unwanted)
    await session.execute(
        delete(PartialBuild).where(
            PartialBuild.org_id == org_id, PartialBuild.shard == shard, among(PartialBuild.measure_id, unwanted)
        )
    )
    built = select(PartialBuild.measure_id).where(PartialBuild.org_id == org_id)
    filled = select(Partial.measure_id).where(Partial.org_id == org_id, among(Partial.measure_id, unwanted))
    await session.execute(
        delete(PartialMeasure).where(
            PartialMeasure.org_id == org_id,
            among(PartialMeasure.id, unwanted),
            PartialMeasure.id.not_in(built),
            PartialMeasure.id.not_in(filled),
        )
    )
    return True


async def _remove_cells(session: AsyncSession, org_id: OrganizationId, shard: int, measures: Sequence[UUID]) -> None:
    await session.execute(
        delete(Partial).where(
            Partial.org_id == org_id, among(Partial.measure_id, measures), is_in_shard(Partial.identity_id, shard)
        )
    )


async def _density(
    session: AsyncSession, org_id: OrganizationId, zone: str, following: date
) -> tuple[date | None, float]:
    """The day of the last event before a day, and how many events a day has then, as far as a sample tells."""
    before = (
        select(cast(func.timezone(zone, Event.occurred_at), Date()))
        .where(
            Event.org_id == org_id,
            Event.superseded_at.is_(None),
            Event.occurred_at < func.timezone(zone, cast(cast(literal(following), Date()), TIMESTAMP())),
        )
        .order_by(Event.occurred_at.desc())
        .limit(1)
    )
    newest: date | None = (await session.execute(before)).scalar_one_or_none()
    if newest is None:
        return None, 0
    earlier: date | None = (await session.execute(before.offset(SAMPLE))).scalar_one_or_none()
    if earlier is None:
        earlier = (await session.execute(before.order_by(None).order_by(Event.occurred_at))).scalar_one()
    return newest, SAMPLE / max((newest - earlier).days, 1)


def _first_of_piece(newest: date, daily: float) -> date:
    """The first of the month from which on about BUILT_EVENTS happened until the newest day; at least one month."""
    days = min(int(BUILT_EVENTS / daily), (newest - date.min).days - 32)
    return (newest - days * _DAY).replace(day=1)


async def _month_before(session: AsyncSession, org_id: OrganizationId, zone: str, month: date) -> date | None:
    """The latest month before this one that has any events."""
    begins = func.timezone(zone, cast(cast(literal(month), Date()), TIMESTAMP()))
    timed = select(func.max(Event.occurred_at)).where(
        Event.org_id == org_id, Event.superseded_at.is_(None), Event.occurred_at < begins
    )
    dated = select(func.max(Event.occurred_on)).where(
        Event.org_id == org_id, Event.occurred_on.is_not(None), Event.occurred_on < month
    )
    day = cast(func.timezone(zone, timed.scalar_subquery()), Date())
    latest: date | None = (await session.execute(select(func.greatest(day, dated.scalar_subquery())))).scalar_one()
    # Where clocks went back at midnight, an instant of the month before may be one of this month's first day.
    return None if latest is None else min(latest, month - _DAY).replace(day=1)


def _following(month: date) -> date:
    return (month + 31 * _DAY).replace(day=1)


# ---------------------------------------------------------------------- servers of the version before


async def adopt(session: AsyncSession, org_id: OrganizationId) -> bool:
    """Complete what servers of the version before wrote, which knew no shards; whether there was anything."""
    foreign = StaleMarker.org_id == org_id, StaleMarker.shard.is_(None)
    found = await session.execute(
        select(StaleMarker.id, StaleMarker.identity_id, StaleMarker.occurred_at, StaleMarker.occurred_on)
        .where(*foreign)
        .limit(CLAIMED)
        .with_for_update(skip_locked=True)
    )
    rows = found.all()
    if not rows:
        return False
    await session.execute(
        update(EventCredit)
        .where(
            EventCredit.org_id == org_id,
            EventCredit.occurred_at.is_(None),
            Event.org_id == org_id,
            Event.row_id == EventCredit.row_id,
        )
        .values(occurred_at=Event.occurred_at, occurred_on=Event.occurred_on)
        .execution_options(synchronize_session=False)
    )
    times = {(row.occurred_at, row.occurred_on) for row in rows}
    whole = [(identity, *when) for identity in (NIL, EVERYBODY) for when in times]
    await _append(session, org_id, [(*each, None) for each in [*whole, *[tuple(row)[1:] for row in rows]]])
    await session.execute(
        delete(StaleMarker)
        .where(StaleMarker.org_id == org_id, among(StaleMarker.id, [row.id for row in rows]))
        .execution_options(synchronize_session=False)
    )
    return True
