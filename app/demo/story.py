"""What happened in six months of the demo's sales organization: the truth that its CRMs then tell in messages.

A pure function of a seed. Times are UTC and whole seconds; nobody works on weekends and Polish holidays.
"""

import math
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from app.calendars.national import public_holidays
from app.demo.people import DEVELOPMENT, EVERYBODY, EXECUTIVE, HEAD, LEAD, MEMBERS, Person, System

ZONE = ZoneInfo("Europe/Warsaw")
COUNTRY = "PL"
STAGES = 5
"""Open stages of the pipeline, counted from 0."""

Kind = Literal["call", "email", "meeting"]
Outcome = Literal["connected", "no_answer", "left_voicemail", "busy", "held", "no_show", "canceled", "sent"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How long the story is, how much happens in it, and the seed that it grows from."""

    first_day: date = date(2026, 1, 5)
    last_day: date = date(2026, 7, 3)
    leads_a_day: float = 6.4
    new_deals_a_day: float = 2.2
    calls_a_day: float = 0.4
    seed: int = 20260105

    def workdays(self) -> list[date]:
        """The days on which people work, in order."""
        holidays = set(public_holidays(COUNTRY, None))
        days = ((self.first_day + timedelta(n)) for n in range((self.last_day - self.first_day).days + 1))
        return [day for day in days if day.weekday() < 5 and day not in holidays]

    @property
    def ends_at(self) -> datetime:
        """When the story ends: half past seven in the evening of the last day."""
        return local(self.last_day, 19, 30)


def local(day: date, hour: int, minute: int = 0) -> datetime:
    """A clock time in Warsaw as an instant; no such time of the story lies in a gap."""
    return datetime.combine(day, time(hour, minute), ZONE).astimezone(UTC)


def day_of(at: datetime) -> date:
    """The local day of an instant."""
    return at.astimezone(ZONE).date()


@dataclass(slots=True, eq=False)
class Company:
    """A customer or one to be."""

    system: System
    id: str
    name: str
    made_at: datetime


@dataclass(slots=True, eq=False)
class Contact:
    """A person at a company; nobody's name is told."""

    id: str
    company: Company

    @property
    def system(self) -> System:
        """The CRM they are in."""
        return self.company.system


@dataclass(slots=True, eq=False)
class Lead:
    """An inquiry, and who is to answer it."""

    id: str
    at: datetime
    owner: Person
    contact: Contact
    qualified_at: datetime | None = None
    converted_at: datetime | None = None

    @property
    def system(self) -> System:
        """The CRM it is in."""
        return self.contact.system


@dataclass(slots=True)
class Closing:
    """A deal won or lost; `on` is the close date that was entered."""

    at: datetime
    is_won: bool
    on: date
    reopened_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Deal:
    """A deal with the history of everything that changed. `merged_id` continues the deal that a duplicate joined."""

    id: str
    title: str
    contact: Contact
    created_at: datetime
    owners: list[tuple[datetime, Person]]
    amounts: list[tuple[datetime, Decimal]]
    stages: list[tuple[datetime, int]]
    lead: Lead | None = None
    closings: list[Closing] = field(default_factory=list)
    merged_at: datetime | None = None
    merged_into: "Deal | None" = None
    merged_id: str | None = None

    @property
    def system(self) -> System:
        """The CRM it is in."""
        return self.contact.system

    @property
    def closing(self) -> Closing | None:
        """How it ended, unless it was reopened."""
        last = self.closings[-1] if self.closings else None
        return last if last and last.reopened_at is None else None

    def owner_at(self, at: datetime) -> Person:
        """Whose it was."""
        return next((owner for since, owner in reversed(self.owners) if since <= at), self.owners[0][1])

    def id_at(self, at: datetime) -> str:
        """Its id: a merge gives HubSpot's deals a new one."""
        return self.merged_id if self.merged_id and self.merged_at and at >= self.merged_at else self.id


@dataclass(slots=True, eq=False)
class Activity:
    """A call, e-mail or meeting, at its start; an e-mail that was `automated` is no human's answer."""

    id: str
    kind: Kind
    at: datetime
    seconds: int
    owner: Person
    contact: Contact
    outcome: Outcome
    deal: Deal | None = None
    lead: Lead | None = None
    booked_at: datetime | None = None
    automated: bool = False
    deleted_at: datetime | None = None

    @property
    def system(self) -> System:
        """The CRM it is in."""
        return self.contact.system

    @property
    def ends_at(self) -> datetime:
        """When it was over."""
        return self.at + timedelta(seconds=self.seconds)


Told = TypeVar("Told", Company, Contact, Lead, Deal, Activity)


def of_system(told: Iterable[Told], system: System) -> Iterator[Told]:
    """What of all this is in one CRM."""
    return (each for each in told if each.system == system)


@dataclass(slots=True)
class Story:
    """All that happened."""

    scale: Scale
    workdays: list[date]
    companies: list[Company] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    leads: list[Lead] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)


