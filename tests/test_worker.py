"""The worker goes round over what is due, and knows whether more may be waiting."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app import worker
from app.core import jobs
from app.core.db import OrganizationId
from app.core.jobs import Handler, Work
from tests.support import Api

KIND = "count-numbers"


async def test_a_round_is_full_where_more_may_be_waiting(api: Api) -> None:
    org_id = OrganizationId(api.org_id)
    done: list[list[int]] = []

    async def count(session: AsyncSession, org_id: OrganizationId, works: Sequence[Work]) -> None:
        done.append([work.payload["number"] for work in works])

    async with api.world.database.write(org_id) as session:
        await jobs.enqueue(session, org_id, KIND, [{"number": number} for number in range(5)])
    handlers = {KIND: Handler(run=count, batch=2)}
    rounds = [await worker._run_round(api.world.worker_database, handlers) for _ in range(4)]
    assert [(each.done, each.is_full) for each in rounds] == [(2, True), (2, True), (1, False), (0, False)]
    assert done == [[0, 1], [2, 3], [4]]
