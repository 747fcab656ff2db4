"""What becomes of facts that arrive for an event, whatever the order in which they arrive (`design.md` section 3)."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Verdict = Literal["accepted", "duplicate", "corrected", "retracted", "outdated", "conflict", "rejected"]

WRITTEN: frozenset[Verdict] = frozenset({"accepted", "corrected", "retracted"})


# Not frozen, though nobody changes one: a batch has thousands, and making each would take three times as long.
@dataclass(slots=True)
class State:
    """What is stored of an event, or posted: the source's version and the digest of the content."""

    version: int
    content: bytes
    retracted: bool


@dataclass(slots=True)
class Outcome:
    """What became of one item; `field` is a JSON pointer into it, `reason` a sentence."""

    external_id: str | None
    outcome: Verdict
    event_id: UUID | None = None
    field: str | None = None
    reason: str | None = None


def decide(stored: State | None, posted: State) -> Verdict:
    """The first row of the ledger's table that applies; `stored` is None at first sight."""
    told: Verdict = "retracted" if posted.retracted else "accepted" if stored is None else "corrected"
    if stored is None:
        return told
    if stored.content == posted.content:
        return "duplicate"
    if posted.version > stored.version:
        return told
    return "outdated" if posted.version < stored.version else "conflict"


def following(stored: State | None, posted: State, verdict: Verdict) -> State:
    """What is stored after the verdict: a duplicate only advances the version."""
    if stored is None or verdict in WRITTEN:
        return posted
    if verdict == "duplicate":
        return State(max(stored.version, posted.version), stored.content, stored.retracted)
    return stored


def reason_of(stored: State | None, posted: State, verdict: Verdict) -> str | None:
    """Why an item was not taken, as a sentence that says what to do."""
    if stored is None or verdict not in {"outdated", "conflict"}:
        return None
    if verdict == "outdated":
        return f"version {stored.version} is stored already"
    what = "the event as it stands" if posted.retracted else "other content"
    return f"version {stored.version} is stored with {what}: send a higher version"
