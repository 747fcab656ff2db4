"""What a CRM says, and when it says it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: an event of HubSpot's, or the whole body of a webhook of Pipedrive's."""

    at: datetime
    payload: dict[str, Json]


def ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return int(at.timestamp() * 1000)


def in_time(told: Iterable[Message], end: datetime) -> list[Message]:
    """What was said by the end, in order of time."""
    return sorted((message for message in told if message.at <= end), key=lambda message: message.at)
