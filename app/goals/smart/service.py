"""The SMART check of drafts and of goals: finds out what the rules need, from one snapshot."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.accounts.access import Principal
from app.calendars.periods import DayRange, PeriodError, local_day, parse_period
from app.core.problems import ErrorItem, Problem
from app.core.rehearsals import Rehearsal
from app.core.snapshots import Snapshots
from app.employment.loading import load_staff
from app.goals import baselines
from app.goals import queries as goal_queries
from app.goals import schemas as goals
from app.goals import service as goal_service
from app.goals.forecasting.service import Wanted, forecast_of
from app.goals.models import Goal, GoalTarget
from app.goals.problems import GoalNotFound
from app.goals.smart import history, queries, rules, schemas
from app.goals.smart.past import RECENT_DAYS, Asked, Seen, history_of, recent_of, seen_at
from app.goals.smart.roles import library_role
from app.kpis import service as kpis
from app.kpis.attribution import Subject
from app.kpis.definition import CadenceMeasure, Definition, ElapsedMeasure, FunnelMeasure, TouchesMeasure
from app.kpis.history import KpiHistory
from app.kpis.library import queries as library_queries
from app.kpis.library.catalogue import LIBRARY
from app.kpis.library.needs import MAY_BE_NONE, needs_of
from app.kpis.schemas import Kpi
from app.teams.structure import load_structure

_CRITERIA: dict[str, rules.Criterion] = {
    "name": "specific",
    "description": "specific",
    "owner": "specific",
    "kpi": "measurable",
    "target": "measurable",
    "currency": "measurable",
    "rate_set": "measurable",
    "counts": "measurable",
    "period": "time_bound",
    "milestones": "time_bound",
    "expected": "time_bound",
}


_MISSING = {
    "/name": "It has no name: say what is to be reached.",
    "/kpi": "Nothing measures it: name a KPI.",
    "/period": "It has no days: write its period, such as 2026-07 or 2026-Q3.",
    "/target": "It has no target: say how much is to be reached.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a goal says, as far as it is known; the same of a draft and of the goal that is made of it."""

    id: UUID | None = None
    name: str = ""
    description: str = ""
    owner: Subject | None = None
    kpi: str | None = None
    period: DayRange | None = None
    value: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    stretch: Decimal | None = None
    currency: str | None = None
    rate_set: str | None = None
    parent_id: UUID | None = None
    ramp_id: UUID | None = None
    weight: Decimal = Decimal(1)
    milestones: int = 0
    set_on: date | None = None


async def check_draft(snapshots: Snapshots, who: Principal, draft: schemas.GoalDraft) -> schemas.SmartCheck:
    """The verdicts on a goal that is not saved. What saving it would refuse are findings, too."""

    async def act(rehearsal: Rehearsal) -> schemas.SmartCheck:
        session = rehearsal.session
        refused, made = await _rehearsed(session, who, draft)
        seen = await seen_at(session, snapshots.org_id, None)
        content = _of_draft(draft, seen, {item.pointer.split("/")[1] for item in refused if "/" in item.pointer})
        if made is not None:
            content = _of_goal_out(made, content)
        return await _checked(session, seen, content, [_refusal(item, draft.told()) for item in refused])

    return await snapshots.rehearse(act)


async def check_goal(snapshots: Snapshots, goal_id: UUID, as_of: datetime | None) -> schemas.SmartCheck:
    """The verdicts on a goal as it was known. Raises `GoalNotFound`, before it was recorded too."""
    async with snapshots.at(as_of) as session:
        seen = await seen_at(session, snapshots.org_id, as_of)
        goal, _ = await goal_service.find_goal(session, seen.org_id, goal_id)
        found = await session.execute(goal_queries.target_as_known(seen.org_id, goal_id, seen.known_at))
        target = found.scalar_one_or_none()
        if target is None:
            raise GoalNotFound(f"The goal {goal_id} had not been recorded by then.")
        return await _checked(session, seen, _of_goal(goal, target, seen), [])


