"""Tells the story to a running service: structure first, then day by day what the CRMs post.

The organization's clock stands at each day's evening until everything that arrived on it is translated: so what
was known when does not depend on how fast the machine is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from app.demo import hubspot, pipedrive, post
from app.demo.api import Paceline
from app.demo.catalogue import REVISIONS, Aim, aims, kpis
from app.demo.people import HEAD, JOIN_DAY, LEAD, LEAVE_DAY, MEMBERS, MOVE_DAY, PARENTS, Person, System
from app.demo.story import Scale, Story, local
from app.demo.twists import reviewed, whole_story

SECRETS: dict[System, str] = {
    "hubspot": "demo-hubspot-client-secret",
    "pipedrive": "demo:demo-pipedrive-password",
}
"""Of CRMs that nobody can reach; real secrets are made by the CRMs."""

ACCOUNTS: dict[System, str] = {"hubspot": str(hubspot.PORTAL), "pipedrive": pipedrive.COMPANY}
AT_ONCE = 8

Settle = Callable[[Collection[str]], Awaitable[None]]
"""Waits until everything that was posted to these sources is translated."""

Progress = Callable[[date, int, int], None]
"""Is told the day, and how many of all calls have been posted."""


@dataclass
class Loaded:
    """What the demo made, by name: enough to find it again."""

    teams: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    goals: dict[str, str] = field(default_factory=dict)
    reviewed: str = ""
    review: str = ""

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """The same for a file."""
        return asdict(self)


async def load(api: Paceline, base_url: str, scale: Scale, settle: Settle, progress: Progress) -> Loaded:
    """Tell the whole story; `base_url` is the address that HubSpot's signatures cover."""
    story = whole_story(scale)
    loader = _Loader(api, story, settle, base_url)
    await loader.found()
    days = list(post.calls(story))
    total, posted = sum(len(calls) for _, calls in days), 0
    for day, calls in days:
        await loader.live(day, calls)
        posted += len(calls)
        progress(day, posted, total)
    return loader.made


def opening(scale: Scale) -> datetime:
    """When the organization is founded: on the morning of the first day."""
    return local(scale.first_day, 7)


