"""What every adapter speaks: requests and replies, items and their changes, and the interface itself."""

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

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
    """A webhook call as it came: `url` is the address its sender signs, header names are in lower case.

    `query` is what followed the question mark; it may hold a secret, and is never kept.
    """

    method: str
    url: str
    headers: Mapped[str, str]
    body: bytes
    query: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered to the sender, in its own form."""

    status: int
    media_type: str | None = None
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()


REJECTED = Reply(401)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a system answered when it was asked for objects of one kind: `items` in its own shape, and what is gone.

    It is stored as a delivery, as `redact_fetched` leaves it, and folded like any other.
    """

    account_id: str
    object: str
    items: Sequence[dict[str, Json]]
    gone: Sequence[str]
    at: datetime


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
    """What one item says about records; empty for messages that concern nothing we keep.

    `wanted` are objects of which it only says that they changed: they must be fetched.
    """

    fields: Sequence[FieldChange] = ()
    links: Sequence[LinkChange] = ()
    wanted: Sequence[Key] = ()


class Adapter(Protocol):
    """One system: how its messages are proved, read, and turned into the events they imply.

    All of it is plain functions of the arguments; nothing is asked of the system (`clients` do) and nothing
    is kept. What has a body here is what most systems share.
    """

    system: ClassVar[str]
    labels: ClassVar[Mapped[str, str]] = {}
    """The field by which people call a record, by object."""
    lent_owner: ClassVar[str | None] = None
    """The owner's field of deals and contacts, where quotes and feedback without an owner go by it."""
    has_accounts: ClassVar[bool] = True
    """Whether messages name the account that they come from: what is of another one is left out."""
    headers: ClassVar[Collection[str]] = ()
    """Names of its own headers, in lower case, that are kept: harmless ones, also needed to read the body again."""
    defaults: ClassVar[Mapped[str, Any]] = {}
    """What fields of the mapping are in this system where nothing is configured, as `mapping_of` reads them."""

    def handshake(self, request: RawRequest, secrets: Sequence[str]) -> Reply | None:
        """The answer to a challenge by GET or OPTIONS; None where the system has none, or it is not answered."""
        return None

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """Raise `NotAuthentic` unless one of the active secrets proves the request at `now`."""

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """The body (opened by a secret, where it is encrypted) without names, addresses or texts of customers.

        Of deals, companies and leads all fields are kept that are not sensitive or personal, since a mapping
        may read them later; of people and activities only those that are read now. Raises `Unparseable` when
        it is no such body at all.
        """

    def account(self, configured: str) -> str:
        """The account as messages spell it, however it was configured."""
        return configured

    def is_of_account(self, told: str, configured: str) -> bool:
        """Whether a message that names this account comes from the one that is configured."""
        return told == self.account(configured)

    def fault_of_secret(self, secret: str) -> str | None:
        """What is wrong with a secret that is to be configured; None if nothing is."""
        return None

    def scrub(self, body: bytes) -> bytes:
        """A body that could not be read, without credentials that it may hold: so it is kept."""
        return body

    def redact_fetched(self, fetched: Fetched, mapping: Mapping) -> Json:
        """What was fetched, without the same, as `split` reads it. Raises `Unparseable`."""
        raise Unparseable("nothing is fetched from this system")

    def forget(self, redacted: Json, erased: Collection[Key]) -> Json:
        """The redacted body without the values of objects that were erased for privacy."""
        return redacted

    def acknowledge(self, request: RawRequest, secrets: Sequence[str], now: datetime) -> Reply:
        """What the system takes for success."""
        return Reply(200)

    def reject(self, request: RawRequest) -> Reply:
        """What is answered to a call that is not authentic: nothing that a stranger could learn from."""
        return REJECTED

    def split(self, redacted: Json) -> list[Item]:
        """The messages of a body, each with its account; one that cannot be read says so itself."""

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """What a message says about fields and links, with the source's times. Raises `Unparseable`."""

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events that follow from a record: a pure function of the arguments."""

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """Whether fields without which no event can be made have not been told yet."""
        return False

    def address(self, account_id: str, object: str, id: str) -> str | None:  # noqa: A002
        """Where people find the record in the CRM; None where it has no page of its own."""
        return None
