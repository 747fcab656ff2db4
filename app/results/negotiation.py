"""In which media type an answer is wanted (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from app.core.problems import Problem

MediaType = Literal["application/json", "application/x-ndjson", "text/csv"]
OFFERED: tuple[MediaType, ...] = ("application/json", "application/x-ndjson", "text/csv")


class NotAcceptable(Problem):
    """`Accept` names no media type that this operation can answer in."""

    status, code, title = 406, "not-acceptable", "Not acceptable"


@lru_cache(maxsize=256)
def accepted(accept: str | None) -> MediaType:
    """The media type that the caller likes most; of equals the first that is offered. Raises `NotAcceptable`."""
    ranges = [_range(part) for part in (accept or "*/*").split(",") if part.strip()]
    liked = [(_quality(offered, ranges), -place, offered) for place, offered in enumerate(OFFERED)]
    quality, _, best = max(liked)
    if quality <= 0:
        raise NotAcceptable(f"The answer can be {', '.join(OFFERED)}; `Accept` asks for {accept!r:.200}.")
    return best


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((value for value in parameters if value.startswith("q=")), "q=1")
    try:
        return name, float(quality.removeprefix("q="))
    except ValueError:
        return name, 0.0


def _quality(offered: str, ranges: Sequence[tuple[str, float]]) -> float:
    """What the most specific of the ranges says; 0 where none speaks of it."""
    kind = offered.partition("/")[0]
    for name in (offered, f"{kind}/*", "*/*"):
        found = [quality for given, quality in ranges if given == name]
        if found:
            return max(found)
    return 0.0