async def checked_as(session: AsyncSession, seen: Seen, made: goals.Goal) -> schemas.SmartCheck:
    """The verdicts on a goal that is only rehearsed."""
    return await _checked(session, seen, _of_goal_out(made, Content(set_on=seen.today)), [])


# --------------------------------------------------------------------------------------------- what the goal says


async def _rehearsed(
    session: AsyncSession, who: Principal, draft: schemas.GoalDraft
) -> tuple[list[ErrorItem], goals.Goal | None]:
    """What saving it would refuse, or the goal that it would be."""
    told = draft.told()
    try:
        new = goals.GoalCreate.model_validate({**told, "state": "draft"})
        if "state" in told:
            goals.GoalCreate.model_validate(told)
    except ValidationError as error:
        return [_item(entry) for entry in error.errors()[:50]], None
    try:
        async with session.begin_nested():
            baseline = await baselines.of_draft(session, who.org_id, new)
            return [], await goal_service.create_goal(session, who, new, baseline=baseline)
    except Problem as problem:
        if problem.status == 429 or problem.status >= 500:  # the server's trouble, not the draft's
            raise
        if problem.status == 403:  # whoever may not set it may ask what it is worth
            return [], None
        items = problem.errors or [ErrorItem(pointer="", message=problem.detail, code=problem.code)]
        return list(items), None


def _item(entry: Any) -> ErrorItem:  # Any: pydantic's details of one error
    pointer = "".join(f"/{part}" for part in entry["loc"])
    message = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "missing":
        message = _MISSING.get(pointer, message)
    return ErrorItem(pointer=pointer, message=message[:500], code=str(entry["type"]))


def _of_draft(draft: schemas.GoalDraft, seen: Seen, wrong: set[str]) -> Content:
    """What can be understood of it."""
    target = draft.target or schemas.TargetDraft()
    owner = draft.owner
    subject = None
    if owner is not None and owner.type is not None and "owner" not in wrong:
        subject = Subject(owner.type, owner.id)
    numbers = {} if "target" in wrong else {name: getattr(target, name) for name in ("value", "low", "high", "stretch")}
    return Content(
        name=draft.name or "",
        description=draft.description or "",
        owner=subject,
        kpi=draft.kpi,
        period=_period(draft.period, seen),
        currency=None if "currency" in wrong else draft.currency,
        rate_set=None if "rate_set" in wrong else draft.rate_set,
        parent_id=draft.parent_id,
        weight=Decimal(1) if draft.weight is None or "weight" in wrong else draft.weight,
        milestones=len(draft.milestones or []),
        set_on=seen.today,
        **numbers,
    )


def _period(text: str | None, seen: Seen) -> DayRange | None:
    try:
        return None if text is None else parse_period(text, seen.today, seen.cut)
    except PeriodError:
        return None


def _of_goal_out(made: goals.Goal, draft: Content) -> Content:
    return Content(
        name=made.name,
        description=made.description,
        owner=Subject(made.owner.type, made.owner.id),
        kpi=made.kpi,
        period=DayRange(made.start, made.end, made.period),
        value=made.target.value,
        low=made.target.low,
        high=made.target.high,
        stretch=made.target.stretch,
        currency=made.currency,
        rate_set=made.rate_set,
        parent_id=made.parent_id,
        ramp_id=made.ramp_id,
        weight=made.weight,
        milestones=len(made.milestones),
        set_on=draft.set_on,
    )


def _of_goal(goal: Goal, target: GoalTarget, seen: Seen) -> Content:
    owner = goal_service.owner_of(goal)
    return Content(
        id=goal.id,
        name=goal.name,
        description=goal.description,
        owner=Subject(owner.type, owner.id),
        kpi=goal.kpi_key,
        period=goal_service.period_of(goal),
        value=target.value,
        low=target.low,
        high=target.high,
        stretch=target.stretch,
        currency=goal.currency,
        rate_set=goal.rate_set,
        parent_id=target.parent_id,
        ramp_id=target.ramp_id,
        weight=target.weight,
        milestones=len(target.milestones),
        set_on=local_day(goal.created_at, seen.cut.zone),
    )


