"""Scores that people give: a qualitative KPI is computed from events of the ledger like any other (K12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import CalendarSettings, DayRange, first_instant, local_day, parse_period
from app.calendars.service import calendar_settings
from app.core import audit, clock
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import Conflict, NotFound, Problem, ValidationFailed
from app.employment.models import Employment
from app.employment.own import PACELINE, own_identity, own_source
from app.events.bulk import among
from app.events.catalogue import SCORE
from app.events.decide import Outcome
from app.events.facts import OWNER, WHOLE, Credit, EventFacts, Property, retraction
from app.events.models import Event, EventHead, Source
from app.events.queries import visible_to
from app.events.service import record_events
from app.kpis import queries
from app.kpis import scores_schemas as schemas
from app.kpis.models import KpiRow
from app.kpis.schemas import Every, Giver
from app.kpis.scores_relations import first_of, in_words, related
from app.kpis.service import KpiNotFound
from app.teams.dated import holds_on
from app.teams.lookups import named_member
from app.teams.models import Identity, Member

NOT_DUE: frozenset[Giver] = frozenset({"anyone"})
"""Who may give a score without being expected to."""


class ScoreNotFound(NotFound):
    """There is no such score of this KPI, or the caller may not see it: we do not tell which."""

    code, title = "score-not-found", "Score not found"


class KpiNotScored(Conflict):
    """Nobody gives scores of this KPI: it is quantitative, or archived."""

    code, title = "kpi-not-scored", "KPI not scored"


class ScoreNotAllowed(Problem):
    """The KPI's givers decide who gives scores about whom, and the caller is none of them, or speaks for another."""

    status, code, title = 403, "score-not-allowed", "Score not allowed"


@dataclass(frozen=True)
class _Scoring:
    """How a KPI is scored."""

    kpi: str
    givers: tuple[Giver, ...]
    least: Decimal
    greatest: Decimal
    every: Every | None

    def period_of(self, day: date, settings: CalendarSettings) -> DayRange:
        """In which a giver has one score about a member; a day where the KPI asks for none regularly."""
        return parse_period(f"this_{self.every}" if self.every else day.isoformat(), day, settings)


async def give_score(session: AsyncSession, who: Principal, key: str, new: schemas.ScoreGive) -> schemas.ScoreGiven:
    """Let the ledger say a score; a second one of the same giver, member and period corrects the first.

    Raises `KpiNotFound`, `KpiNotScored`, `ScoreNotAllowed`, and `ValidationFailed` for a value outside the scale.
    """
    source_id = await own_source(session, who.org_id)
    scoring = await _open_scoring(session, who.org_id, key)
    giver = await _giver(session, who, new.giver_id)
    member = await named_member(session, who.org_id, new.member_id, "/member_id")
    settings, today = await _today(session, who.org_id)
    day = new.on or today
    _check(scoring, new.value, day, today)
    given_as = await _allowed(session, who.org_id, scoring, giver, member, day)
    period = scoring.period_of(day, settings)
    external_id = _external_id(key, giver.id, member.id, period)
    head = await _head(session, who.org_id, source_id, external_id)
    facts = EventFacts(
        external_id=external_id,
        version=1 if head is None else head.version + 1,
        type=SCORE,
        occurred_at=first_instant(day, settings.zone),
        occurred_on=day,
        actor=await own_identity(session, who.org_id, giver.id),
        credits=(Credit(OWNER, await own_identity(session, who.org_id, member.id), WHOLE),),
        about={"member": str(member.id)},
        properties=_properties(scoring, new, given_as, period),
    )
    outcome = await _write(session, who, source_id, facts)
    score = await _get(session, who.org_id, key, outcome.event_id)
    told = _told(outcome, head)
    if told != "unchanged":
        changes = new.model_dump(mode="json", exclude={"comment"}) | {"kpi": key, "giver_id": str(giver.id)}
        action = "give" if told == "given" else "correct"
        audit.record(session, who.org_id, who.label, action, "score", score.id, changes)
    return schemas.ScoreGiven(**score.model_dump(), outcome=told)


def _check(scoring: _Scoring, value: Decimal, day: date, today: date) -> None:
    if day > today:
        raise ValidationFailed.at("/on", f"must not lie in the future: today is {today}", "future")
    if not scoring.least <= value <= scoring.greatest:
        message = f"must lie on the KPI's scale, from {scoring.least:f} to {scoring.greatest:f}"
        raise ValidationFailed.at("/value", message, "out_of_scale")


def _properties(scoring: _Scoring, new: schemas.ScoreGive, given_as: Giver, period: DayRange) -> dict[str, Property]:
    said: dict[str, Property] = {
        "kpi": scoring.kpi,
        "score": new.value,
        "scale_min": scoring.least,
        "scale_max": scoring.greatest,
        "given_as": given_as,
        "period": period.label,
    }
    return said | {"comment": new.comment} if new.comment else said


def _told(outcome: Outcome, head: EventHead | None) -> Literal["given", "corrected", "unchanged"]:
    if outcome.outcome == "duplicate":
        return "unchanged"
    return "given" if head is None or head.retracted else "corrected"


