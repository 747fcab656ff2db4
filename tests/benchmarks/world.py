"""What the benchmark's data is about: fixed names, days and numbers, so that every run asks about the same."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

ZONE = "Europe/Warsaw"
CURRENCY = "EUR"
BEGINNING = datetime(2023, 1, 1, tzinfo=UTC)
"""When the organization, its people and their teams were recorded."""

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
"""The organization's clock stands here: so the data of a kept directory never ages."""

TODAY = NOW.astimezone(ZoneInfo(ZONE)).date()
FIRST_DAY = date(2023, 11, 20)
STARTS_AT = datetime(2023, 11, 20, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
SPAN = NOW - timedelta(minutes=1) - STARTS_AT

MEMBERS, TEAM_SIZE, REGIONS = 500, 10, 5
TEAMS = MEMBERS // TEAM_SIZE
SOURCE = "api"
"""Key of the source that every event comes from, and that the ingest rows post to."""

_NAMES = UUID("5c1d52cf-3c5a-4d0e-9f3a-0d6f3d2f5a01")


def made_id(kind: str, number: int) -> UUID:
    """The same id for the same thing in every run."""
    return uuid5(_NAMES, f"{kind} {number}")


MEMBER_IDS = [made_id("member", n) for n in range(MEMBERS)]
IDENTITY_IDS = [made_id("identity", n) for n in range(MEMBERS)]
TEAM_IDS = [made_id("team", n) for n in range(TEAMS)]
REGION_IDS = [made_id("region", n) for n in range(REGIONS)]
COMPANY_ID = made_id("company", 0)


def actor(number: int) -> str:
    """How the source calls a member."""
    return f"person-{number:03d}"


def members_of_team(team: int) -> list[int]:
    """Numbers of a team's members."""
    return list(range(team * TEAM_SIZE, (team + 1) * TEAM_SIZE))


@dataclass(frozen=True)
class Organization:
    """How to reach the organization."""

    org_id: str
    source_id: str
    token: str
    events: int

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """For a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """From a file."""
        return cls(**told)