# --------------------------------------------------------------------------------------------------- what is found


async def _checked(
    session: AsyncSession, seen: Seen, content: Content, refused: Sequence[rules.Finding]
) -> schemas.SmartCheck:
    kpi, known = await _kpi(session, seen, content)
    if kpi is not None and kpi.unit.kind == "money" and content.currency is None:
        content = replace(content, currency=(await accounts.get_organization(session, seen.org_id)).currency)
    others = await _others(session, seen, content)
    past, aimed = await _aimed(session, seen, content, kpi)
    of_owner = [each for each in refused if each.pointer.startswith("/owner")]
    is_named = content.owner is not None or any(each.code != "missing" for each in of_owner)
    findings = [each for each in refused if is_named or each not in of_owner]
    findings += rules.specific(replace(_wording(content, kpi, others), has_owner=is_named))
    findings += await _measurable(session, seen, content, kpi, known)
    if aimed is not None:
        findings += rules.achievable(aimed)
    else:
        findings.append(_untold("achievable", "/target", "Whether it can be reached cannot be told"))
    if content.owner is None or content.period is None:
        findings.append(_untold("relevant", "/parent_id", "What it serves cannot be told"))
    findings += rules.relevant(await _placed(session, seen, content, kpi, others))
    findings += await _timed(session, seen, content, kpi, known, past)
    return _told(seen, content, findings, aimed)


def _refusal(item: ErrorItem, told: dict[str, Any]) -> rules.Finding:
    head = item.pointer.split("/")[1] if "/" in item.pointer else ""
    return rules.Finding(
        criterion=_CRITERIA.get(head, "relevant"),
        code=item.code,
        severity="error",
        message=item.message if item.message.endswith((".", "?", "!")) else f"{item.message}.",
        pointer=item.pointer,
        suggestion=_mended(item, told),
    )


def _mended(item: ErrorItem, told: dict[str, Any]) -> Any:
    """The field as it was posted, with the suggestion in its place; None where there is none."""
    *path, last = item.pointer.split("/")[1:] or [""]
    if item.suggestion is None or item.code == "expression_invalid":  # that one replaces a part of the text
        return None
    field = path[0] if path else last
    whole = {field: deepcopy(told.get(field))}
    place: Any = whole
    for part in path:
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        return None
    place[last] = item.suggestion
    return whole


def _untold(criterion: rules.Criterion, pointer: str, what: str) -> rules.Finding:
    return rules.Finding(
        criterion=criterion,
        code="not_comparable",
        severity="unknown",
        message=f"{what}: whose it is, its KPI and its days have to be known first.",
        pointer=pointer,
    )


async def _kpi(session: AsyncSession, seen: Seen, content: Content) -> tuple[Kpi | None, list[KpiHistory]]:
    """The KPI, and with it those that it is computed from."""
    if content.kpi is None:
        return None, []
    try:
        kpi = await kpis.get_kpi(session, seen.org_id, content.kpi)
    except kpis.KpiNotFound:
        return None, []
    known = await kpis.load_kpis_with_references(session, seen.org_id, [kpi.key], seen.known_at)
    return kpi, list(known.values())


async def _aimed(
    session: AsyncSession, seen: Seen, content: Content, kpi: Kpi | None
) -> tuple[history.History | None, rules.Aimed | None]:
    asked = _asked(content, kpi)
    if asked is None:
        return None, None
    past = await history_of(session, seen, asked)
    aimed = rules.Aimed(
        direction=asked.kpi.direction,
        history=past,
        value=content.value,
        low=content.low,
        high=content.high,
        stretch=content.stretch,
        manner=asked.manner,
        likelihood=await _likelihood(session, seen, content, asked),
    )
    return past, aimed


