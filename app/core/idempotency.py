"""`Idempotency-Key`: the first 2xx again, for the same caller and operation.

The row is written in the transaction of its effect, so an answer is remembered exactly when the change
was made. The advisory lock only makes a concurrent repetition fail quickly; the key's row decides.
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import database_now
from app.core.db import Base, OrganizationId, Tenant
from app.core.problems import Problem, ValidationFailed, constraint_problem

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEPT_HEADERS = ("content-type", "etag", "location")


class IdempotencyKeyReused(Problem):
    """The `Idempotency-Key` was used before with another request: take a new one for a new request."""

    status, code, title = 422, "idempotency-key-reused", "Idempotency-Key reused"


class IdempotencyKeyBusy(Problem):
    """A request with this `Idempotency-Key` is still running: wait for it, or ask again."""

    status, code, title = 409, "idempotency-key-busy", "Idempotency-Key still in use"


class IdempotentAnswer(Tenant, Base):
    """The first successful answer to a key of one caller and operation."""

    __tablename__ = "idempotent_answer"

    caller_id: Mapped[UUID] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_digest: Mapped[str]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[str]
    created_at: Mapped[datetime]


constraint_problem("pk_idempotent_answer", IdempotencyKeyBusy)


class Replay(Exception):  # noqa: N818  # control flow: the handler need not run
    """The stored answer, to be sent instead of running the handler."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Remembered:
    """One request's key: asked before the handler, stored after it."""

    def __init__(self, org_id: OrganizationId, caller_id: UUID, operation: str, key: str, digest: str) -> None:
        self.identity = {"org_id": org_id, "caller_id": caller_id, "operation": operation, "key": key}
        self.digest = digest

    async def look_up(self, session: AsyncSession, lifetime: timedelta) -> None:
        """Raise `Replay` when the answer is known, and the problems where the key is busy or another request's."""
        lock = int.from_bytes(hashlib.sha256(repr(self.identity).encode()).digest()[:8], signed=True)
        if not (await session.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": lock})).scalar_one():
            raise IdempotencyKeyBusy(f"A request with the key {self.identity['key']!r} is still running.")
        where = [getattr(IdempotentAnswer, name) == value for name, value in self.identity.items()]
        known = (await session.execute(select(IdempotentAnswer).where(*where))).scalar_one_or_none()
        if known is None:
            return
        if known.created_at < await database_now(session) - lifetime:
            await session.execute(delete(IdempotentAnswer).where(*where))
            session.expunge(known)
            return
        if known.request_digest != self.digest:
            raise IdempotencyKeyReused(f"The key {known.key!r} belongs to another request: take a new one.")
        raise Replay(Response(known.body, known.status, {**known.headers, REPLAYED: "true"}))

    async def store(self, session: AsyncSession, response: Response, secrets: tuple[str, ...]) -> None:
        """Remember a 2xx; fields that hold secrets are stored as null."""
        if not 200 <= response.status_code < 300:
            return
        body = bytes(response.body).decode()
        if secrets and body:
            body = json.dumps({name: None if name in secrets else value for name, value in json.loads(body).items()})
        await session.execute(
            insert(IdempotentAnswer).values(
                **self.identity,
                request_digest=self.digest,
                status=response.status_code,
                headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
                body=body,
                created_at=await database_now(session),
            )
        )


def digest_of(request: Request, body: bytes) -> str:
    """What makes a request 'the same': its address, query and exact body."""
    return hashlib.sha256(f"{request.url.path}?{request.url.query}\n".encode() + body).hexdigest()


def key_of(request: Request) -> str | None:
    """The request's key. Raises `ValidationFailed` for one that is empty, too long or not printable ASCII."""
    key = request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise ValidationFailed.at(
            f"?{HEADER}", "must be 1 to 200 printable ASCII characters", "idempotency_key_invalid"
        )
    return key
