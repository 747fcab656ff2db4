"""Webhook calls on their way in: those of an organization that wait at the same time are stored by one transaction."""

import asyncio
from dataclasses import dataclass, field
from itertools import accumulate
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.db import Database, OrganizationId
from app.core.problems import Unavailable
from app.core.telemetry import log
from app.integrations import deliveries
from app.integrations.adapters.base import RawRequest, Reply
from app.integrations.deliveries import Call
from app.integrations.rejections import Rejections

MOST_AT_ONCE = 100
MOST_BYTES_AT_ONCE = 1_000_000
"""Of bodies: reading them keeps the calls of all organizations waiting, for some 0.1 s."""


@dataclass(slots=True)
class _Waiting:
    """A call, and where its answer is awaited."""

    call: Call
    answer: asyncio.Future[Reply]


@dataclass(slots=True)
class _Queue:
    """The calls of an organization that came while others were being stored, and who stores them."""

    waiting: list[_Waiting] = field(default_factory=list)
    storing: asyncio.Task[None] | None = None


class Inbox:
    """Takes the webhook calls of this process.

    A call alone is stored at once. While it is, those that follow gather, and go together: so a burst of one
    organization costs few commits, and one connection. Each is answered when it is on disk.
    """

    def __init__(self, database: Database, base_url: str) -> None:
        self._database = database
        self._base_url = base_url
        self._rejections = Rejections()
        self._queues: dict[OrganizationId, _Queue] = {}

    async def take(self, org_id: OrganizationId, source_id: UUID, request: RawRequest) -> Reply:
        """Store the call if it is authentic; gives the answer to its sender. Raises `Unavailable`."""
        mine = _Waiting(Call(source_id, request), asyncio.get_running_loop().create_future())
        queue = self._queues.setdefault(org_id, _Queue())
        queue.waiting.append(mine)
        if queue.storing is None:
            queue.storing = asyncio.create_task(self._store_all(org_id, queue))
        return await mine.answer

    async def _store_all(self, org_id: OrganizationId, queue: _Queue) -> None:
        try:
            while queue.waiting:
                count = _together(queue.waiting)
                some, queue.waiting = queue.waiting[:count], queue.waiting[count:]
                await self._answer(org_id, some)
        finally:
            del self._queues[org_id]
            for left in queue.waiting:  # the process ends
                left.answer.cancel()

    async def _answer(self, org_id: OrganizationId, some: list[_Waiting]) -> None:
        """Answer each with what became of it; where they cannot be stored together, each is tried by itself."""
        try:
            async with self._database.brief(org_id) as session:
                replies = await deliveries.receive(
                    session, org_id, [each.call for each in some], self._base_url, self._rejections
                )
        except Exception as error:
            if not _is_of_a_call(error):
                log.warning("calls-not-stored", calls=len(some), error=type(error).__name__)
                _fail(some, Unavailable("The call cannot be stored right now. Send it again in a moment."))
            elif len(some) == 1:
                _fail(some, error)
            else:
                for each in some:
                    await self._answer(org_id, [each])
        except BaseException as error:
            _fail(some, error)
            raise
        else:
            for each, reply in zip(some, replies, strict=True):
                if not each.answer.done():
                    each.answer.set_result(reply)


def _together(waiting: list[_Waiting]) -> int:
    """How many of those that wait are stored by one transaction: at least one."""
    sizes = accumulate(len(each.call.request.body) for each in waiting[:MOST_AT_ONCE])
    return max(1, sum(size <= MOST_BYTES_AT_ONCE for size in sizes))


# Classes of SQLSTATE: lost connections, a standby, deadlocks, no room, locks, time-outs and shutdowns, disks.
_OF_THE_DATABASE = frozenset({"", "08", "25", "40", "53", "55", "57", "58"})


def _is_of_a_call(error: Exception) -> bool:
    """Whether it may lie in what one call says, and not in the state of the database.

    In that state the others would fail too, each after its time-out; and their senders are told to try again: some of
    them take 502, 503 and 504 for that and nothing else.
    """
    if isinstance(error, DBAPIError):
        return (getattr(error.orig, "sqlstate", None) or "")[:2] not in _OF_THE_DATABASE
    return not isinstance(error, OSError | PoolTimeout)


def _fail(some: list[_Waiting], error: BaseException) -> None:
    """Let whoever waits raise it."""
    for each in some:
        if not each.answer.done():
            each.answer.set_exception(error)
