"""What every adapter speaks: requests and replies, items and their changes, and the interface itself."""

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol, TypeAlias

from app.events.facts import EventFacts
from app.integrations.folding import FieldChange, Key, LinkChange, Network, Record
from app.integrations.mapping import Mapping

Json: TypeAlias = "str | int | Decimal | bool | list[Json] | dict[str, Json] | None"


class NotAuthentic(Exception):  # noqa: N818 - a verdict about a request, not an error of ours
    """The request does not prove that it comes from the source. The sender is never told why."""


class Unparseable(Exception):  # noqa: N818 - a verdict, as above
    """The body, or one item of it, has not the shape that its system documents."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A webhook call as it came: `url` is the address its sender signs, header names are in lower case."""

    method: str
    url: str
    headers: Mapped[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered to the sender, in its own form."""

    status: int
    media_type: str | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a delivery. `dedupe_key` is the same for every repetition of it.

    `problem` says why it cannot be read; then the rest is empty.
    """

    account_id: str
    kind: str
    dedupe_key: str
    payload: dict[str, Json]
    problem: str | None = None


class Changes(NamedTuple):
    """What one item says about records; empty for messages that concern nothing we keep."""

    fields: Sequence[FieldChange] = ()
    links: Sequence[LinkChange] = ()


class Adapter(Protocol):
    """One system: how its messages are proved, read, and turned into the events they imply.

    All of it is plain functions of the arguments; nothing is fetched and nothing is kept.
    """

    system: str
    labels: Mapped[str, str]
    """The field by which people call a record, by object."""

    def handshake(self, request: RawRequest) -> Reply | None:
        """The answer to a challenge by GET or OPTIONS; None where the system has none."""

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """Raise `NotAuthentic` unless one of the active secrets proves the request at `now`."""

    def redact(self, body: bytes, mapping: Mapping) -> Json:
        """The body without names, addresses or texts of customers.

        Of deals, companies and leads all fields are kept that are not sensitive or personal, since a mapping
        may read them later; of people and activities only those that are read now. Raises `Unparseable` when
        it is no such body at all.
        """

    def forget(self, redacted: Json, erased: Collection[Key]) -> Json:
        """The redacted body without the values of objects that were erased for privacy."""

    def acknowledge(self, request: RawRequest) -> Reply:
        """What the system takes for success."""

    def reject(self, request: RawRequest) -> Reply:
        """What is answered to a call that is not authentic."""

    def split(self, redacted: Json) -> list[Item]:
        """The messages of a body, each with its account; one that cannot be read says so itself."""

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """What a message says about fields and links, with the source's times. Raises `Unparseable`."""

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events that follow from a record: a pure function of the arguments."""

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """Whether fields without which no event can be made have not been told yet."""

    def address(self, account_id: str, object: str, id: str) -> str | None:  # noqa: A002
        """Where people find the record in the CRM; None where it has no page of its own."""
