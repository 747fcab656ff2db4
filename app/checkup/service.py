"""The set-up check: loads what the checks look at, and asks each of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.checkup import queries, schemas
from app.checkup.aims import CurrentGoals, clear_goals, own_goals
from app.checkup.checks import Check
from app.checkup.duplicates import Counted, Told, counted_once, suspected
from app.checkup.habits import ONE_TO_ONE, Meeting, open_communication, regular_meetings
from app.checkup.people import Mapped, people_on
from app.checkup.tools import UsedSource, Way, right_tools
from app.checkup.usage import UsedKpi, kpis_used_rightly
from app.core import clock
from app.core.db import OrganizationId
from app.core.schemas import zone
from app.employment.loading import load_staff
from app.events.catalogue import CATALOGUE
from app.kpis.library.needs import Need, Seen, needs_of
from app.kpis.library.queries import carried
from app.kpis.wire import DefinitionWire, read_definition
from app.teams.models import Member, Team
from app.teams.structure import load_structure

RECENT = timedelta(days=90)
_AT_ONCE = 200  # things counted in one statement
_OWN, _BY_PROGRAMS = "paceline", "service"


async def check_setup(session: AsyncSession, org_id: OrganizationId, show: int) -> schemas.SetupCheck:
    """Every check, over the present state and the events of the last 90 days."""
    now = await clock.now(session, org_id)
    look = _Look(session, org_id, now, zone((await accounts.get_organization(session, org_id)).time_zone))
    checks = await look.checks()
    return schemas.SetupCheck(
        checked_at=now,
        recent_since=look.since,
        counts=Counter(check.verdict for check in checks),
        checks=[_shown(check, show) for check in checks],
    )


def _shown(check: Check, show: int) -> schemas.SetupVerdict:
    told = asdict(check) | {"findings": [asdict(finding) for finding in check.findings[:show]]}
    return schemas.SetupVerdict.model_validate(told | {"findings_total": len(check.findings)})


class _Look:
    """One look at an organization, in one snapshot."""

    def __init__(self, session: AsyncSession, org_id: OrganizationId, now: datetime, time_zone: ZoneInfo) -> None:
        self.session = session
        self.org_id = org_id
        self.now = now
        self.since = now - RECENT
        self.zone = time_zone
        self.today = self._day(now)

    async def checks(self) -> list[Check]:
        known_at = await clock.last_recorded(self.session, self.org_id)
        structure = await load_structure(self.session, self.org_id, known_at)
        staff = await load_staff(self.session, self.org_id, known_at)
        gone, closed = [await self._ids(queries.archived(self.org_id, table)) for table in (Member, Team)]
        people = people_on(self.today, structure, staff, gone, closed)
        mapped = Mapped.of(structure)
        goals = await self._rows(queries.goals_on(self.org_id, self.today))
        current = _current(goals)
        kpis = await self._rows(queries.kpis(self.org_id))
        sources = await self._rows(queries.sources(self.org_id))
        keys = await self._rows(queries.keys(self.org_id))
        meetings = await self._meetings(mapped)
        return [
            clear_goals(current, people, _first(kpis)),
            own_goals(current, people, _first(kpis)),
            await self._kpis(kpis, Counter(goal.kpi_key for goal in goals if goal.state == "open")),
            right_tools(await self._sources(sources, keys), self.now),
            regular_meetings(meetings, people, self.now),
            open_communication(meetings, people, self._looks(keys), self.now),
            await self._duplicates(sources, mapped),
        ]

    async def _kpis(self, rows: Sequence[Any], goals: Counter[str]) -> Check:
        kpis = [
            UsedKpi(
                key=row.key,
                name=row.name,
                state=row.state,
                has_owner=row.owner_id is not None,
                needs=needs_of(read_definition(cast(DefinitionWire, row.definition))),
                goals=goals[row.key],
            )
            for row in rows
        ]
        return kpis_used_rightly(kpis, await self._seen(need for kpi in kpis for need in kpi.needs))

    async def _seen(self, wanted: Iterable[Need]) -> dict[str, Seen]:
        found = list(wanted)
        types = sorted({kind for need in found for kind in need.events})
        carrying = sorted({what for need in found for what in need.carrying})
        if not types:
            return {}
        events: dict[str, int] = {}
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for some in [carrying[place : place + _AT_ONCE] for place in range(0, max(len(carrying), 1), _AT_ONCE)]:
            for kind, count, *each in await self._rows(carried(self.org_id, types, some, self.since, self.now)):
                events[kind] = count
                counts[kind] |= dict(zip(some, each, strict=True))
        return {kind: Seen(events=count, carrying=counts[kind]) for kind, count in events.items()}

    async def _sources(self, sources: Sequence[Any], keys: Sequence[Any]) -> list[UsedSource]:
        roles = {str(key.id): key.role for key in keys}
        came: dict[UUID, Counter[Way]] = defaultdict(Counter)
        last: dict[UUID, datetime] = {}
        for source_id, via, key_id, count, at in await self._rows(queries.ways(self.org_id, self.since, self.now)):
            way: Way = "crm" if via == "record" else "program" if roles.get(key_id) == _BY_PROGRAMS else "by_hand"
            came[source_id][way] += count
            last[source_id] = max(at, last.get(source_id, at))
        return [
            UsedSource(
                id=str(source.id),
                name=source.name,
                is_crm=source.system not in {"api", _OWN},
                connected_at=source.created_at,
                events=dict(came[source.id]),
                last_heard=max((at for at in (source.received_at, last.get(source.id)) if at), default=None),
            )
            for source in sources
            if source.system != _OWN
        ]

    async def _meetings(self, mapped: Mapped) -> list[Meeting]:
        rows = await self._rows(queries.internal_meetings(self.org_id, self.since, self.now))
        return [
            Meeting(
                member_id=mapped.member(identity_id, self._day(held_at)),
                held_at=held_at,
                is_one_to_one=kind in {ONE_TO_ONE, *queries.COACHING},
            )
            for held_at, kind, identity_id in rows
        ]

    def _looks(self, keys: Sequence[Any]) -> dict[UUID, date | None]:
        """The members with a valid key that shows figures, and when they last used any such key, a revoked one too."""
        showing = [key for key in keys if key.member_id is not None and "results:read" in key.scopes]
        valid = {
            key.member_id
            for key in showing
            if key.revoked_at is None and (key.expires_at is None or key.expires_at > self.now)
        }
        used: dict[UUID, date] = {}
        for key in showing:
            if key.last_used_on is not None:
                used[key.member_id] = max(key.last_used_on, used.get(key.member_id, key.last_used_on))
        return {member: used.get(member) for member in valid}

    async def _duplicates(self, sources: Sequence[Any], mapped: Mapped) -> Check:
        counting = {source.id: source for source in sources if source.system != _OWN}
        of_type: dict[str, set[UUID]] = defaultdict(set)
        for source_id, kind in await self._rows(queries.types_of_sources(self.org_id, self.since, self.now)):
            source = counting.get(source_id)
            if source is not None and (source.counts is None or kind in source.counts):
                of_type[kind].add(source_id)
        types = sorted(kind for kind, by in of_type.items() if len(by) > 1)
        rows = await self._rows(queries.told_by_several(self.org_id, types, self.since, self.now)) if types else []
        events = [
            self._told(row, counting[row.source_id].key, mapped) for row in rows if row.source_id in of_type[row.type]
        ]
        known = {*CATALOGUE, *of_type}
        told_by = {
            source.key: Counted(id=str(source.id), types=sorted(known if source.counts is None else source.counts))
            for source in counting.values()
        }
        return counted_once(suspected(events), types, len(events), told_by)

    def _told(self, row: Any, source: str, mapped: Mapped) -> Told:
        member = mapped.member(row.identity_id, self._day(row.occurred_at))
        return Told(
            event_id=str(row.event_id),
            source=source,
            type=row.type,
            at=row.occurred_at,
            person=str(member or (row.email or "").lower() or row.identity_id),
            about=row.about,
            phone=row.phone,
            money=None if row.amount is None else (row.amount.normalize(), row.currency),
        )

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    async def _ids(self, statement: Any) -> list[UUID]:
        return [row.id for row in await self._rows(statement)]

    async def _rows(self, statement: Any) -> Sequence[Any]:
        return (await self.session.execute(statement)).all()


def _first(kpis: Sequence[Any]) -> str | None:
    """A KPI that a goal can be set on with one value, an official one where there is one."""
    fit = [kpi for kpi in kpis if kpi.state != "archived" and kpi.definition["direction"] != "maintain"]
    return min(((kpi.state != "official", kpi.key) for kpi in fit), default=(True, None))[1]


def _current(goals: Sequence[Any]) -> CurrentGoals:
    of_today = [goal for goal in goals if goal.state == "open"]
    return CurrentGoals(
        of_organization=sum(goal.team_id is None and goal.member_id is None for goal in of_today),
        teams=frozenset(goal.team_id for goal in of_today if goal.team_id is not None),
        members=frozenset(goal.member_id for goal in of_today if goal.member_id is not None),
        total=len(of_today),
        drafts=len(goals) - len(of_today),
    )
