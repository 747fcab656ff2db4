"""What the translations of all CRMs share: whose credit, about what, and the events of deals and leads."""

from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.events.facts import Credit, EventFacts, PersonRef, is_property_number
from app.integrations.adapters import wire
from app.integrations.folding import Network, Record, Stamp, Value
from app.integrations.mapping import Mapping

Properties = dict[str, str | Decimal | bool]


class Money(NamedTuple):
    """An amount with its currency; without one the ledger takes the source's (S27)."""

    amount: Decimal | None = None
    currency: str | None = None


NO_MONEY = Money()


@dataclass(frozen=True, slots=True)
class Closing:
    """How a deal ended: when it came into that state, and the local date that decides the day, if there is one."""

    type: str
    at: datetime
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """One record to be translated, with all that its events depend on."""

    record: Record
    links: Network
    mapping: Mapping
    source_key: str
    owner_field: str

    def event(
        self,
        type: str,  # noqa: A002
        at: datetime,
        *,
        on: date | None = None,
        owner: str | None,
        about: dict[str, str],
        nth: int | None = None,
        money: Money = NO_MONEY,
        duration_seconds: Decimal | None = None,
        properties: Properties | None = None,
    ) -> EventFacts:
        """The facts of one event; its external id is `{object}:{id}:{type}[:n]`."""
        ordinal = "" if nth is None else f":{nth}"
        return EventFacts(
            external_id=f"{self.record.object}:{self.record.id}:{type}{ordinal}",
            type=type,
            occurred_at=at,
            occurred_on=on,
            actor=PersonRef(owner) if owner else None,
            credits=self._credits() if self.record.object == "deal" else (),
            about=about,
            amount=money.amount,
            currency=money.currency,
            duration_seconds=duration_seconds,
            properties={**self._properties(), **(properties or {})},
        )

    def activity(
        self,
        type: str,  # noqa: A002
        at: datetime,
        length: Decimal | None = None,
        properties: Properties | None = None,
        on: date | None = None,
    ) -> EventFacts:
        """What whoever owned the record at `at` did then, for so many seconds; by hand, unless a property says else."""
        return self.event(
            type,
            at,
            on=on,
            owner=self.owner_at(at),
            about=self.about(at),
            duration_seconds=length,
            properties={"automated": False, **(properties or {})},
        )

    def field(self, role: str, standard: str) -> str:
        """The field of the record that plays a role."""
        return self.mapping.field_of(self.record.object, role, standard)

    def money(self, amount: str, currency: str) -> Money:
        """Amount and currency, the latest by the source's times, in the fields that play these roles."""
        worth = wire.amount(self.record.state(self.field("amount", amount)))
        if worth is None:
            return NO_MONEY
        return Money(worth, currency_of(self.record.state(self.field("currency", currency)), self.mapping))

    def close_day(self, standard: str) -> date | None:
        """The local day of the close date, if that dates a win."""
        if self.mapping.win_dated_by != "close_date":
            return None
        return local_day(self.record.state(self.field("close_date", standard)), self.mapping.time_zone)

    def owner_at(self, at: datetime) -> str | None:
        """The owner by the source's times; before any is known, the first known one."""
        return wire.id_or_none(self.record.value_at(self.owner_field, at)) or self._lent_owner()

    def _lent_owner(self) -> str | None:
        """Whose deal else contact it hangs on, as far as others lend their owner at all."""
        keys = [(kind, id_) for kind in ("deal", "contact") if (id_ := self.own(kind))]
        owners = (self.links.owners.get(key) for key in keys)
        return wire.id_or_none(next(filter(None, owners), None))

    def owner_of_closing(self, at: datetime) -> str | None:
        """Whose a win or loss is (`credit_owner`): later bulk reassignments never move it silently."""
        if self.mapping.credit_owner == "always":
            return wire.id_or_none(self.record.state(self.owner_field))
        corrected = self.mapping.credit_owner == "corrected"
        return self.owner_at(at + self.mapping.credit_correction if corrected else at)

    def name(self, object: str, id: str) -> str:  # noqa: A002
        """The id of a CRM object that no other source shares."""
        return f"{self.source_key}:{object}:{id}"

    def about(self, at: datetime) -> dict[str, str]:
        """What an event of this record at `at` concerns.

        An activity without a company or contact of its own concerns those of its deal, else of its lead.
        """
        record = self.record
        own = {kind: self.own(kind) for kind in ("deal", "lead", "contact", "company")}
        if record.object in own:
            own[record.object] = record.id
        if record.object not in own:
            own["lead"] = own["lead"] or self._lead_of_contact(at)
        parties = self._parties(own)
        found = {**own, **{kind: own[kind] or parties[kind] for kind in ("contact", "company")}}
        about = {kind: self.name(kind, id) for kind, id in found.items() if id}  # noqa: A001
        if self.mapping.lead_object == "contact" and found["contact"]:
            about["lead"] = self.name("contact", found["contact"])
        if customer := self._customer(parties, found):
            about["customer"] = customer
        return about

    def own(self, kind: str) -> str | None:
        """The object of a kind that counts for this record."""
        return self.links.pick(self.record.key, kind)

    def _parties(self, own: Mapped[str, str | None]) -> dict[str, str | None]:
        """Company and contact of the deal, for what hangs on one; else the record's own, else its lead's."""
        if own["deal"] and self.record.object not in {"deal", "lead"}:
            through = ("deal", own["deal"])
        elif own["company"] or own["contact"] or not own["lead"]:
            return {kind: self.own(kind) for kind in ("contact", "company")}
        else:
            through = ("lead", own["lead"])
        return {kind: self.links.pick(through, kind) for kind in ("contact", "company")}

    def _customer(self, *choices: Mapped[str, str | None]) -> str | None:
        """The company else the contact (or as the mapping orders them), of the deal before the record's own."""
        for choice in choices:
            for kind in self.mapping.customer:
                if found := choice[kind]:
                    return self.name(kind, found)
        return None

    def _lead_of_contact(self, at: datetime) -> str | None:
        """Of the leads of an activity's contacts the one made last at or before it, else the earliest."""
        born = sorted(
            (created, lead.id)
            for contact in self.links.ends(self.record.key, "contact")
            for lead in self.links.ends(("contact", contact.id), "lead")
            if (created := self.links.created.get(("lead", lead.id))) and self._counts(lead.id)
        )
        before = [lead for created, lead in born if created <= at]
        return before[-1] if before else next((lead for _, lead in born), None)

    def _counts(self, lead: str) -> bool:
        """A deleted lead is none, unless it became a deal."""
        return ("lead", lead) not in self.links.deleted or bool(self.links.ends(("lead", lead), "deal"))

    def _credits(self) -> tuple[Credit, ...]:
        roles = sorted(self.mapping.credit_roles.items())
        people = [(role, wire.id_or_none(self.record.state(field))) for role, field in roles]
        return tuple(Credit(role, PersonRef(person), Decimal(1)) for role, person in people if person)

    def _properties(self) -> Properties:
        told = self.mapping.properties.get(self.record.object, {})
        values = {name: _typed(self.record.state(source.field), source.kind) for name, source in told.items()}
        return {name: value for name, value in values.items() if value is not None}