async def _likelihood(session: AsyncSession, seen: Seen, content: Content, asked: Asked) -> Decimal | None:
    """How likely the target is reached, by the forecast of a period that runs; else None."""
    has_target = content.value is not None or content.low is not None
    if not has_target or not asked.period.start < seen.today < asked.period.end:
        return None
    wanted = Wanted(
        kpi=asked.kpi.key,
        subject=asked.subject,
        period=asked.period,
        direction=asked.kpi.direction,
        target=content.value,
        low=content.low,
        high=content.high,
        currency=asked.currency,
        rate_set=asked.rate_set,
        as_of=seen.as_of,
        known_at=seen.as_of,
    )
    return (await forecast_of(session, seen.org_id, wanted)).probability.target


def _asked(content: Content, kpi: Kpi | None) -> Asked | None:
    if kpi is None or content.owner is None or content.period is None:
        return None
    is_money = kpi.unit.kind == "money"
    currency = content.currency if is_money else None
    rate_set = content.rate_set if is_money else None
    return Asked(kpi, content.owner, content.period, currency, rate_set, content.ramp_id)


async def _others(session: AsyncSession, seen: Seen, content: Content) -> list[tuple[Goal, GoalTarget, str]]:
    """The goals of the same days that are the owner's, or of those above."""
    if content.owner is None or content.period is None:
        return []
    teams = await _teams_of(session, seen, content.owner, content.period)
    member = content.owner.id if content.owner.kind == "member" else None
    found = await session.execute(queries.around(seen.org_id, content.period, teams, member, seen.known_at))
    return [(goal, target, indicator) for goal, target, indicator in found if goal.id != content.id]


async def _teams_of(session: AsyncSession, seen: Seen, owner: Subject, period: DayRange) -> list[UUID]:
    """The team, or those that the member is in during the period, and all above them, the nearest first."""
    structure = await load_structure(session, seen.org_id, seen.known_at)
    if owner.kind == "team" and owner.id is not None:
        found = [owner.id]
    else:
        found = [
            row.team_id
            for row in structure.memberships
            if row.member_id == owner.id and _touches(row.start, row.end, period)
        ]
    for team in found:
        above = (place for place in structure.placements if place.team_id == team and place.parent_id is not None)
        for place in above:
            if place.parent_id not in found and _touches(place.start, place.end, period):
                found.append(cast("UUID", place.parent_id))
    return list(dict.fromkeys(found))


def _touches(start: date | None, end: date | None, period: DayRange) -> bool:
    return (start is None or start < period.end) and (end is None or end > period.start)


def _wording(content: Content, kpi: Kpi | None, others: Sequence[tuple[Goal, GoalTarget, str]]) -> rules.Wording:
    same = [_other(*each) for each in others if _is_own(each[0], content) and each[0].kpi_key == content.kpi]
    return rules.Wording(
        name=content.name,
        description=content.description,
        kpi=content.kpi or "",
        kpi_name=kpi.name if kpi else "",
        aim=_aim(content, _asked(content, kpi)),
        period=content.period,
        same=same,
        parent_id=None if content.parent_id is None else str(content.parent_id),
    )


def _aim(content: Content, asked: Asked | None) -> str:
    if asked is None:
        return ""
    write = asked.manner.words
    if content.value is not None:
        return write(content.value)
    if content.low is None or content.high is None:
        return ""
    return f"{write(content.low)} to {write(content.high)}"


def _is_own(goal: Goal, content: Content) -> bool:
    owner = goal_service.owner_of(goal)
    return content.owner is not None and (owner.type, owner.id) == (content.owner.kind, content.owner.id)


def _other(goal: Goal, _target: GoalTarget, indicator: str) -> rules.Other:
    owner = "organization" if goal.team_id is None and goal.member_id is None else "team" if goal.team_id else "member"
    return rules.Other(str(goal.id), goal.name, goal.kpi_key, goal_service.period_of(goal), owner, indicator)