def tell(scale: Scale) -> Story:
    """The story of a seed, without what goes wrong in CRMs: see `twists`."""
    teller = _Teller(scale)
    for day in teller.story.workdays:
        teller.live(day)
    return teller.story


class _Teller:
    """Lets one day after the other happen; what a lead or deal leads to later is told with it."""

    def __init__(self, scale: Scale) -> None:
        self.story = Story(scale, scale.workdays())
        self.random = random.Random(scale.seed)  # noqa: S311 - invents, keeps no secret
        self.numbers: dict[str, Iterator[int]] = {}
        self.won: list[Deal] = []
        self.prospects: dict[System, list[Contact]] = {"hubspot": [], "pipedrive": []}

    def live(self, day: date) -> None:
        """One working day."""
        for person in _selling_on(day):
            for _ in range(self._poisson(self.story.scale.calls_a_day * (1.6 if person.role == DEVELOPMENT else 0.8))):
                self._prospect(person, day)
        for _ in range(self._poisson(self.story.scale.leads_a_day * (0.8 + 0.4 * self._progress(day)))):
            self._lead(day)
        for _ in range(self._poisson(self.story.scale.new_deals_a_day)):
            owner = self._pick(day, EXECUTIVE, LEAD, HEAD)
            self._deal(self._party(owner, day), owner, self._time(day, 8, 17), None)

    def _progress(self, day: date) -> float:
        first, last = date(2026, 1, 5), date(2026, 7, 3)
        return (day - first).days / (last - first).days

    def _prospect(self, person: Person, day: date) -> None:
        """A cold call; most go to companies that were called before."""
        at, known = self._time(day, 8, 17), self.prospects[person.system_on(day)]
        if self.random.random() < 0.12 or day_of(known[0].company.made_at if known else at) == day:
            known.append(self._new_contact(person.system_on(day), at))
        able = [contact for contact in known[-60:] if contact.company.made_at < at]
        self._call(person, self.random.choice(able or known[-1:]), at)

    def _lead(self, day: date) -> None:
        owner = self._pick(day, DEVELOPMENT)
        at = self._time(day, 7, 19)
        lead = Lead(self._id(owner.system_on(day), "lead"), at, owner, self._new_contact(owner.system_on(day), at))
        self.story.leads.append(lead)
        if lead.system == "hubspot" and self.random.random() < 0.6:
            self._email(owner, lead.contact, at + timedelta(seconds=self.random.randint(40, 100)), automated=True)
        first = self._answer_time(lead)
        if first is None:
            return
        (self._call if self.random.random() < 0.65 else self._email)(owner, lead.contact, first, lead=lead)
        touched = self._follow_up(lead, first)
        if self.random.random() < 0.42 + 0.1 * self._progress(day):
            self._qualify(lead, self._later(touched, 0, 3))

    def _answer_time(self, lead: Lead) -> datetime | None:
        """Minutes for some, days for others, never for a few; sooner as the months go by. At night nobody answers."""
        luck = self.random.random() * (0.75 + 0.25 * lead.owner.haste) * (1.3 - 0.5 * self._progress(day_of(lead.at)))
        if luck > 0.93:
            return None
        for limit, low, high in ((0.36, 40, 299), (0.66, 301, 1799), (0.84, 1801, 14_400), (1.0, 14_400, 90_000)):
            if luck < limit:
                delay = timedelta(seconds=self.random.randint(low, high))
                break
        start = lead.at if 8 <= lead.at.astimezone(ZONE).hour < 18 else self._morning_after(lead.at)
        return self._in_hours(start + delay)

    def _follow_up(self, lead: Lead, first: datetime) -> datetime:
        last = first
        for _ in range(self.random.choice((0, 1, 1, 2, 2, 3))):
            last = self._later(last, 1, 3)
            (self._call if self.random.random() < 0.6 else self._email)(lead.owner, lead.contact, last, lead=lead)
        return last

    def _qualify(self, lead: Lead, at: datetime) -> None:
        lead.qualified_at = at
        day = day_of(at)
        if self.random.random() < 0.6 and day <= self.story.scale.last_day:
            team = lead.owner.team_on(day) or lead.owner.team
            owner = self._pick(day, EXECUTIVE, team=team)
            lead.converted_at = at + timedelta(minutes=self.random.randint(5, 45))
            self._deal(lead.contact, owner, lead.converted_at, lead)

    def _deal(self, contact: Contact, owner: Person, created: datetime, lead: Lead | None) -> None:
        system = contact.system
        amount = Decimal(round(math.exp(self.random.gauss(9.0, 0.65)) / 50) * 50)
        title = f"{contact.company.name} – {self.random.choice(_TITLES)}"
        first = (created, 0)
        deal = Deal(
            self._id(system, "deal"), title, contact, created, [(created, owner)], [(created, amount)], [first], lead
        )
        self.story.deals.append(deal)
        days = 4 + int(50 * self.random.random() ** 2)
        closes = self._later(created, days, days)
        if owner.left and day_of(closes) >= owner.left:
            leader = next(person for person in MEMBERS if (person.role, person.team) == (LEAD, owner.team))
            deal.owners.append((max(local(owner.left - timedelta(days=3), 14), created + timedelta(minutes=5)), leader))
        self._work_on(deal, closes)
        if self.random.random() < 0.5:
            better = amount + Decimal(self.random.randint(-8, 20) * 50)
            deal.amounts.append((self._between(created, closes), max(better, Decimal(500))))
        if self.random.random() < 0.93:
            is_won = self.random.random() < owner.skill + (0.12 if lead is None else 0.0)
            deal.closings.append(Closing(closes, is_won, day_of(closes)))
            if is_won and closes <= self.story.scale.ends_at:
                self.won.append(deal)

    def _work_on(self, deal: Deal, until: datetime) -> None:
        """Touches and stages on the way to the end; whoever owns the deal then does them."""
        at = deal.created_at
        reached = 0
        while (at := self._later(at, 1, 6)) < until:
            owner = deal.owner_at(at)
            what = self.random.random()
            if what < 0.42:
                self._call(owner, deal.contact, at, deal=deal)
            elif what < 0.74:
                self._email(owner, deal.contact, at, deal=deal)
            else:
                self._meeting(owner, deal, at)
            if reached < STAGES - 1 and self.random.random() < 0.45:
                reached += 1
                deal.stages.append((at + timedelta(minutes=self.random.randint(50, 90)), reached))
        deal.stages = [(at, stage) for at, stage in deal.stages if at < until]

    def _call(
        self, owner: Person, contact: Contact, at: datetime, *, deal: Deal | None = None, lead: Lead | None = None
    ) -> None:
        system = contact.system
        outcomes: tuple[Outcome, ...] = ("connected", "connected", "no_answer", "left_voicemail", "busy")
        outcome = self.random.choice(outcomes) if system == "hubspot" else "connected"
        seconds = self.random.randint(60, 1500) if outcome == "connected" else self.random.randint(5, 40)
        call = Activity(self._id(system, "call"), "call", at, seconds, owner, contact, outcome, deal, lead)
        self.story.activities.append(call)

    def _email(
        self,
        owner: Person,
        contact: Contact,
        at: datetime,
        *,
        deal: Deal | None = None,
        lead: Lead | None = None,
        automated: bool = False,
    ) -> None:
        id_ = self._id(contact.system, "email")
        email = Activity(id_, "email", at, 0, owner, contact, "sent", deal, lead, automated=automated)
        self.story.activities.append(email)

    def _meeting(self, owner: Person, deal: Deal, at: datetime) -> None:
        at = at.replace(minute=self.random.choice((0, 30)), second=0)
        booked = max(deal.created_at + timedelta(minutes=3), at - timedelta(days=self.random.randint(1, 6)))
        outcomes: tuple[Outcome, ...] = ("held",) * 8 + ("no_show", "canceled")
        meeting = Activity(
            self._id(deal.system, "meeting"),
            "meeting",
            at,
            self.random.choice((1800, 2700, 3600)),
            owner,
            deal.contact,
            self.random.choice(outcomes),
            deal,
            booked_at=min(self._in_hours(booked, latest=at - timedelta(minutes=30)), at - timedelta(minutes=30)),
        )
        self.story.activities.append(meeting)

    def _party(self, owner: Person, day: date) -> Contact:
        """A new company, or for some deals one that bought before."""
        system = owner.system_on(day)
        bought = [deal for deal in self.won if deal.system == system and deal.closings[0].on < day]
        if bought and self.random.random() < 0.45:
            return self.random.choice(bought).contact
        return self._new_contact(system, self._time(day, 7, 8))

    def _new_contact(self, system: System, at: datetime) -> Contact:
        name = f"{self.random.choice(_FIRST)}{self.random.choice(_SECOND)} {self.random.choice(_FORMS)}"
        made = at - timedelta(minutes=self.random.randint(1, 4))
        company = Company(system, self._id(system, "company"), name, made)
        contact = Contact(self._id(system, "contact"), company)
        self.story.companies.append(company)
        self.story.contacts.append(contact)
        return contact

    def _pick(self, day: date, *roles: str, team: str | None = None) -> Person:
        able = [p for p in EVERYBODY if p.role in roles and (here := p.team_on(day)) and team in {None, here}]
        weights = [1.0 if p.is_mapped else 0.25 for p in able]
        return self.random.choices(able, weights)[0]

    def _id(self, system: System, kind: str) -> str:
        if (system, kind) == ("pipedrive", "lead"):
            return str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        kind = "activity" if system == "pipedrive" and kind in {"call", "email", "meeting"} else kind
        return str(next(self.numbers.setdefault(f"{system}:{kind}", count(_FIRST_IDS[system][kind]))))

    def _poisson(self, mean: float) -> int:
        limit, product = math.exp(-mean), self.random.random()
        drawn = 0
        while product > limit:
            drawn, product = drawn + 1, product * self.random.random()
        return drawn

    def _time(self, day: date, first_hour: int, last_hour: int) -> datetime:
        """Some second of the day from the first hour on, before the last."""
        return local(day, first_hour) + timedelta(seconds=self.random.randrange((last_hour - first_hour) * 3600))

    def _between(self, start: datetime, end: datetime) -> datetime:
        seconds = int((end - start).total_seconds())
        return start + timedelta(seconds=self.random.randrange(seconds // 4, seconds * 3 // 4))

    def _later(self, at: datetime, least: int, most: int) -> datetime:
        """Some working days later, in the working hours; beyond the story all days are alike."""
        day = day_of(at)
        for _ in range(self.random.randint(least, most)):
            day = self._workday_after(day)
        later = self._time(day, 8, 17)
        return later if later > at else at + timedelta(minutes=self.random.randint(2, 20))

    def _workday_after(self, day: date) -> date:
        return next((each for each in self.story.workdays if each > day), day + timedelta(1))

    def _morning_after(self, at: datetime) -> datetime:
        day = day_of(at)
        return local(day if at < local(day, 8) else self._workday_after(day), 8)

    def _in_hours(self, at: datetime, latest: datetime | None = None) -> datetime:
        """The same clock time, or one of the next working morning where nobody works."""
        if local(day_of(at), 8) <= at < local(day_of(at), 19) and day_of(at) in self.story.workdays:
            return at
        moved = self._morning_after(at) + timedelta(seconds=self.random.randrange(3600))
        return moved if latest is None or moved <= latest else latest


def _selling_on(day: date) -> list[Person]:
    return [person for person in MEMBERS if person.team_on(day) and person.role != HEAD]


_FIRST_IDS: dict[str, dict[str, int]] = {
    "hubspot": {
        "company": 7_800_001,
        "contact": 51_000_001,
        "lead": 430_000_001,
        "deal": 19_200_000_001,
        "call": 55_100_000_001,
        "email": 67_200_000_001,
        "meeting": 66_300_000_001,
    },
    "pipedrive": {"company": 31, "contact": 88, "deal": 508, "activity": 7_701},
}

_FIRST = ("Nord", "Vistula", "Baltic", "Tatra", "Warta", "Kar", "Silesia", "Poly", "Agro", "Metal", "Astra", "Omni")
_SECOND = ("trans", "tech", "pack", "form", "logis", "med", "bud", "plast", "soft", "print", "energia", "food")
_FORMS = ("sp. z o.o.", "S.A.", "sp. j.")
_TITLES = ("rollout", "renewal", "pilot", "expansion", "second site", "annual plan", "migration", "framework order")
