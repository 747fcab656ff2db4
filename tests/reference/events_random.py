"""Random events as they are posted: few things, ids and instants, so that they meet, repeat and contradict."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.reference.days import DAY, first_instant
from tests.reference.ledger import Item
from tests.reference.world import Content, Credit, Identity, PropertyValue

SOURCES = ("api", "phone")
IDENTITIES = tuple(Identity(source, person) for source in SOURCES for person in ("p1", "p2", "p3"))
TYPES = ("call.made", "lead.created", "deal.created", "deal.won", "deal.lost")
OFTEN = (*TYPES, "call.made", "call.made", "lead.created", "deal.won", "deal.won")
SHARES = (("1",), ("0.6", "0.4"), ("0.5", "0.25", "0.25"))


@cache
def days_near(center: date) -> SearchStrategy[date]:
    """Days near the change of the clocks, in the month before, a year before, and a few ahead."""
    near = [-371, -365, -364, -40, -31, -30, -8, -7, -3, -2, -2, -1, -1, -1, 0, 0, 0, 1, 1, 2, 7, 30]
    return st.sampled_from([center + n * DAY for n in near])


@cache
def _instants(zone: str, center: date) -> SearchStrategy[datetime]:
    """Around midnights and in the hours in which clocks change; often equal."""
    offsets = [
        timedelta(0),
        timedelta(microseconds=-1),
        timedelta(microseconds=1),
        timedelta(minutes=45),
        timedelta(hours=2, minutes=30),
        timedelta(hours=12),
        timedelta(hours=23, minutes=30),
    ]
    return st.builds(lambda day, offset: first_instant(day, zone) + offset, days_near(center), st.sampled_from(offsets))


@cache
@st.composite
def items(draw: DrawFn, source: str, zone: str, center: date) -> Item:
    """An item as posted: few ids and versions, so that corrections, repetitions and conflicts are many."""
    external_id = f"e{draw(st.integers(0, 24))}"
    version = draw(st.sampled_from([0, 1, 1, 2, 3]))
    is_retraction = draw(st.integers(0, 11)) == 11
    return Item(
        external_id=external_id,
        version=version,
        content=None if is_retraction else draw(_contents(source, zone, center)),
    )


@cache
@st.composite
def _contents(draw: DrawFn, source: str, zone: str, center: date) -> Content:
    people = tuple(identity for identity in IDENTITIES if identity.source == source)
    amount = draw(st.sampled_from([None, "0", "99.90", "100", "100", "1250.005"]))
    return Content(
        type=draw(st.sampled_from(OFTEN)),
        occurred_at=draw(_instants(zone, center)),
        occurred_on=draw(st.one_of(st.none(), st.none(), days_near(center))),
        actor=draw(st.sampled_from([None, *people])),
        credits=(*draw(_credits("owner", people)), *draw(_credits("sourcer", people))),
        about=draw(_things()),
        amount=None if amount is None else Decimal(amount),
        currency=None if amount is None else draw(st.sampled_from(["EUR", "EUR", "USD", "GBP", None])),
        quantity=draw(st.sampled_from([None, Decimal(1), Decimal("2.5")])),
        duration_seconds=draw(st.sampled_from([None, Decimal(0), Decimal(340), Decimal(5400), Decimal(90000)])),
        properties=draw(_properties()),
    )


@cache
@st.composite
def _credits(draw: DrawFn, role: str, people: tuple[Identity, ...]) -> tuple[Credit, ...]:
    """No credits in the role, or shares that add up to 1 of different people."""
    if draw(st.booleans()):
        return ()
    shares = draw(st.sampled_from(SHARES))
    who = draw(st.permutations(list(people)))
    return tuple(Credit(role, identity, Decimal(share)) for identity, share in zip(who, shares, strict=False))


@cache
@st.composite
def _things(draw: DrawFn) -> dict[str, str]:
    """What an event is about: few things, so that events meet."""
    chosen = {
        "lead": draw(st.sampled_from(["L1", "L2", "L3", None])),
        "customer": draw(st.sampled_from(["C1", "C2", None])),
        "deal": draw(st.sampled_from(["D1", "D2", "D3", None])),
    }
    return {thing: key for thing, key in chosen.items() if key is not None}


@cache
def _properties() -> SearchStrategy[dict[str, PropertyValue]]:
    """Some missing, some of the wrong type."""
    channel: SearchStrategy[PropertyValue] = st.sampled_from(["partner", "web", "Web", Decimal(3), True])
    score: SearchStrategy[PropertyValue] = st.sampled_from([Decimal(3), Decimal("4.5"), Decimal(-1), "high", False])
    return st.fixed_dictionaries({}, optional={"channel": channel, "score": score})