async def _measurable(
    session: AsyncSession, seen: Seen, content: Content, kpi: Kpi | None, known: Sequence[KpiHistory]
) -> list[rules.Finding]:
    if kpi is None:
        return []
    asked = _asked(content, kpi) or Asked(kpi, Subject("organization"), DayRange(seen.today, seen.today))
    cell = await recent_of(session, seen, asked)
    is_archived_told = kpi.state == "archived" and content.id is None
    return rules.measurable(
        rules.Measured(
            kpi=kpi.key,
            state="official" if is_archived_told else kpi.state,
            is_qualitative=kpi.nature == "qualitative",
            unit=kpi.unit.kind,
            value=content.value,
            lacking=await _lacking(session, seen, known),
            recent=cell.value,
            status=cell.status,
            sample=cell.sample,
            left_out=cell.left_out,
        )
    )


async def _lacking(session: AsyncSession, seen: Seen, known: Sequence[KpiHistory]) -> list[str]:
    """The types of events that the KPI needs, and that nothing sent in the last 90 days; not those that may be none."""
    needs = [need for definition in _definitions(known) for need in needs_of(definition)]
    types = sorted({kind for need in needs for kind in need.events})
    if not types:
        return []
    since = seen.at - timedelta(days=RECENT_DAYS)
    rows = await session.execute(library_queries.carried(seen.org_id, types, [], since, seen.at))
    there = {kind for kind, events, *_ in rows if events}
    missing = [need.events for need in needs if not there & set(need.events) and not set(need.events) <= MAY_BE_NONE]
    return sorted({kind for events in missing for kind in events})


def _definitions(known: Sequence[KpiHistory]) -> Iterable[Definition]:
    return (max(each.versions, key=lambda version: version.number).definition for each in known if each.versions)


async def _placed(
    session: AsyncSession,
    seen: Seen,
    content: Content,
    kpi: Kpi | None,
    others: Sequence[tuple[Goal, GoalTarget, str]],
) -> rules.Placed:
    own = [each for each in others if _is_own(each[0], content)]
    weights = sum((target.weight for _, target, _ in own), content.weight)
    served = 0
    if content.id is not None:
        served = (await session.execute(queries.initiatives(seen.org_id, content.id))).scalar_one()
    return rules.Placed(
        kpi=content.kpi or "",
        has_parent=content.parent_id is not None,
        is_organization=content.owner is not None and content.owner.kind == "organization",
        above=_above(content, others),
        role=await _role(session, seen, content),
        roles=LIBRARY[kpi.key].roles if kpi is not None and kpi.key in LIBRARY else (),
        own=[_other(*each) for each in own],
        indicator=kpi.indicator if kpi else "lagging",
        weight_share=content.weight / weights if own and weights > 0 else None,
        initiatives=served,
    )


def _above(content: Content, others: Sequence[tuple[Goal, GoalTarget, str]]) -> list[rules.Other]:
    """The goals that it could be a part of: on its KPI first, then the nearest owner's, then the shortest."""
    period = content.period
    if period is None or content.owner is None:
        return []
    found = []
    for each in others:
        other = _other(*each)
        is_longer = other.period.days > period.days
        holds = other.period.start <= period.start and period.end <= other.period.end
        is_above = not _is_own(each[0], content) or (is_longer and other.kpi == content.kpi)
        if holds and is_above:
            found.append(other)
    nearest = ("team", "member", "organization")
    return sorted(found, key=lambda other: (other.kpi != content.kpi, nearest.index(other.owner), other.period.days))[
        :10
    ]


async def _role(session: AsyncSession, seen: Seen, content: Content) -> str | None:
    if content.owner is None or content.owner.kind != "member" or content.owner.id is None or content.period is None:
        return None
    staff = await load_staff(session, seen.org_id, seen.known_at)
    terms = staff.terms_on(content.owner.id, max(content.period.start, min(seen.today, content.period.end)))
    return None if terms is None else library_role(terms.revenue_role)


