"""`paceline rotate-keys`: secrets are sealed anew beside the running service."""

import asyncio
import base64
import os
import subprocess
import sys

from sqlalchemy import select

from app.core.db import OrganizationId
from app.core.sealing import MARK
from app.core.settings import Settings
from app.integrations.models import SourceSecret
from app.supervisor import PROJECT
from tests.conftest import KEYS
from tests.integrations.posting import hubspot
from tests.support import Api

NEW = f"new:{base64.b64encode(bytes(32)).decode()}"


async def rotate(settings: Settings, keys: str) -> tuple[int, str]:
    """Run the command; gives its exit code and what it says."""
    environment = {**os.environ, "PACELINE_DATABASE_URL": settings.database_url or "", "PACELINE_ENCRYPTION_KEYS": keys}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app", "rotate-keys"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


async def secrets(api: Api) -> list[str]:
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        found = await session.execute(select(SourceSecret.secret).where(SourceSecret.org_id == api.org_id))
    return list(found.scalars())


async def test_the_command_seals_everything_by_the_first_key(api: Api, settings: Settings) -> None:
    await hubspot(api)
    code, said = await rotate(settings, f"{NEW},{KEYS}")
    assert code == 0, said
    assert all(secret.startswith(f"{MARK}new:") for secret in await secrets(api))
    code, said = await rotate(settings, f"{KEYS},{NEW}")  # as the running service has it
    assert code == 0, said
    assert all(secret.startswith(f"{MARK}tests:") for secret in await secrets(api))


async def test_the_command_says_what_it_lacks(api: Api, settings: Settings) -> None:
    await hubspot(api)
    before = await secrets(api)
    for keys, reason in (("", "PACELINE_ENCRYPTION_KEYS is not set"), (NEW, "'tests'"), ("new:secret", "not 32 bytes")):
        code, said = await rotate(settings, keys)
        assert code in {1, 2}
        assert reason in said
        assert "Traceback" not in said
        assert "new:secret" not in said
    assert await secrets(api) == before
