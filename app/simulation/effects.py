"""What KPIs would say instead: those that look at events of the types that change, in the months of these events."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.calendars.periods import local_day
from app.checkup.people import Mapped
from app.core.rehearsals import Rehearsal
from app.events.comparing import Change
from app.events.schemas import Event
from app.kpis.attribution import Subject
from app.kpis.definition import looks
from app.kpis.models import KpiRow
from app.kpis.questions import Query
from app.kpis.service import load_kpis_with_references
from app.results.asking import Asking, moment
from app.results.dependencies import measures_of
from app.results.faces import face_of
from app.results.preview import moved_figure
from app.results.service import subject_out, windows_out
from app.simulation import schemas
from app.teams.structure import load_structure

SECONDS = 8
"""Figures that take longer are left out."""
MOST_KPIS, MOST_MONTHS, MOST_MEMBERS = 12, 3, 5


@dataclass(frozen=True)
class Effects:
    """The figures before and after, and the KPIs that were left out."""

    figures: Sequence[schemas.Effect] = ()
    left_out: Sequence[str] = field(default_factory=list)


async def effects_of(asking: Asking, rehearsal: Rehearsal, changes: Sequence[Change]) -> Effects:
    """What KPIs say with the changes, and without them: as known just before, of the same instant.

    Nothing can be asked in the rehearsal after this.
    """
    events = [event for change in changes for event in (change.before, change.after) if event is not None]
    told = [event for event in events if not event.retracted]
    types = {event.type for event in told if event.type is not None}
    kpis = await _kpis_on(asking, rehearsal, types) if types else []
    if not kpis:
        return Effects()
    seen = await moment(rehearsal.session, asking.org_id, rehearsal.at, rehearsal.at)
    days = [(event, day) for event in told if (day := _day(event, seen.cut.zone)) is not None]
    mapped = Mapped.of(await load_structure(rehearsal.session, asking.org_id, rehearsal.at))
    members = sorted({who for event, day in days for who in _members(event, day, mapped)}, key=str)[:MOST_MEMBERS]
    months = sorted({f"{day:%Y-%m}" for _, day in days}, reverse=True)[:MOST_MONTHS]
    subjects = [Subject("organization"), *(Subject("member", who) for who in members)]
    figures: list[schemas.Effect] = []
    try:
        async with asyncio.timeout(SECONDS):
            for month in months:
                figures += await _figures(asking, rehearsal, kpis[:MOST_KPIS], subjects, month)
    except TimeoutError:  # the transaction is of no use any more, and nothing is asked of it after this
        return Effects(figures, kpis)
    return Effects(figures, kpis[MOST_KPIS:])


async def _kpis_on(asking: Asking, rehearsal: Rehearsal, types: set[str]) -> list[str]:
    """The KPIs that look at events of any of these types themselves or through others, official ones first."""
    in_use = select(KpiRow.key).where(KpiRow.org_id == asking.org_id, KpiRow.state.in_(["draft", "official"]))
    keys = (await rehearsal.session.execute(in_use.order_by(KpiRow.state.desc(), KpiRow.key))).scalars().all()
    histories = await load_kpis_with_references(rehearsal.session, asking.org_id, keys, rehearsal.at)
    found = []
    for key in keys:
        needed = await load_kpis_with_references(rehearsal.session, asking.org_id, [key], rehearsal.at, given=histories)
        if any(types & set(look.events) for measure in measures_of(needed) for look in looks(measure)):
            found.append(key)
    return found


def _day(event: Event, local: ZoneInfo) -> date | None:
    at = event.occurred_at
    return event.occurred_on or (None if at is None else local_day(at, local))


def _members(event: Event, day: date, mapped: Mapped) -> set[UUID]:
    named = [credit.actor for credit in event.credits] or ([event.actor] if event.actor else [])
    return {who for each in named if (who := mapped.member(each.identity_id, day)) is not None}


async def _figures(
    asking: Asking, rehearsal: Rehearsal, kpis: Sequence[str], subjects: Sequence[Subject], month: str
) -> list[schemas.Effect]:
    query = Query(kpis=kpis, subjects=subjects, period=month, as_of=rehearsal.at, known_at=rehearsal.at)
    after = await asking.compute(rehearsal.session, query)
    before = await asking.compute(rehearsal.session, replace(query, known_at=rehearsal.before))
    [window] = windows_out(after)
    return [
        schemas.Effect(
            kpi=face_of(after, now.kpi),
            subject=subject_out(now.subject, after.names[now.subject]),
            window=window,
            **moved_figure(then.total, now.total).model_dump(),
        )
        for then, now in zip(before.series, after.series, strict=True)
    ]
