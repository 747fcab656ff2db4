"""ETags: strong from a stored version, weak from a computed answer; and the conditions clients set on them."""

import hashlib
import re
from typing import Annotated

from fastapi import Header, Response
from pydantic import BaseModel

from app.core.problems import PreconditionFailed

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag you last read; another stored version is a 412.", max_length=200),
]

_INSTANTS = {"as_of": True, "known_at": True}
_SHOWN = re.compile(r'^"(\d+)-[0-9a-f]{12}"$')


def strong(version: int) -> str:
    """The ETag of a stored resource."""
    return f'"{version}"'


def weak(content: bytes) -> str:
    """The ETag of a computed answer: a digest of what matters in it."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'


def tag(response: Response, version: int) -> None:
    """Put the resource's ETag on the response."""
    response.headers["ETag"] = strong(version)


def tag_shown(response: Response, version: int, shown: str) -> None:
    """The same of a stored resource whose answer also depends on the caller, the time or other rows: `"3-4f2a…"`.

    By its version alone a goal that became active meanwhile, or with which this caller may do something else, would be
    a 304. As `If-Match` it is its version.
    """
    response.headers["ETag"] = f'"{version}-{hashlib.sha256(shown.encode()).hexdigest()[:12]}"'


def tag_computed(response: Response, answer: BaseModel) -> None:
    """Put a weak ETag on a computed answer: the same figures at a later instant are the same answer."""
    response.headers["ETag"] = weak(answer.model_dump_json(exclude=_INSTANTS).encode())


def tag_computed_page(response: Response, page: BaseModel) -> None:
    """The same of a page of computed answers, its `items`."""
    response.headers["ETag"] = weak(
        page.model_dump_json(exclude={**_INSTANTS, "items": {"__all__": _INSTANTS}}).encode()
    )


def check(if_match: str | None, version: int) -> None:
    """Refuse the change unless the caller has seen this version, or did not ask."""
    if if_match is None or if_match.strip() == "*":
        return
    if strong(version) not in [_stored(part.strip()) for part in if_match.split(",")]:
        raise PreconditionFailed(f"The stored version is {strong(version)}, not {if_match[:60]}.")


def _stored(etag: str) -> str:
    """The ETag of the version alone."""
    return _SHOWN.sub(r'"\1"', etag)


def is_fresh(if_none_match: str | None, etag: str | None) -> bool:
    """Whether the caller already has this answer (weak comparison, RFC 9110 section 13.1.2)."""
    if not if_none_match or not etag:
        return False
    bare = etag.removeprefix("W/")
    return any(
        part.strip() in {"*", etag} or part.strip().removeprefix("W/") == bare for part in if_none_match.split(",")
    )
