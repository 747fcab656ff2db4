"""How much computing an organization's queries may take, so that one does not slow the others down."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from app.core.db import OrganizationId
from app.core.problems import Problem

PATIENCE_SECONDS = 5.0
_MINUTE = 60.0


class QueryBudgetExceeded(Problem):
    """The organization's queries take more computing than one may: wait as long as `Retry-After` says, or ask less."""

    status, code, title = 429, "query-budget-exceeded", "Query budget exceeded"


@dataclass
class _Account:
    """What an organization has left, and how many of its queries are being computed."""

    seconds: float
    changed_at: float
    slots: asyncio.Semaphore
    users: int = field(default=0)


class QueryBudget:
    """The budgets of all organizations in this process: seconds that flow back evenly, and places at once."""

    def __init__(
        self, seconds_per_minute: float, max_concurrent: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds_per_minute = seconds_per_minute
        self._max_concurrent = max_concurrent
        self._now = now
        self._accounts: dict[OrganizationId, _Account] = {}

    @asynccontextmanager
    async def admitted(
        self, org_id: OrganizationId, leave: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator["Spending"]:
        """A place among the organization's queries; who has to wait for one gives up before what `leave` gives up.

        Raises `QueryBudgetExceeded`.
        """
        account = self._account(org_id)
        self._require_seconds(account)
        account.users += 1
        try:
            if account.slots.locked():
                if leave is not None:
                    await leave()
                await self._wait_for_a_place(account)
            else:
                await account.slots.acquire()  # at once
            try:
                yield Spending(self, account)
            finally:
                account.slots.release()
        finally:
            account.users -= 1
            self._forget_the_idle()

    async def _wait_for_a_place(self, account: _Account) -> None:
        try:
            await asyncio.wait_for(account.slots.acquire(), PATIENCE_SECONDS)
        except TimeoutError:
            raise _exceeded(
                f"{self._max_concurrent} queries of the organization are being computed already.", PATIENCE_SECONDS
            ) from None

    def _require_seconds(self, account: _Account) -> None:
        if self._seconds_per_minute and account.seconds <= 0:
            wait = -account.seconds / self._seconds_per_minute * _MINUTE
            raise _exceeded(
                f"The organization's queries took more than {self._seconds_per_minute:g} seconds of computing within a "
                "minute.",
                wait,
            )

    def _account(self, org_id: OrganizationId) -> _Account:
        now = self._now()
        account = self._accounts.get(org_id)
        if account is None:
            account = _Account(self._seconds_per_minute, now, asyncio.Semaphore(self._max_concurrent))
            self._accounts[org_id] = account
        regained = (now - account.changed_at) * self._seconds_per_minute / _MINUTE
        account.seconds = min(self._seconds_per_minute, account.seconds + regained)
        account.changed_at = now
        return account

    def charge(self, account: _Account, seconds: float) -> None:
        """Take what was used."""
        account.seconds -= seconds

    def now(self) -> float:
        """The clock by which computing is measured."""
        return self._now()

    def _forget_the_idle(self) -> None:
        """An organization that has everything back needs no account."""
        now = self._now()
        for org_id, account in list(self._accounts.items()):
            if not account.users and now - account.changed_at > _MINUTE and account.seconds > 0:
                del self._accounts[org_id]


@dataclass(frozen=True)
class Spending:
    """An admitted query, which pays for its computing."""

    budget: QueryBudget
    account: _Account

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Charge the time that passes here."""
        start = self.budget.now()
        try:
            yield
        finally:
            self.budget.charge(self.account, self.budget.now() - start)


def _exceeded(detail: str, wait: float) -> QueryBudgetExceeded:
    seconds = max(1, math.ceil(wait))
    return QueryBudgetExceeded(f"{detail} Try again in {seconds} s.", headers={"Retry-After": str(seconds)})
