"""Requests to CRMs: to allow-listed hosts only, with retries, limits and answers of bounded size."""

import asyncio
import json
import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from app.core.db import to_json
from app.integrations.adapters import wire
from app.integrations.adapters.base import Json, Unparseable
from app.integrations.clients.base import (
    Access,
    AccessRefused,
    ClientError,
    ForeignHost,
    NotUnderstood,
    Overloaded,
    Refused,
    Renewed,
    Unreachable,
)

if TYPE_CHECKING:
    import httpx  # imported where it is used: it takes 0.15 s, which a process that only serves need not wait for

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Params: TypeAlias = Mapping[str, str | int]

LARGEST_ANSWER = 20_000_000
SECONDS = 30.0  # of one request, whole
TRIES = 4
PAUSE = 0.5  # before the second try; doubled for each after it
LONGEST_WAIT = 10.0  # that is waited for here; whoever is asked to wait longer goes on later
DEFAULT_WAIT = 30.0

# Limits by day that come as missing permissions.
_DAY_IS_OVER = frozenset({"REQUEST_LIMIT_EXCEEDED"})
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,60}")


class Outside:
    """The way to other systems, of one process: connections, and where hosts are really reached."""

    def __init__(self, addresses: Mapping[str, object] | None = None, *, pause: float = PAUSE) -> None:
        """`addresses` as `PACELINE_CRM_ADDRESSES` has them; `pause` in seconds, before a second try."""
        self._addresses = {host.lower(): str(base).rstrip("/") for host, base in (addresses or {}).items()}
        self._http: httpx.AsyncClient | None = None
        self.pause = pause

    def address(self, url: str) -> tuple[str, dict[str, str]]:
        """Where a request goes, and the headers that this adds."""
        parts = urlsplit(url)
        base = self._addresses.get(parts.netloc, self._addresses.get("*"))
        if base is None:
            return url, {}
        return f"{base}{parts.path}" + (f"?{parts.query}" if parts.query else ""), {"X-Forwarded-Host": parts.netloc}

    @property
    def http(self) -> "httpx.AsyncClient":
        """Connections, kept between requests. No redirects, and nothing from the environment: no other credentials."""
        if self._http is None:
            import httpx

            limits = httpx.Limits(max_connections=20, max_keepalive_connections=10)
            self._http = httpx.AsyncClient(
                follow_redirects=False, trust_env=False, timeout=SECONDS, limits=limits, http2=False
            )
        return self._http

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system answered: status, headers in lower case, and JSON with exact decimals (None: an empty body)."""

    status: int
    headers: Mapping[str, str]
    body: Json

    def object(self) -> dict[str, Json]:
        """The body, which is documented to be an object. Raises `NotUnderstood`."""
        if not isinstance(self.body, dict):
            raise NotUnderstood("The answer is no JSON object.")
        return self.body

    def list_of(self, *path: str) -> Sequence[dict[str, Json]]:
        """The objects listed at a path; none where it is absent or null. Raises `NotUnderstood`."""
        found: Json = self.body
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise NotUnderstood(f"{'.'.join(path)} is no list of objects.")
        return [each for each in found if isinstance(each, dict)]

    def at(self, *path: str) -> Json:
        """The value at a path, None where there is none."""
        found: Json = self.body
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def text_at(self, *path: str) -> str | None:
        """The value at a path as text; numbers as their digits."""
        return text_of(self.at(*path))


def text_of(value: Json) -> str | None:
    """A value that is text or a number, as text; None for anything else, and for the empty text."""
    if isinstance(value, str):
        return wire.storable(value) or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass
class Pace:
    """At most so many requests a second, evenly: what a system documents as its limit, with room for others."""

    per_second: float
    _next: float = field(default=0.0)

    async def wait(self) -> None:
        """Until the next request may go out."""
        now = time.monotonic()
        at = max(self._next, now)
        self._next = at + 1 / self.per_second
        if at > now:
            await asyncio.sleep(at - now)


@dataclass
class Caller:
    """Sends the requests of one client: `hosts` are patterns of the hosts that it may ask."""

    outside: Outside
    hosts: Sequence[re.Pattern[str]]
    pace: Pace
    access: Access | None = None
    scheme: str = "Bearer"
    header: str = "Authorization"

    async def call(
        self,
        method: Method,
        url: str,
        *,
        params: Params | None = None,
        body: Any = None,  # Any: JSON
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        is_safe: bool | None = None,
        accepts: Sequence[int] = (),
    ) -> Answer:
        """The answer, with the source's token; a token that is refused is renewed once.

        `is_safe`: may be sent again when it is unknown what became of it (default: GET). Statuses other than 2xx are
        errors but for those that it `accepts`.
        """
        request = _Request(method, url, params, body, form, dict(headers or {}), basic, is_safe or method == "GET")
        if self.access is None:
            return _judged(await self._send(request), accepts)
        token = await self.access.token()
        answer = await self._send(request.proved(self.header, self.scheme, token.text))
        if answer.status == 401:
            token = await self.access.token(stale=token.text)
            answer = await self._send(request.proved(self.header, self.scheme, token.text))
        return _judged(answer, accepts)

    async def _send(self, request: "_Request") -> Answer:
        """With retries where the system is away, fails or is busy. Raises `Unreachable`, `Overloaded`."""
        import httpx

        host = self._allowed(request.url)
        for attempt in range(1, TRIES + 1):
            await self.pace.wait()
            try:
                async with asyncio.timeout(SECONDS):
                    answer = await self._once(request)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
                answer = None  # nothing was sent
            except (httpx.HTTPError, TimeoutError):
                if not request.is_safe:
                    raise Unreachable(f"{host} did not answer.") from None
                answer = None
            if answer is not None and (wait := _wait_of(answer)) is not None:
                if wait > LONGEST_WAIT or attempt == TRIES:
                    raise Overloaded(f"{host} asks to wait: its limit of requests is reached.", wait)
                await asyncio.sleep(wait)
            elif answer is not None and (answer.status < 500 or not request.is_safe):
                return answer
            elif attempt < TRIES:
                await asyncio.sleep(self.outside.pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        raise Unreachable(f"{host} {'fails' if answer else 'does not answer'}, also after {TRIES} tries.")

    def _allowed(self, url: str) -> str:
        parts = urlsplit(url)
        host = parts.netloc
        if parts.scheme != "https" or not any(pattern.fullmatch(host) for pattern in self.hosts):
            raise ForeignHost("The address is none of this system's: nothing was sent.")
        return host

    async def _once(self, request: "_Request") -> Answer:
        url, more = self.outside.address(request.url)
        headers = {"Accept": "application/json", "User-Agent": "Paceline", **request.headers, **more}
        content = None
        if request.body is not None:
            headers["Content-Type"], content = "application/json", to_json(request.body)
        sent = self.outside.http.build_request(
            request.method, url, params=request.params, content=content, data=request.form, headers=headers
        )
        answer = await self.outside.http.send(sent, stream=True, auth=request.basic)
        try:
            raw = bytearray()
            async for chunk in answer.aiter_bytes():
                raw += chunk
                if len(raw) > LARGEST_ANSWER:
                    raise NotUnderstood(f"The answer is larger than {LARGEST_ANSWER} bytes.")
        finally:
            await answer.aclose()
        told = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, told, _parsed(bytes(raw), answer.status_code))


@dataclass(frozen=True, slots=True)
class _Request:
    method: Method
    url: str
    params: Params | None
    body: Any
    form: Mapping[str, str] | None
    headers: dict[str, str]
    basic: tuple[str, str] | None
    is_safe: bool

    def proved(self, header: str, scheme: str, token: str) -> "_Request":
        headers = {**self.headers, header: f"{scheme} {token}".strip()}
        return _Request(self.method, self.url, self.params, self.body, self.form, headers, self.basic, self.is_safe)


def _parsed(raw: bytes, status: int) -> Json:
    """The body with exact decimals; of failures whatever can be read."""
    if not raw.strip():
        return None
    try:
        return wire.parse(raw)
    except Unparseable:
        if status >= 300:
            return None
        raise NotUnderstood("The answer is not JSON.") from None


def _wait_of(answer: Answer) -> float | None:
    """For how long the system asks to wait, in seconds; None where it does not."""
    if answer.status != 429 and not (answer.status == 503 and "retry-after" in answer.headers):
        return None
    for name in ("retry-after", "x-ratelimit-reset"):
        if (told := answer.headers.get(name)) is not None:
            return min(_seconds(told), 86_400.0)
    return DEFAULT_WAIT


def _seconds(told: str) -> float:
    """Of a header that has seconds or a date."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", told):
        return float(told)
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return DEFAULT_WAIT
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _judged(answer: Answer, accepts: Sequence[int]) -> Answer:
    if answer.status < 300 or answer.status in accepts:
        return answer
    raise error_of(answer.status, code_of(answer.body))