async def _timed(
    session: AsyncSession,
    seen: Seen,
    content: Content,
    kpi: Kpi | None,
    known: Sequence[KpiHistory],
    past: history.History | None,
) -> list[rules.Finding]:
    period = content.period
    if period is None:
        return []
    set_on = content.set_on or seen.today
    schedule = await seen.schedules.over(content.owner or Subject("organization"), period)
    calendar = (await seen.schedules.calendars()).default
    expected = past.at(history.REALISTIC, "increase") if past is not None and past.is_known else None
    return rules.time_bound(
        rules.Timed(
            period=period,
            set_on=set_on,
            working_days=calendar.working_days(period),
            elapsed=schedule.share_before(set_on),
            milestones=content.milestones,
            window=max((window for each in _definitions(known) for window in _windows(each)), default=None),
            expected=expected,
            is_counted=kpi is not None and kpi.unit.kind == "count" and kpi.is_additive,
        )
    )


def _windows(definition: Definition) -> Iterable[timedelta]:
    """How long after its first event a thing is judged."""
    for measure in definition.measures.values():
        match measure:
            case ElapsedMeasure(within=within) | FunnelMeasure(within=within) | TouchesMeasure(within=within):
                yield from () if within is None else (within,)
            case CadenceMeasure(steps=steps):
                yield max(step.by for step in steps)


# ------------------------------------------------------------------------------------------------------- the answer


def _told(
    seen: Seen, content: Content, findings: Sequence[rules.Finding], aimed: rules.Aimed | None
) -> schemas.SmartCheck:
    by_criterion = {
        criterion: [finding for finding in findings if finding.criterion == criterion] for criterion in rules.CRITERIA
    }
    return schemas.SmartCheck(
        goal_id=content.id,
        as_of=seen.at,
        known_at=seen.known_at,
        verdict=rules.verdict_of(findings),
        start=content.period and content.period.start,
        end=content.period and content.period.end,
        target=content.value,
        suggested=_suggested(aimed),
        **{criterion: _criterion(found) for criterion, found in by_criterion.items()},
    )


def _criterion(findings: Sequence[rules.Finding]) -> schemas.SmartCriterion:
    told = [
        schemas.SmartFinding(
            code=finding.code,
            severity=finding.severity,
            message=finding.message,
            pointer=finding.pointer,
            suggestion=finding.suggestion,
            evidence={key: schemas.plain(value) for key, value in finding.evidence.items()},
        )
        for finding in findings
    ]
    return schemas.SmartCriterion(verdict=rules.verdict_of(findings), findings=told)


def _suggested(aimed: rules.Aimed | None) -> schemas.SuggestedTargets:
    if aimed is None or not aimed.history.is_known:
        reason = "Its owner, KPI and days have to be known first." if aimed is None else aimed.history.reason
        return schemas.SuggestedTargets(
            basis="none", reason=reason, values=0, people=0, realistic=None, ambitious=None, p50=None, p80=None,
            low=None, high=None, best=None, reached=None, periods=[],
            likelihood=None if aimed is None else aimed.likelihood,
        )  # fmt: skip
    past = aimed.history
    realistic, ambitious = rules.suggested(aimed) or (None, None)
    p50, p80 = rules.quantiles(aimed) or (None, None)
    low, high = rules.band(aimed) or (None, None)
    best = None if realistic is None else aimed.manner.exact(past.best(aimed.direction))
    return schemas.SuggestedTargets(
        basis=past.basis,
        reason=None,
        values=len(past.values),
        people=past.people,
        realistic=realistic,
        ambitious=ambitious,
        p50=p50,
        p80=p80,
        low=low,
        high=high,
        best=best,
        reached=rules.reached_in(aimed),
        periods=[_past(each) for each in past.past],
        likelihood=aimed.likelihood,
    )


def _past(each: history.Past) -> schemas.PastPeriod:
    period = each.period
    return schemas.PastPeriod(
        period=period.label,
        start=period.start,
        end=period.end,
        member_id=each.member,
        actual=each.actual,
        value=each.value,
    )
