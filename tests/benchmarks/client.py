"""A lean HTTP client: it shares the machine's cores with what it measures, so it does next to nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import simplejson


class Answer(NamedTuple):
    """Status, head and body of a response."""

    status: int
    head: bytes
    body: bytes

    def json(self) -> object:
        """The document, its numbers exact."""
        return simplejson.loads(self.body, use_decimal=True)

    def header(self, name: str) -> bytes | None:
        """The value of a header."""
        for line in self.head.split(b"\r\n"):
            key, _, value = line.partition(b":")
            if key.lower() == name.lower().encode():
                return value.strip()
        return None


class RequestFailed(RuntimeError):  # noqa: N818 - what came instead of an answer
    """The other side answered what it should not."""


@dataclass(frozen=True)
class Target:
    """Who is asked, with which token."""

    base_url: str
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
        """A whole request as it goes over the wire, so that it is put together once."""
        sent = {"Host": urlsplit(self.base_url).netloc, **self.headers, **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if body:
            sent.setdefault("Content-Type", "application/json")
            sent["Content-Length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class Connection:
    """A connection that is kept open, and opened anew where the other side closed it for want of requests."""

    def __init__(self, target: Target) -> None:
        self._place = urlsplit(target.base_url)
        self._wire: _Wire | None = None

    async def ask(self, request: bytes, expect: int = 200) -> Answer:
        """Send a request and wait for its answer; raises `RequestFailed` for another status."""
        if self._wire is None or self._wire.is_closed:
            loop = asyncio.get_running_loop()
            _, self._wire = await loop.create_connection(_Wire, self._place.hostname or "", self._place.port or 80)
        answer = await self._wire.ask(request)
        if answer.status != expect:
            raise RequestFailed(f"{request[:120]!r}: {answer.status} {answer.body[:1000]!r}")
        return answer

    def close(self) -> None:
        """Close it."""
        if self._wire is not None:
            self._wire.close()


class _Wire(asyncio.Protocol):
    """One request at a time; answers have a Content-Length."""

    def __init__(self) -> None:
        self.is_closed = False
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._expected: tuple[int, bytes, int, int] | None = None  # status, head, start of the body, its end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are of no such class

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        self.is_closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(RequestFailed(f"the connection was closed: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Give the answer once it is whole."""
        self._received += data
        if self._expected is None and (end := self._received.find(b"\r\n\r\n")) >= 0:
            self._expected = _head(bytes(self._received[:end]))
        if self._expected is None or self._waiting is None or len(self._received) < self._expected[3]:
            return
        status, head, start, end = self._expected
        answer = Answer(status, head, bytes(self._received[start:end]))
        self._received.clear()
        self._expected = None
        self._waiting.set_result(answer)

    async def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


def _head(head: bytes) -> tuple[int, bytes, int, int]:
    status = int(head[9:12])
    start = len(head) + 4
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return status, head, start, start + int(value)
    if status in {204, 304}:
        return status, head, start, start
    raise RequestFailed(f"an answer without Content-Length: {head!r}")
