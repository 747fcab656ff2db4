"""A CRM on this machine, over real HTTP: it answers as its system documents, tells what it was asked, and can fail."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import uvicorn

Answer = tuple[int, Mapping[str, str], Any]


@dataclass
class Asked:
    """One request, as the server saw it."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body, which is a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Crm:
    """What all systems do: tokens that end, and failures as a test wants them.

    `first` are answers that are given before any other, in their order; a number is a pause in seconds.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    first: list[Answer | float] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=lambda: {"refresh-1"})
    granted: int = 0

    def answer(self, asked: Asked) -> Answer:
        """What is answered. Each system's own."""
        raise NotImplementedError

    def grant(self, **more: Any) -> Answer:
        """A new token; those before stay."""
        self.granted += 1
        token = f"token-{self.granted}"
        self.tokens.add(token)
        return 200, {}, {"access_token": token, "token_type": "bearer", **more}

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [f"{each.method} {each.path}" for each in self.asked]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode()))
        host = headers.get("x-forwarded-host", "")
        asked = Asked(scope["method"], host, scope["path"], query, headers, body)
        self.asked.append(asked)
        status, more, told = await self._judge(asked)
        raw = told if isinstance(told, bytes) else b"" if told is None else json.dumps(told).encode()
        sent = [(name.lower().encode(), value.encode()) for name, value in more.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": raw})

    async def _judge(self, asked: Asked) -> Answer:
        if self.first:
            told = self.first.pop(0)
            if not isinstance(told, float):
                return told
            await asyncio.sleep(told)
        return self.answer(asked)


@asynccontextmanager
async def serving(crm: Crm) -> AsyncIterator[None]:
    """Let it listen on this machine; its `url` is set meanwhile."""
    config = uvicorn.Config(crm, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours are pytest's
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    crm.url = f"http://127.0.0.1:{port}"
    try:
        yield
    finally:
        server.should_exit = True
        await task
