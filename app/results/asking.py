"""How the analyses ask the engine: one snapshot, one limit, and errors that point into the request as it was posted."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol, TypedDict, Unpack

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import CalendarSettings, Grain, local_day
from app.calendars.service import calendar_settings
from app.core import clock
from app.core.db import OrganizationId
from app.core.problems import ErrorItem, ValidationFailed
from app.core.snapshots import Snapshots
from app.kpis.attribution import Subject
from app.kpis.engine import compute
from app.kpis.history import KpiHistory
from app.kpis.ports import Targets
from app.kpis.questions import Answer, GroupBy, MembersOf, Query
from app.results import schemas
from app.results.service import filter_of, subject_of


@dataclass(frozen=True)
class Asking:
    """Opens snapshots of one organization and computes in them, within the limit of one answer."""

    snapshots: Snapshots
    max_cells: int
    targets: Targets

    @property
    def org_id(self) -> OrganizationId:
        """Whose ledger it is."""
        return self.snapshots.org_id

    def at(self, *instants: datetime | None) -> AbstractAsyncContextManager[AsyncSession]:
        """A snapshot for an answer that names these instants; None: of now."""
        return self.snapshots.at(*instants)

    async def compute(self, session: AsyncSession, query: Query) -> Answer:
        """The engine's answer. Raises as `engine.compute` does."""
        return await compute(session, self.org_id, query, max_cells=self.max_cells, targets=self.targets)


class More(TypedDict, total=False):
    """What a question may say beside what every analysis asks."""

    grain: Grain
    group_by: GroupBy | None
    whole_person: bool
    versions: Mapping[str, int]
    definitions: Mapping[str, KpiHistory]


class View(Protocol):
    """From where an answer is seen; what `schemas.Point` has of it without the two instants."""

    attribution: Literal["at_event", "current"]
    where: str | None
    currency: str | None
    rate_set: str | None


@dataclass(frozen=True)
class Moment:
    """The two instants of an answer (S5), so that several questions of one analysis share them; and T's local day."""

    at: datetime
    known_at: datetime
    cut: CalendarSettings

    @property
    def today(self) -> date:
        """The local day of T."""
        return local_day(self.at, self.cut.zone)


async def moment(
    session: AsyncSession, org_id: OrganizationId, as_of: datetime | None, known_at: datetime | None = None
) -> Moment:
    """The instants of an answer in the session's snapshot."""
    at = as_of or await clock.now(session, org_id)
    known = known_at or as_of or await clock.last_recorded(session, org_id)
    return Moment(at, known, await calendar_settings(session, org_id, known))


def question(
    asked: View,
    seen: Moment,
    kpis: Sequence[str],
    subjects: Sequence[Subject | MembersOf],
    period: str,
    **more: Unpack[More],
) -> Query:
    """The engine's query from the point of view that the request names."""
    return Query(
        kpis=kpis,
        subjects=subjects,
        period=period,
        attribution=asked.attribution,
        where=filter_of(asked.where),
        currency=asked.currency,
        rate_set=asked.rate_set,
        as_of=seen.at,
        known_at=seen.known_at,
        **more,
    )


def one_subject(asked: schemas.SubjectInput, pointer: str = "/subject") -> Subject:
    """The subject; a list of people is refused where one figure is asked. Raises `ValidationFailed`."""
    subject = subject_of(asked)
    if isinstance(subject, MembersOf):
        raise ValidationFailed.at(pointer, "name one subject: a person, a team, the organization or the unassigned")
    return subject


@contextmanager
def pointing(places: Mapping[str, str]) -> Iterator[None]:
    """Let errors of the engine's query point to where the request has what is wrong: `{"/kpis/0": "/kpi"}`."""
    try:
        yield
    except ValidationFailed as failed:
        raise ValidationFailed(failed.detail, [_moved(item, places) for item in failed.errors]) from None


def _moved(item: ErrorItem, places: Mapping[str, str]) -> ErrorItem:
    return item.model_copy(update={"pointer": places.get(item.pointer, item.pointer)})


def heading(answer: Answer) -> dict[str, Any]:
    """What every analysis states of its answer; the fields of `Stated`."""
    return {
        "as_of": answer.as_of,
        "known_at": answer.known_at,
        "retained_from": answer.retained_from,
        "time_zone": answer.time_zone,
        "currency": answer.currency,
    }
