"""Which member an identity may be: by address, by name, by last name and initial."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

Reason = Literal["email", "name", "initials"]
MOST = 5


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody with an address and a name, as far as they are known."""

    id: UUID
    email: str | None
    name: str | None


class Match(NamedTuple):
    """Somebody who may be meant, and why."""

    id: UUID
    reason: Reason


class Matcher:
    """Finds members who are alike."""

    def __init__(self, members: Iterable[Known]) -> None:
        self._by: dict[tuple[Reason, str], list[UUID]] = defaultdict(list)
        for member in members:
            for reason, key in _keys(member):
                self._by[reason, key].append(member.id)

    def matches(self, identity: Known) -> list[Match]:
        """At most five members, the likeliest first; each once, by the best reason."""
        found: dict[UUID, Reason] = {}
        for reason, key in _keys(identity):
            for member in self._by.get((reason, key), ()):
                found.setdefault(member, reason)
        return [Match(member, reason) for member, reason in found.items()][:MOST]


def is_clear(matches: Sequence[Match]) -> bool:
    """Whether one of them is meant beyond doubt: the only one with the address, else the only one with the name."""
    for reason in ("email", "name"):
        alike = [match for match in matches if match.reason == reason]
        if alike:
            return len(alike) == 1
    return False


def _keys(person: Known) -> list[tuple[Reason, str]]:
    """What alike people have in common, the surest first."""
    keys: list[tuple[Reason, str]] = []
    if person.email:
        keys.append(("email", person.email.strip().casefold()))
    words = _words(person.name or "")
    if len(words) > 1:
        keys.append(("name", " ".join(sorted(words))))
        keys.append(("initials", f"{words[0][0]} {words[-1]}"))
    elif words and not words[0].isascii():
        keys.append(("name", words[0]))  # names in Chinese are one word
    return keys


def _words(name: str) -> list[str]:
    """The words of a name without case and accents; `Nowak, Ada` begins with Ada."""
    last, comma, first = name.partition(",")
    plain = unicodedata.normalize("NFKD", f"{first} {last}" if comma else name).translate(_LETTERS)
    return [word for part in plain.casefold().split() if (word := "".join(filter(str.isalnum, part)))]


# Letters that do not decompose into one with an accent.
_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D"})
