"""What rules make of the messages of a webhook: a record for each fact, and the event that it is."""

import hashlib
import re
from collections.abc import Iterator
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.calendars.periods import SkippedTimeError, resolve_local
from app.events.facts import WHOLE, Credit, EventFacts, PersonRef
from app.integrations.adapters import wire
from app.integrations.adapters.base import Json, Unparseable
from app.integrations.folding import CREATED, DELETED, HEARSAY, FieldChange, Record, Value
from app.integrations.mapping import Mapping
from app.integrations.rules import Paths, Rule

MESSAGE = "message"
BACK = ("deleted", "retracted", "voided")
AGAIN = ("corrected", "amended", "updated", "restored")
TAKES_BACK = frozenset({*BACK, "delete", "retract", "void"})
_NAME = re.compile(r"[^a-z0-9_]+")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,20})?")
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2})")
_LATEST_SECONDS = 100_000_000_000  # beyond it an epoch is in milliseconds
_UNITS = {"major": Decimal(1), "cents": Decimal("0.01"), "micros": Decimal("0.000001")}
_LENGTHS = {"s": Decimal(1), "ms": Decimal("0.001"), "min": Decimal(60)}


def type_of(payload: Mapped[str, Json]) -> str:
    inner = payload.get("@item")
    for told in (inner if isinstance(inner, dict) else {}, payload):
        for name in ("type", "event_type", "event", "eventName"):
            if isinstance(found := told.get(name), str) and found:
                return wire.storable(found)
    return ""


def at_path(told: Json, path: str) -> Json:
    """What stands at a path; None where nothing does."""
    for part in path.split("."):
        if isinstance(told, dict):
            told = told.get(part)
        elif isinstance(told, list) and part.isdigit() and len(part) < 5 and int(part) < len(told):
            told = told[int(part)]
        else:
            return None
    return told


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as rules look at it."""

    payload: dict[str, Json]
    mapping: Mapping

    def first(self, paths: Paths) -> Json:
        """The first of the paths at which something is told."""
        for path in paths:
            if (found := self._one(path)) is not None and not isinstance(found, dict | list) and found != "":
                return found
        return None

    def text(self, paths: Paths) -> str | None:
        """The same as text."""
        value = wire.value_of(self.first(paths))
        return str(value).lower() if isinstance(value, bool) else value

    def fits(self, rule: Rule) -> bool:
        """Whether each path of `when` has one of its values."""
        return all(self.text((path,)) in values for path, values in rule.when.items())

    @property
    def types(self) -> tuple[str, str]:
        """The type without what it does to an earlier one, and that."""
        words = type_of(self.payload).lower().split(".")
        does = words.pop() if len(words) > 2 and words[-1] in {*BACK, *AGAIN} else ""
        return ".".join(words[-2:]), does

    @property
    def takes_back(self) -> bool:
        """Whether it says that what it is about never was."""
        told = self.text(("data.op", "op"))
        return self.types[1] in BACK or told in TAKES_BACK or self._one("data.retracted") is True

    def at(self, paths: Paths) -> datetime | None:
        """The instant at the first of the paths. Raises `Unparseable` for what is told and is no instant."""
        for path in paths:
            if (told := self._one(path)) is not None and told != "":
                if (at := _instant(told, self.mapping)) is None:
                    raise Unparseable(f"{path} is no instant")
                return at
        return None

    def _one(self, path: str) -> Json:
        if path == "@type":
            return self.types[0]
        if path == "@time":
            return self.payload.get("@time") or self.payload.get("timestamp") or self.payload.get("time")
        inner = self.payload.get("@item")
        found = at_path(inner, path) if isinstance(inner, dict) else None
        return found if found is not None else at_path(self.payload, path)


def _instant(told: Json, mapping: Mapping) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970.

    Without a zone it is the organization's, or UTC if the mapping says so (S4).
    """
    if isinstance(told, Decimal):
        return wire.epoch(int(told * 1000), 1000) if abs(told) < _LATEST_SECONDS else None
    if isinstance(told, int) or (isinstance(told, str) and told.isdigit() and told.isascii() and len(told) < 18):
        return wire.epoch(int(told), 1 if int(told) < _LATEST_SECONDS else 1000)
    if not isinstance(told, str):
        return None
    try:
        naive = datetime.fromisoformat(told)
    except ValueError:
        return None
    if naive.tzinfo is not None or mapping.naive_times == "utc":
        return wire.instant(told)
    try:
        local = resolve_local(naive.date(), naive.time(), ZoneInfo(mapping.time_zone))
    except (SkippedTimeError, OverflowError) as problem:
        raise Unparseable(str(problem)) from None
    return wire.instant(local.isoformat())