def _typed(value: Value, kind: str) -> str | Decimal | bool | None:
    if kind == "number":
        number = wire.amount(value)
        return number if number is not None and is_property_number(number) else value
    if kind == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
    return str(value).lower() if isinstance(value, bool) else value


def deal_events(
    told: Translation, *, created: datetime | None, stage: str, pipeline: str, closing: Closing | None, money: Money
) -> list[EventFacts]:
    """A deal made, each stage that it entered, and how it ended; `stage` and `pipeline` name the fields."""
    record = told.record
    events = [_made(told, created, money)] if created else []
    entries = [entry for entry in record.transitions(stage) if isinstance(entry.value, str)]
    events += [_entered(told, nth, entry, pipeline) for nth, entry in enumerate(entries, start=1)]
    if closing:
        events.append(
            told.event(
                closing.type,
                closing.at,
                on=closing.on,
                owner=told.owner_of_closing(closing.at),
                about=told.about(closing.at),
                money=money,
                properties={**_told("stage", record.state(stage)), **_told("pipeline", record.state(pipeline))},
            )
        )
    return events


def _made(told: Translation, created: datetime, money: Money) -> EventFacts:
    return told.event("deal.created", created, owner=told.owner_at(created), about=told.about(created), money=money)


def _entered(told: Translation, nth: int, entry: Stamp, pipeline: str) -> EventFacts:
    return told.event(
        "deal.stage_entered",
        entry.at,
        owner=told.owner_at(entry.at),
        about=told.about(entry.at),
        nth=nth,
        properties={**_told("stage", entry.value), **_told("pipeline", told.record.value_at(pipeline, entry.at))},
    )


def _told(name: str, value: Value) -> Properties:
    return {name: value} if isinstance(value, str) else {}


def score_of(value: Value) -> Decimal | None:
    """A number that fits into a property; None for anything else."""
    number = wire.amount(value)
    return number if number is not None and is_property_number(number) else None


def quote_events(
    told: Translation, *, sent: datetime | None, accepted: datetime | None, money: Money = NO_MONEY
) -> list[EventFacts]:
    """A quote sent and accepted, as far as its fields tell; whoever owns it then is credited."""
    steps = (("quote.sent", sent), ("quote.accepted", accepted))
    return [
        told.event(step, at, owner=told.owner_at(at), about=told.about(at), money=money) for step, at in steps if at
    ]


NO_CURRENCY = "XXX"
"""ISO 4217's code for none: an amount in a currency that nobody knows is converted by no rate (S27)."""


def currency_of(value: Value, mapping: Mapping) -> str | None:
    """The ISO code of a currency field: as the mapping names it, else its own text; None if it tells nothing."""
    if not isinstance(value, str) or not value:
        return None
    named = {native.lower(): code for native, code in mapping.currencies.items()}
    return named.get(value.lower()) or wire.currency(value) or NO_CURRENCY


def local_day(value: Value, time_zone: str) -> date | None:
    """The day of a date, or of an instant in the organization's zone."""
    if not isinstance(value, str):
        return None
    if len(value) == len("2026-01-31") and (found := wire.day(value)):
        return found
    at = wire.instant(value)
    return wire.plausible(at.astimezone(ZoneInfo(time_zone)).date()) if at else None


def lead_events(
    told: Translation,
    *,
    created: datetime | None,
    qualified: datetime | None,
    converted: datetime | None,
    money: Money = NO_MONEY,
) -> list[EventFacts]:
    """A lead made, qualified and converted, as far as its fields tell."""
    steps = [
        ("lead.created", created, money),
        ("lead.qualified", qualified, Money()),
        ("lead.converted", converted, Money()),
    ]
    return [
        told.event(step, at, owner=told.owner_at(at), about=told.about(at), money=worth)
        for step, at, worth in steps
        if at
    ]
