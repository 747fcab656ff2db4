"""Open deals as their systems tell of them: by whom, how much, expected to close when; plain Python."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from app.events.facts import EventFacts
from app.integrations.adapters import dynamics365_events
from app.integrations.adapters.base import Adapter
from app.integrations.adapters.translating import local_day
from app.integrations.folding import CREATED, Network, Record, Stamp
from app.integrations.mapping import Mapping as SourceMapping

CLOSES_ON = ("close_date", "expected_close_on")
"""The properties of posted events that say when a deal is expected to close, the first that has a value."""

CLOSING_FIELDS: Mapping[str, tuple[str, ...]] = {
    "hubspot": ("closedate",),
    "salesforce": ("CloseDate",),
    "zoho": ("Closing_Date",),
    "pipedrive": ("expected_close_date",),
    "dynamics365": ("estimatedclosedate",),
    "fxiaoke": ("close_date", "expected_deal_closed_date"),
}
"""Where the deals of a system say it, where its mapping does not name a field: the first that has a value."""

OPENED, CLOSED = ("deal.created", "deal.stage_entered"), ("deal.won", "deal.lost")
_SOME_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Deal:
    """An open deal; `part` is the share of it that is the goal's owner's."""

    id: str
    closes_on: date
    amount: Decimal | None = None
    currency: str | None = None
    part: Decimal = Decimal(1)
    label: str | None = None
    url: str | None = None


def first_told(told: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The value of the first of the fields that has one."""
    return next((told[name] for name in names if told.get(name) not in {None, ""}), None)


# ------------------------------------------------------------------------------------------- what systems tell


def closing_fields(system: str, mapping: SourceMapping) -> tuple[str, ...]:
    """The fields that say when a system's deals are expected to close: the configured one before the system's own."""
    configured = mapping.field_of("deal", "close_date", "")
    return tuple(dict.fromkeys(name for name in (configured, *CLOSING_FIELDS[system]) if name))


def closing_day(system: str, told: Any, time_zone: str) -> date | None:
    """The local day that a system's field says."""
    read = dynamics365_events.local_day if system == "dynamics365" else local_day
    return read(told, time_zone)


def made_as_it_stands(
    adapter: Adapter, mapping: SourceMapping, source_key: str, external_id: str, state: Mapping[str, Any]
) -> EventFacts | None:
    """What the adapter would tell of a deal that was made just as it stands now: owner, amount and currency."""
    stamps = {field: [Stamp(_SOME_TIME, "now", value)] for field, value in state.items()}
    record = Record("deal", external_id, {**stamps, CREATED: [Stamp(_SOME_TIME, "now", value=True)]})
    events = adapter.translate(record, Network(), mapping, source_key)
    return next((event for event in events if event.type == "deal.created"), None)


# -------------------------------------------------------------------------------------------- what was posted


class Posted(NamedTuple):
    """What an event tells of a deal; `told` is when it is expected to close, as it was written."""

    deal: str
    type: str
    occurred_at: datetime
    external_id: str
    row_id: UUID
    identity_id: UUID | None
    is_shared: bool
    amount: Decimal | None
    currency: str | None
    told: str | None
    is_connected: bool


@dataclass(frozen=True, slots=True)
class PostedDeal:
    """A deal that events opened, and none has closed: the latest event, which says whose it is, and the price."""

    closes_on: date
    latest: Posted
    amount: Decimal | None
    currency: str | None


def open_of(events: Iterable[Posted], time_zone: str) -> dict[str, PostedDeal]:
    """The deals that posted events opened and none, of whatever source, has won or lost."""
    opened: dict[str, list[Posted]] = defaultdict(list)
    closed = set()
    for event in events:
        if event.type in CLOSED:
            closed.add(event.deal)
        elif not event.is_connected:
            opened[event.deal].append(event)
    found = {}
    for deal, group in opened.items():
        group.sort(key=lambda event: (event.occurred_at, event.external_id), reverse=True)
        closes_on = _closing_day(group, time_zone)
        if deal not in closed and closes_on is not None:
            priced = next((event for event in group if event.amount is not None), group[0])
            found[deal] = PostedDeal(closes_on, group[0], priced.amount, priced.currency)
    return found


def _closing_day(latest_first: Sequence[Posted], time_zone: str) -> date | None:
    """The latest day that was told; of an instant the organization's local day."""
    days = (local_day(event.told, time_zone) for event in latest_first)
    return next((day for day in days if day is not None), None)