@dataclass(frozen=True, slots=True)
class Fact:
    """What a rule makes of a message: the fields of a record that is one fact."""

    message: Message
    rule: Rule

    def changes(self) -> list[FieldChange]:
        """Its fields, since the time of the message. Raises `Unparseable` where a time is missing or wrong."""
        message, rule = self.message, self.rule
        at = message.at(rule.updated_at) or message.at(rule.occurred_at) or message.at(("@sent",))
        if at is None:
            raise Unparseable("the message has no time: name one in the rule's updated_at or occurred_at")
        record, tie = self._record(), wire.storable(str(message.payload.get("@id") or "~"))
        if rule.retracts or message.takes_back:
            return [FieldChange(MESSAGE, record, DELETED, at, tie, True)]
        told: dict[str, Value] = {name: value for name, value in self._fields() if value is not None}
        changes = [FieldChange(MESSAGE, record, name, at, tie, value) for name, value in sorted(told.items())]
        made = FieldChange(MESSAGE, record, CREATED, at, HEARSAY, True)
        return [*changes, made, FieldChange(MESSAGE, record, DELETED, at, HEARSAY, False)]

    def _record(self) -> str:
        """The id of the fact, with its type: a deal that is won was made before."""
        told = self.message.text(self.rule.id) or self.message.text(("@id",))
        if told is None:
            raise Unparseable("the message has no id: name one in the rule's id")
        name = f"{self._type()}-{told}"
        is_plain = wire.id_or_none(told) is not None and len(name) <= 64
        return name.replace(".", "-") if is_plain else hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:40]

    def _type(self) -> str:
        return self.rule.event or self.message.types[0]

    def _fields(self) -> Iterator[tuple[str, Value]]:
        message, rule = self.message, self.rule
        yield "type", self._type()
        if occurred := message.at(rule.occurred_at):
            yield "occurred_at", occurred.isoformat()
        yield "occurred_on", self._day()
        yield "actor", _person(message, rule.actor) or _lower(_person(message, rule.actor_email))
        email = _person(message, rule.actor_email) or _person(message, rule.actor)
        yield "actor_email", _lower(email) if email and "@" in email else None
        for role, paths in rule.roles.items():
            yield f"role.{role}", _person(message, paths)
        for thing, paths in rule.about.items():
            yield f"about.{thing}", message.text(paths)
        yield "amount", _scaled(message.first(rule.amount), _UNITS[rule.amount_unit], "amount")
        yield "currency", message.text(rule.currency)
        yield "quantity", _scaled(message.first(rule.quantity), WHOLE, "quantity")
        yield "duration", self._duration()
        yield from self._properties()

    def _day(self) -> str | None:
        """A date, or the local day of an instant. Raises `Unparseable`."""
        told = self.message.text(self.rule.occurred_on)
        if told is None:
            return None
        if (day := wire.day(told)) is None:
            at = _instant(told, self.message.mapping)
            day = at.astimezone(ZoneInfo(self.message.mapping.time_zone)).date() if at else None
        if day is None:
            raise Unparseable("occurred_on is no date")
        return day.isoformat()

    def _duration(self) -> str | None:
        told = self.message.first(self.rule.duration)
        if self.rule.duration_unit != "hh:mm:ss":
            return _scaled(told, _LENGTHS[self.rule.duration_unit], "duration")
        if told is None:
            return None
        if (found := _CLOCK.fullmatch(str(told))) is None:
            raise Unparseable("duration is not written HH:MM:SS or MM:SS")
        hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return str(hours * 3600 + minutes * 60 + seconds)

    def _properties(self) -> Iterator[tuple[str, Value]]:
        """One that is a number keeps that it is one, in the name of its field."""
        for name, paths in self.rule.properties.items():
            told: Mapped[str, Json] = {name: self.message.first(paths)}
            if name == "*":
                whole = at_path(self.message.payload, paths[0])
                told = whole if isinstance(whole, dict) else {}
            for key, value in list(told.items())[:40]:
                kind = "number" if isinstance(value, int | Decimal) and not isinstance(value, bool) else "property"
                yield f"{kind}.{_NAME.sub('_', key.lower())[:60]}", wire.value_of(value)
        for name, constant in self.rule.constants.items():
            yield f"property.{name}", constant