def error_of(status: int, code: str | None) -> ClientError:
    """The error of a status, with the system's own code for it where that is one."""
    told = f"status {status}" + (f", {code}" if code else "")
    if code in _DAY_IS_OVER:
        return Overloaded(f"The system's limit of requests is reached ({told}).", 3600)
    if status == 401:
        return AccessRefused(f"The credentials are refused ({told}).")
    if status == 403:
        return AccessRefused(f"The credentials lack a permission ({told}).")
    if 300 <= status < 400:
        return NotUnderstood(f"The system sends elsewhere, which is not followed ({told}).")
    if status >= 500:
        return Unreachable(f"The system fails ({told}).")
    return Refused(f"The request is refused ({told}).")


def code_of(body: Json) -> str | None:
    """The code of an error where systems put it, if it looks like one: no texts, which may repeat what was sent."""
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict):
        return None
    nested = body.get("error")
    places = (body, nested) if isinstance(nested, dict) else (body,)
    for place in places:
        for name in ("errorCode", "category", "code", "error", "status"):
            value = text_of(place.get(name))
            if value is not None and _CODE.fullmatch(value):
                return value
    return None


async def granted(
    outside: Outside,
    allowed: Sequence[re.Pattern[str]],
    url: str,
    form: Mapping[str, str],
    *,
    basic: tuple[str, str] | None = None,
) -> dict[str, Json]:
    """The answer of an OAuth token endpoint (RFC 6749, section 5). Raises `AccessRefused` where it grants nothing."""
    caller = Caller(outside, allowed, Pace(10))
    # Asked again after a time-out: a refresh token that was used up by a lost answer is lost in any case.
    answer = await caller.call("POST", url, form=form, basic=basic, is_safe=True, accepts=(400, 401, 403))
    code = code_of(answer.body)
    if answer.status >= 400 or not isinstance(answer.at("access_token"), str):
        raise AccessRefused(f"No access token is granted (status {answer.status}{f', {code}' if code else ''}).")
    return answer.object()


