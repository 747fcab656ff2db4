"""Two furnished organizations, for tests that change nothing in them."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from app.core.db import Database
from tests.contract.organization import Furnished
from tests.support import World


@pytest.fixture(scope="module")
async def strangers(app: FastAPI, worker_database: Database) -> AsyncIterator[tuple[Furnished, Furnished]]:
    """Two organizations, each with everything."""
    world = World(app, worker_database)
    both = Furnished(await world.organization(), "ours"), Furnished(await world.organization(), "theirs")
    for furnished in both:
        await furnished.everything()
    yield both
    await world.close()