class _Loader:
    def __init__(self, api: Paceline, story: Story, settle: Settle, base_url: str) -> None:
        self.api, self.story, self.settle, self.base_url = api, story, settle, base_url
        self.made = Loaded(reviewed=reviewed(story).name)
        self.memberships: dict[str, str] = {}
        self.assignments: dict[str, str] = {}
        self.aims = aims(self.made.reviewed)

    async def found(self) -> None:
        """Everything that is there before the first day's work."""
        await self.api.post("/calendars", {"name": "Poland", "country": "PL", "is_default": True})
        for name, parent in PARENTS.items():
            under = self.made.teams[parent] if parent else None
            self.made.teams[name] = (await self.api.post("/teams", {"name": name, "parent_id": under}))["id"]
        for system, secret in SECRETS.items():
            await self._connect(system, secret)
        for person in MEMBERS:
            if person.joined is None or person.joined <= self.story.scale.first_day:
                await self._join(person)
        for kpi in kpis():
            await self.api.post("/kpis", kpi)

    async def live(self, day: date, calls: Sequence[post.Call]) -> None:
        """One day: what people decide in the morning, what the CRMs post until the evening."""
        await self._set_clock(local(day, 8))
        await self._decide(day)
        evening = local(day, 20)
        await self._set_clock(evening)
        await self._post(calls, evening)
        await self.settle(self.made.sources.values())
        if day == self.story.workdays[-2]:
            await self._review()

    async def _set_clock(self, at: datetime) -> None:
        await self.api.put("/organization/clock", {"now": at.isoformat()})

    async def _connect(self, system: System, secret: str) -> None:
        """Connect a CRM; amounts without a currency are in euros."""
        new = {"key": system, "name": system.title(), "system": system, "account_id": ACCOUNTS[system]}
        made = await self.api.post("/sources", {**new, "secrets": [secret], "currency": "EUR"})
        self.made.sources[system] = made["id"]

    async def _join(self, person: Person) -> None:
        """A member with their role, team and both identities."""
        made = await self.api.post("/members", {"name": person.name, "email": person.email})
        member = self.made.members[person.name] = made["id"]
        leader = next((m for m in MEMBERS if m.role == LEAD and m.team == person.team), None)
        manager = next(m for m in MEMBERS if m.role == HEAD) if leader in {None, person} else leader
        role = {"revenue_role": person.role, "country": "PL", "valid_from": _iso(person.joined)}
        above = self.made.members[manager.name] if manager and manager is not person else None
        assigned = await self.api.post(f"/members/{member}/assignments", {**role, "manager_id": above})
        self.assignments[person.name] = assigned["id"]
        await self._enter(person, person.team, person.joined)
        for system in SECRETS:
            who = {"external_id": person.id_in(system), "email": person.email, "name": person.name}
            known = {"source_id": self.made.sources[system], **who}
            identity = await self.api.post("/identities", known)
            await self.api.post(f"/identities/{identity['id']}/mappings", {"member_id": member})

    async def _enter(self, person: Person, team: str, since: date | None) -> None:
        kind = "lead" if person.role in {LEAD, HEAD} else "member"
        new = {"member_id": self.made.members[person.name], "kind": kind, "valid_from": _iso(since)}
        made = await self.api.post(f"/teams/{self.made.teams[team]}/memberships", new)
        self.memberships[person.name] = made["id"]

    async def _leave(self, person: Person, team: str, until: date) -> None:
        path = f"/teams/{self.made.teams[team]}/memberships/{self.memberships[person.name]}"
        await self.api.patch(path, {"valid_to": until.isoformat()})

    async def _decide(self, day: date) -> None:
        """Who comes, goes or changes teams on this day; which goals are set and revised."""
        if day == JOIN_DAY > self.story.scale.first_day:
            for person in (person for person in MEMBERS if person.joined == day):
                await self._join(person)
        if day == MOVE_DAY:
            for person in (person for person in MEMBERS if person.moved_to):
                await self._leave(person, person.team, day)
                await self._enter(person, person.moved_to or person.team, day)
        if day == LEAVE_DAY:
            for person in (person for person in MEMBERS if person.left):
                await self._leave(person, person.team, day)
        for aim in [aim for aim in self.aims if aim.decided_on <= day]:
            await self._set_goal(aim)
        for revision in REVISIONS:
            if revision.decided_on == day and revision.goal in self.made.goals:
                change = {"target": {"value": revision.target}, "reason": revision.reason}
                await self.api.post(f"/goals/{self.made.goals[revision.goal]}/targets", change)

    async def _set_goal(self, aim: Aim) -> None:
        self.aims.remove(aim)
        owner = {"type": "organization"}
        if aim.owner in self.made.teams:
            owner = {"type": "team", "id": self.made.teams[aim.owner]}
        elif aim.owner is not None:
            owner = {"type": "member", "id": self.made.members[aim.owner]}
        goal = {
            "name": aim.name,
            "owner": owner,
            "kpi": aim.kpi,
            "period": aim.period,
            "target": {"value": aim.target, "stretch": aim.stretch},
            "parent_id": self.made.goals[aim.part_of] if aim.part_of else None,
            "milestones": [{"name": name, "share": share} for name, share in aim.milestones],
        }
        self.made.goals[aim.name] = (await self.api.post("/goals", goal))["id"]

    async def _post(self, calls: Sequence[post.Call], now: datetime) -> None:
        """What the CRMs post in an evening, several calls at once as they really come."""
        waiting = iter(calls)

        async def sender() -> None:
            for call in waiting:
                path = f"/v1/hooks/{self.made.sources[call.system]}"
                if call.system == "hubspot":
                    headers = hubspot.headers(SECRETS["hubspot"], self.base_url + path, call.body, now)
                else:
                    headers = pipedrive.headers(SECRETS["pipedrive"])
                await self.api.webhook(path, call, headers)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(sender())

    async def _review(self) -> None:
        """The review of the quarter, or of what there is of one, shared on the evening before the last day."""
        last = self.story.workdays[-2]
        new = {
            "member_id": self.made.members[self.made.reviewed],
            "reviewer_id": self.made.members[next(m.name for m in MEMBERS if m.role == HEAD)],
            "period": f"{last.year}-Q{(last.month - 1) // 3 or 1}",
            "kpis": ["revenue_won", "win_rate_closed", "meetings_held", "calls_made"],
            "summary": "A strong quarter: the largest deals of the team.",
            "strengths": "Prepares meetings well, and is honest about chances.",
            "areas_to_improve": "Fewer calls than agreed; new contacts come late.",
            "agreed_actions": [{"text": "Ten calls to new contacts a week.", "due_on": "2026-09-30"}],
        }
        self.made.review = (await self.api.post("/reviews", new))["id"]
        await self.api.post(f"/reviews/{self.made.review}/share")


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