def renewed_of(told: Mapping[str, Json], *, seconds: int, about: Mapping[str, str] | None = None) -> Renewed:
    """A token as it was granted; `seconds` where the answer does not say how long it lasts."""
    lasts = told.get("expires_in")
    if isinstance(lasts, str) and lasts.isdigit():  # some say it as text
        lasts = int(lasts)
    refresh = told.get("refresh_token")
    return Renewed(
        str(told["access_token"]),
        int(lasts) if isinstance(lasts, int | Decimal) and 0 < lasts < 10**9 else seconds,
        about or {},
        refresh if isinstance(refresh, str) else None,
    )


def hosts(*patterns: str) -> tuple[re.Pattern[str], ...]:
    """Patterns of host names, matched whole."""
    return tuple(re.compile(pattern) for pattern in patterns)


def cursor_of(**parts: str | int | None) -> str:
    """A cursor that holds these."""
    return json.dumps(parts, separators=(",", ":"))


def read_cursor(cursor: str | None) -> dict[str, Any]:
    """What a cursor holds; nothing for the first page. Raises `Refused`."""
    if cursor is None:
        return {}
    try:
        parts = json.loads(cursor)
    except ValueError:
        parts = None
    if not isinstance(parts, dict):
        raise Refused("The cursor is none of ours.")
    return parts


def place_in(names: Sequence[str], told: Mapping[str, Any]) -> str:
    """Which of these a cursor is in: the first, where it does not say. Raises `Refused`."""
    name = str(told.get("of", names[0]))
    if name not in names:
        raise Refused("The cursor is none of ours, or the mapping has changed.")
    return name


def cursor_after(names: Sequence[str], name: str) -> str | None:
    """The cursor at which the next of these begins, None after the last."""
    return cursor_of(of=names[names.index(name) + 1]) if name != names[-1] else None
