"""What every client speaks: how a system is asked for objects, people, stages and subscriptions, and what goes wrong.

Clients hold no transaction and know no database. All errors are `ClientError`s, whose texts are ours: nothing of an
answer is repeated but codes, so that they can be shown and logged.
"""

# ruff: noqa: N818 - errors are named by what is so, as problems are

import re
import secrets
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol

from app.integrations.adapters.base import Fetched, Json
from app.integrations.mapping import Mapping

if TYPE_CHECKING:
    from app.integrations.clients.http import Outside


class ClientError(Exception):
    """The system could not be asked, or did not answer as documented."""


class AccessRefused(ClientError):
    """The credentials are wrong, were withdrawn, or lack a permission: somebody has to mend them."""


class Overloaded(ClientError):
    """The system's limit is reached; `wait` seconds are to pass."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class Unreachable(ClientError):
    """No answer in time, or failures of the system itself, after all retries."""


class Refused(ClientError):
    """The system refuses this request, whoever asks: an id or field that it does not know."""


class NotUnderstood(ClientError):
    """The answer has not the documented shape."""


class NotOffered(ClientError):
    """The system has no such interface."""


class ForeignHost(ClientError):
    """The host is none of this system's: nothing was sent."""


_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")

PersonKind = Literal["person", "queue", "team"]
Outcome = Literal["open", "won", "lost"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who may own records, by the id that these have as owner; queues and teams own some, too."""

    id: str
    name: str | None
    email: str | None
    is_active: bool
    kind: PersonKind = "person"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a pipeline: `id` as records have it; `outcome` None where the system does not tell."""

    object: str
    pipeline_id: str | None
    pipeline: str | None
    id: str
    name: str
    outcome: Outcome | None
    position: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a system posts to us: its own id, what it tells, and until when (None: until it is ended)."""

    id: str
    url: str
    about: str
    ends_at: datetime | None


class ChangedPage(NamedTuple):
    """Objects that changed, and where to go on; `cursor` None: these were the last."""

    fetched: Fetched
    cursor: str | None


class Access(Protocol):
    """The way to access tokens of one source. They are renewed once, however many ask."""

    async def token(self, stale: str | None = None) -> "Token":
        """An access token that holds: another one than `stale`, if that is given. Raises `AccessRefused`."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `about` is what came with it, such as the address to be asked."""

    text: str
    ends_at: datetime | None
    about: Mapped[str, str]


class Standing:
    """A token that never ends, as some systems give: nothing can be done once it is refused."""

    def __init__(self, text: str) -> None:
        self._token = Token(text, None, {})

    async def token(self, stale: str | None = None) -> Token:
        """The token. Raises `AccessRefused` where it was refused."""
        if stale is not None:
            raise AccessRefused("The credentials are refused (status 401).")
        return self._token


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a system answered to a request for a token; `refresh_token` where it gave a new one."""

    text: str
    seconds: int
    about: Mapped[str, str]
    refresh_token: str | None = None


class Client(Protocol):
    """One system, asked for one source. What has a body here is what systems without the interface share."""

    system: ClassVar[str]
    kinds: ClassVar[Sequence[str]]
    """The record objects whose changes can be asked for, those first that others refer to."""
    most: ClassVar[int]
    """So many ids one `fetch` takes."""

    def __init__(self, outside: "Outside", asked: "Asked", given: Mapped[str, str], access: Access) -> None:
        """`given`: the credentials by field; `access` keeps tokens, where the system has such."""

    @staticmethod
    async def renew_token(outside: "Outside", given: Mapped[str, str]) -> Renewed:
        """A new access token by what was given. Raises `ClientError`."""

    def offers(self, object: str) -> bool:  # noqa: A002
        """Whether objects of this kind (a record object, or the system's own name) can be fetched."""

    async def check(self) -> str | None:
        """Ask something harmless; gives the account that answers, where the system tells. Raises `ClientError`."""

    async def fetch(self, object: str, ids: Sequence[str]) -> Fetched:  # noqa: A002
        """These objects, at most `most`: as items in the system's own JSON, or as gone."""

    async def changed(self, object: str, since: datetime, until: datetime, cursor: str | None = None) -> ChangedPage:  # noqa: A002
        """The objects changed in `[since, until)`, a page at a time; deleted ones as gone where the system tells."""

    async def people(self) -> list[Person]:
        """Everybody who may own records, former ones too."""

    async def stages(self) -> list[Stage]:
        """The stages of deals (and leads), in their order."""

    async def currencies(self) -> dict[str, str]:
        """What the values of the currency field mean, where these are no ISO 4217 codes."""
        return {}

    @staticmethod
    def new_secret() -> str:
        """A secret, never used before, of the form in which the system can prove its messages by it."""
        return secrets.token_urlsafe(24)

    async def subscribe(self, url: str, secret: str) -> list[Subscription]:
        """Have changes posted to this address, proved by this secret. Raises `NotOffered`."""
        raise NotOffered(f"{self.system} has no interface for this: subscribe in the system itself.")

    async def renew(self, subscription_id: str, url: str, secret: str) -> Subscription:
        """Extend what would end. Raises `NotOffered`."""
        raise NotOffered(f"{self.system} has no subscriptions that end.")

    async def unsubscribe(self, subscription_id: str) -> None:
        """End one; one that is not there any more is ended. Raises `NotOffered`."""
        raise NotOffered(f"{self.system} has no interface for this: unsubscribe in the system itself.")

    async def subscriptions(self) -> list[Subscription]:
        """What the system posts, as far as these credentials may know. Raises `NotOffered`."""
        raise NotOffered(f"{self.system} has no interface for this: look in the system itself.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client is made for: the account and mapping of its source."""

    account_id: str
    mapping: Mapping


def fetched_of(asked: Asked, kind: str, items: Sequence[Json], gone: Collection[str], at: datetime) -> Fetched:
    """What was fetched, of items that are JSON objects. Raises `NotUnderstood`."""
    if not all(isinstance(item, dict) for item in items):
        raise NotUnderstood("An object in the answer is none.")
    return Fetched(asked.account_id, kind, [item for item in items if isinstance(item, dict)], sorted(gone), at)


def held_in(asked: Asked, kind: str, standard: Mapped[str, str]) -> list[str]:
    """The system's own names of what holds these objects: the standard one, then those that the mapping adds.

    Names that could not be part of an address or query are none.
    """
    own = standard.get(kind, kind)
    also = (name for name, of in asked.mapping.objects.items() if of == kind and _PLAIN.fullmatch(name))
    return [own, *sorted(name for name in also if name != own)]


def left_of(ids: Sequence[str], items: Sequence[Mapped[str, Json]], name: str) -> list[str]:
    """The ids of which no item came; `name` is the field that holds an item's."""
    there = {str(item.get(name)) for item in items}
    return [each for each in ids if each not in there]