def _person(message: Message, paths: Paths) -> str | None:
    return message.text(paths)


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None


def _scaled(told: Json, unit: Decimal, name: str) -> str | None:
    """A number in our unit, as text. Raises `Unparseable` for what is told and is none."""
    if told is None:
        return None
    text = str(told).strip()
    number = wire.amount(wire.plain(Decimal(text) * unit)) if _DECIMAL.fullmatch(text) else None
    if number is None or isinstance(told, bool):
        raise Unparseable(f"{name} is no number")
    return wire.plain(number)


def event_of(record: Record, mapping: Mapping, source_key: str) -> list[EventFacts]:
    type_ = record.text("type")
    at = wire.instant(record.state("occurred_at")) or record.created_at
    if type_ is None or at is None:
        return []
    actor = record.text("actor")
    day = record.text("occurred_on")
    properties = {name.partition(".")[2]: record.state(name) for name in record.fields if name.startswith("property.")}
    numbers = {name.partition(".")[2]: record.state(name) for name in record.fields if name.startswith("number.")}
    return [
        EventFacts(
            external_id=f"{MESSAGE}:{record.id}:{type_}",
            type=type_,
            occurred_at=at,
            occurred_on=wire.day(day) if day else None,
            actor=PersonRef(actor, record.text("actor_email")) if actor else None,
            credits=_credits(record),
            about=_about(record, mapping, source_key),
            amount=wire.amount(record.state("amount")),
            currency=wire.currency(record.state("currency")),
            quantity=wire.amount(record.state("quantity")),
            duration_seconds=wire.amount(record.state("duration")),
            properties=_told({**properties, **{name: wire.amount(value) for name, value in numbers.items()}}),
        )
    ]


def _credits(record: Record) -> tuple[Credit, ...]:
    people = [(name.partition(".")[2], record.text(name)) for name in record.fields if name.startswith("role.")]
    return tuple(Credit(role, PersonRef(person), WHOLE) for role, person in people if person)


def _about(record: Record, mapping: Mapping, source_key: str) -> dict[str, str]:
    """Things by the names that no other source shares; those that another source knows, by that one's."""
    named = {name.partition(".")[2]: record.text(name) for name in record.fields if name.startswith("about.")}
    type_ = record.text("type")
    rule = next((rule for rule in mapping.rules if rule.event == type_), None)
    owner = (rule.about_source if rule else None) or source_key
    about = {thing: f"{owner}:{thing}:{id_}"[:200] for thing, id_ in named.items() if id_}
    if "customer" not in about:
        found = next((about[kind] for kind in mapping.customer if kind in about), None)
        about |= {"customer": found} if found else {}
    return about


# Any: what stands in properties, of which nothing is left out but nothing.
def _told(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None and value != ""}