async def list_scores(session: AsyncSession, who: Principal, key: str, query: schemas.ScoresQuery) -> schemas.ScorePage:
    """The scores of a KPI that the caller may see, the latest day first. Raises `KpiNotFound`."""
    await _kpi(session, who.org_id, key)
    wanted = _scores(who.org_id, key).where(*visible_to(who))
    if query.member_id is not None:
        wanted = wanted.where(_member == str(query.member_id))
    if query.giver_id is not None:
        wanted = wanted.where(Identity.external_id == str(query.giver_id))
    if query.begins_from is not None:
        wanted = wanted.where(Event.occurred_on >= query.begins_from)
    if query.begins_before is not None:
        wanted = wanted.where(Event.occurred_on < query.begins_before)
    keys = [Key(Event.occurred_at, descending=True), Key(Event.row_id, descending=True)]
    rows, following = await paginate(session, wanted, keys, query)
    return schemas.ScorePage(items=[_score(*row) for row in rows], next_cursor=following)


async def retract_score(session: AsyncSession, who: Principal, key: str, score_id: UUID) -> None:
    """Take a score back; answers as of an earlier instant keep it. Raises `ScoreNotFound`, `ScoreNotAllowed`."""
    source_id = await own_source(session, who.org_id)
    await _kpi(session, who.org_id, key)
    wanted = _scores(who.org_id, key).where(Event.event_id == score_id, *visible_to(who))
    found = (await session.execute(wanted)).one_or_none()
    if found is None:
        raise ScoreNotFound(f"No score {score_id} of {key}.")
    event, giver = found
    if giver != str(who.member_id) and who.role != "admin" and not _speaks_for_others(who):
        raise ScoreNotAllowed("A score is taken back by whoever gave it, or by an administrator.")
    head = await _head(session, who.org_id, source_id, event.external_id)
    await _write(session, who, source_id, retraction(event.external_id, head.version + 1 if head else 1))
    audit.record(session, who.org_id, who.label, "retract", "score", score_id, {"kpi": key})


async def due_scores(session: AsyncSession, who: Principal, key: str, giver_id: UUID | None) -> schemas.DueScores:
    """Whom a giver should still score in the current period. Raises `KpiNotFound`, `KpiNotScored`."""
    scoring = await _open_scoring(session, who.org_id, key)
    if giver_id not in {None, who.member_id} and who.role == "member":
        raise ScoreNotAllowed("A member asks for the scores that are due of nobody else.")
    asked = giver_id or who.member_id
    if scoring.every is None or asked is None:
        every = scoring.every
        return schemas.DueScores(kpi=key, giver_id=asked, every=every, period=None, end=None, members=[], given=0)
    giver = await named_member(session, who.org_id, asked, "?giver_id")
    settings, today = await _today(session, who.org_id)
    period = scoring.period_of(today, settings)
    to = await related(session, who.org_id, giver.id, today)
    expected = [each for each in scoring.givers if each not in NOT_DUE]
    names = await _at_work(session, who.org_id, set().union(*(to[each] for each in expected)), today)
    scored = await _scored(session, who.org_id, {_external_id(key, giver.id, one, period): one for one in names})
    members = [
        schemas.DueScore(member_id=one, name=name, give_as=as_)
        for one, name in names.items()
        if one not in scored and (as_ := first_of(expected, to, one)) is not None
    ]
    return schemas.DueScores(
        kpi=key,
        giver_id=giver.id,
        every=scoring.every,
        period=period.label,
        end=period.end,
        members=members,
        given=len(scored),
    )


async def _kpi(session: AsyncSession, org_id: OrganizationId, key: str) -> KpiRow:
    row = (await session.execute(queries.named(org_id, [key]))).scalar_one_or_none()
    if row is None:
        raise KpiNotFound(f"No KPI {key}.")
    return row


async def _open_scoring(session: AsyncSession, org_id: OrganizationId, key: str) -> _Scoring:
    row = await _kpi(session, org_id, key)
    if row.scoring is None:
        raise KpiNotScored(f"{key} is a quantitative KPI: it is computed from what happened.")
    if row.state == "archived":
        raise KpiNotScored(f"The KPI {key} is archived.")
    scale = row.scoring["scale"]
    return _Scoring(
        key, tuple(row.scoring["givers"]), Decimal(scale["min"]), Decimal(scale["max"]), row.scoring["every"]
    )


async def _giver(session: AsyncSession, who: Principal, named: UUID | None) -> Member:
    """Who gives the score: the caller, or whom a key without a member speaks for."""
    if who.member_id is not None:
        if named not in {None, who.member_id}:
            raise ScoreNotAllowed("This key stands for a member, who gives scores in no other name.")
        return await named_member(session, who.org_id, who.member_id, "/giver_id")
    if not _speaks_for_others(who):
        raise ScoreNotAllowed("This key stands for no member, and its role may not give scores in another name.")
    if named is None:
        raise ValidationFailed.at("/giver_id", "This key stands for no member: say who gives the score.", "missing")
    return await named_member(session, who.org_id, named, "/giver_id")


