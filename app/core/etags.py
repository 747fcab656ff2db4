"""ETags: strong from a stored version, weak from a computed answer; and the conditions clients set on them."""

import hashlib
from typing import Annotated

from fastapi import Header, Response

from app.core.problems import PreconditionFailed

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag you last read; another stored version is a 412.", max_length=200),
]


def strong(version: int) -> str:
    """The ETag of a stored resource."""
    return f'"{version}"'


def weak(content: bytes) -> str:
    """The ETag of a computed answer: a digest of what matters in it."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'


def tag(response: Response, version: int) -> None:
    """Put the resource's ETag on the response."""
    response.headers["ETag"] = strong(version)


def check(if_match: str | None, version: int) -> None:
    """Refuse the change unless the caller has seen this version, or did not ask."""
    if if_match is None or if_match.strip() == "*":
        return
    if strong(version) not in [part.strip() for part in if_match.split(",")]:
        raise PreconditionFailed(f"The stored version is {strong(version)}, not {if_match[:60]}.")


def is_fresh(if_none_match: str | None, etag: str | None) -> bool:
    """Whether the caller already has this answer (weak comparison, RFC 9110 section 13.1.2)."""
    if not if_none_match or not etag:
        return False
    bare = etag.removeprefix("W/")
    return any(
        part.strip() in {"*", etag} or part.strip().removeprefix("W/") == bare for part in if_none_match.split(",")
    )
