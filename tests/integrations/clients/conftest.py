"""Clients of one source each, over real HTTP to a CRM on this machine."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from app.integrations.adapters import ADAPTERS
from app.integrations.clients import CLIENTS
from app.integrations.clients.base import Asked, Client, Token
from app.integrations.clients.http import Outside
from app.integrations.mapping import mapping_of
from tests.integrations.clients.server import Crm, serving

Connect = Callable[..., Awaitable[Client]]


class Access:
    """Tokens that are kept in memory."""

    def __init__(self, client: type[Client], outside: Outside, given: dict[str, str]) -> None:
        self.client, self.outside, self.given = client, outside, given
        self.kept: Token | None = None

    async def token(self, stale: str | None = None) -> Token:
        """The one that is kept, if it is not stale."""
        if self.kept is None or self.kept.text == stale:
            renewed = await self.client.renew_token(self.outside, self.given)
            self.kept = Token(renewed.text, None, renewed.about)
        return self.kept


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connects to a CRM: `await connect("hubspot", HubSpotServer(), access_token="...")`."""
    async with AsyncExitStack() as stack:

        async def to(system: str, crm: Crm, account_id: str = "1", mapping: Any = None, **given: str) -> Client:
            await stack.enter_async_context(serving(crm))
            outside = Outside({"*": crm.url}, pause=0.001)
            stack.push_async_callback(outside.close)
            known = mapping_of(mapping or {}, ADAPTERS[system].defaults, "UTC")
            kind = CLIENTS[system]
            return kind(outside, Asked(account_id, known), given, Access(kind, outside, given))

        yield to