def _speaks_for_others(who: Principal) -> bool:
    return who.member_id is None and who.role != "member"


async def _allowed(
    session: AsyncSession, org_id: OrganizationId, scoring: _Scoring, giver: Member, member: Member, day: date
) -> Giver:
    to = await related(session, org_id, giver.id, day)
    given_as = first_of(scoring.givers, to, member.id)
    if given_as is None:
        raise ScoreNotAllowed(
            f"Scores of {scoring.kpi} about a member are given by {in_words(scoring.givers)}: "
            f"on {day} {giver.name} is none of these to {member.name}."
        )
    return given_as


async def _today(session: AsyncSession, org_id: OrganizationId) -> tuple[CalendarSettings, date]:
    now = await clock.now(session, org_id)
    settings = await calendar_settings(session, org_id, await clock.last_recorded(session, org_id))
    return settings, local_day(now, settings.zone)


def _external_id(key: str, giver_id: UUID, member_id: UUID, period: DayRange) -> str:
    return f"score:{key}:{giver_id}:{member_id}:{period.label}"


async def _head(session: AsyncSession, org_id: OrganizationId, source_id: UUID, external_id: str) -> EventHead | None:
    """Under the lock of the organization's clock: nobody else writes it meanwhile."""
    found = await session.execute(
        select(EventHead).where(
            EventHead.org_id == org_id, EventHead.source_id == source_id, EventHead.external_id == external_id
        )
    )
    head = found.scalar_one_or_none()
    if head is not None:
        session.expunge(head)  # the ledger writes it by statements of its own
    return head


async def _write(session: AsyncSession, who: Principal, source_id: UUID, facts: EventFacts) -> Outcome:
    origin = {"via": "score", "key_id": str(who.key_id)}
    [outcome] = await record_events(session, org_id=who.org_id, source_id=source_id, facts=[facts], origin=origin)
    if outcome.outcome == "rejected":
        pointer = "/on" if outcome.field in {"/occurred_at", "/occurred_on"} else ""
        raise ValidationFailed.at(pointer, f"The ledger does not take this: {outcome.field} {outcome.reason}")
    return outcome


_member = Event.about["member"].astext


def _scores(org_id: OrganizationId, key: str) -> Select[*tuple[Any, ...]]:
    """The scores of a KPI as they stand, each with who gave it, as Paceline's own source names people."""
    return (
        select(Event, Identity.external_id)
        .join(Identity, and_(Identity.org_id == Event.org_id, Identity.id == Event.actor_id))
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(Event.org_id == org_id, Identity.org_id == org_id, Source.org_id == org_id)
        .where(Event.type == SCORE, Event.superseded_at.is_(None), Event.retracted.is_(False))
        .where(Source.system == PACELINE, Event.properties["kpi"].astext == key)
    )


async def _get(session: AsyncSession, org_id: OrganizationId, key: str, event_id: UUID | None) -> schemas.Score:
    return _score(*(await session.execute(_scores(org_id, key).where(Event.event_id == event_id))).one())


def _score(event: Event, giver: str) -> schemas.Score:
    said = event.properties
    return schemas.Score(
        id=event.event_id,
        kpi=said["kpi"],
        member_id=UUID(event.about["member"]),
        giver_id=UUID(giver),
        given_as=said["given_as"],
        value=said["score"],
        on=event.occurred_on,
        period=said["period"],
        comment=said.get("comment"),
        revision=event.revision,
        recorded_at=event.recorded_at,
    )


async def _at_work(session: AsyncSession, org_id: OrganizationId, members: set[UUID], day: date) -> dict[UUID, str]:
    """The names, in their order, of those who are with the organization on the day."""
    spells = await session.execute(
        select(Employment.member_id, holds_on(Employment, day)).where(
            Employment.org_id == org_id,
            Employment.superseded_at.is_(None),
            among(Employment.member_id, sorted(members)),
        )
    )
    employed: dict[UUID, bool] = {}
    for member_id, holds in spells:
        employed[member_id] = employed.get(member_id, False) or holds
    found = await session.execute(
        select(Member.id, Member.name)
        .where(Member.org_id == org_id, Member.archived_at.is_(None), among(Member.id, sorted(members)))
        .order_by(Member.name, Member.id)
    )
    return {member_id: name for member_id, name in found if employed.get(member_id, True)}


async def _scored(session: AsyncSession, org_id: OrganizationId, keys: Mapping[str, UUID]) -> set[UUID]:
    """Of these external ids, the members about whom a score stands."""
    found = await session.execute(
        select(EventHead.external_id)
        .join(Source, and_(Source.org_id == EventHead.org_id, Source.id == EventHead.source_id))
        .where(EventHead.org_id == org_id, Source.org_id == org_id, Source.system == PACELINE)
        .where(among(EventHead.external_id, sorted(keys)), EventHead.retracted.is_(False))
    )
    return {keys[external_id] for external_id in found.scalars()}
