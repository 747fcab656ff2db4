"""The KPIs of the dashboard, each with how a comparator gets it: raw aggregates, and the arithmetic over them.

The comparators only fetch exact sums and counts; divisions are made from them here, outside what is timed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

Json = dict[str, Any]  # Any: JSON
Raw = Mapping[str, Decimal]
EXACT = Context(prec=34)
SHOWN = Context(prec=15)


@dataclass(frozen=True)
class Aggregate:
    """A raw aggregate: a count of events or the sum of a value, weighed by share."""

    name: str
    types: tuple[str, ...]
    value: str | None = None
    key: str | None = None
    equals: str | None = None
    counts_value: bool = False

    def condition(self, text_of: Callable[[str], str]) -> str:
        """Which events `e`, in SQL; `text_of` is how a dialect reads a property."""
        wanted = ", ".join(f"'{type_}'" for type_ in self.types)
        parts = [f"e.type = {wanted}" if len(self.types) == 1 else f"e.type IN ({wanted})"]
        if self.key is not None:
            parts.append(f"{text_of(self.key)} = '{self.equals}'")
        if self.counts_value:
            parts.append(f"{self.value} IS NOT NULL")
        return " AND ".join(parts)


AGGREGATES: Sequence[Aggregate] = (
    Aggregate("calls", ("call.made",)),
    Aggregate("emails", ("email.sent",)),
    Aggregate("replies", ("email.received",)),
    Aggregate("leads", ("lead.created",)),
    Aggregate("partner_leads", ("lead.created",), key="channel", equals="partner"),
    Aggregate("qualified", ("lead.qualified",)),
    Aggregate("booked", ("meeting.booked",)),
    Aggregate("held", ("meeting.held",)),
    Aggregate("talked", ("call.made", "call.received"), value="duration_seconds"),
    Aggregate("call_time", ("call.made",), value="duration_seconds"),
    Aggregate("timed_calls", ("call.made",), value="duration_seconds", counts_value=True),
    Aggregate("won", ("deal.won",)),
    Aggregate("lost", ("deal.lost",)),
    Aggregate("revenue", ("deal.won",), value="amount"),
    Aggregate("pipeline_north", ("deal.created",), value="amount", key="region", equals="north"),
    Aggregate("quotes_pro", ("quote.sent",), value="amount", key="product", equals="pro"),
)


@dataclass(frozen=True)
class Kpi:
    """A KPI as it is posted, and its value from raw aggregates; None without data."""

    key: str
    unit: Json
    measures: Json
    formula: str
    of: Callable[[Raw], Decimal | None]

    def body(self) -> Json:
        """What is posted to `/v1/kpis`."""
        return {
            "key": self.key,
            "name": self.key.replace("_", " ").capitalize(),
            "category": "sales_results",
            "indicator": "lagging",
            "state": "official",
            "direction": "increase",
            "unit": self.unit,
            "measures": self.measures,
            "formula": self.formula,
        }


def _count(*types: str, where: str | None = None) -> Json:
    return {"aggregate": "count", "events": list(types), **({"where": where} if where else {})}


def over(aggregate: str, value: str, *types: str, where: str | None = None) -> Json:
    """A measure of an aggregate over a value of events."""
    return {**_count(*types, where=where), "aggregate": aggregate, "value": value}


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    return EXACT.divide(part, whole) if whole else None


COUNT, RATIO, MONEY, DURATION = ({"kind": kind} for kind in ("count", "ratio", "money", "duration"))

DASHBOARD: Sequence[Kpi] = (
    Kpi("calls_made", COUNT, {"n": _count("call.made")}, "n", lambda raw: raw["calls"]),
    Kpi(
        "partner_leads",
        COUNT,
        {"n": _count("lead.created", where="properties.channel == 'partner'")},
        "n",
        lambda raw: raw["partner_leads"],
    ),
    Kpi(
        "reply_rate",
        RATIO,
        {"replies": _count("email.received"), "sent": _count("email.sent")},
        "replies / sent",
        lambda raw: _share(raw["replies"], raw["emails"]),
    ),
    Kpi(
        "talk_time",
        DURATION,
        {"time": over("sum", "duration_seconds", "call.made", "call.received")},
        "time",
        lambda raw: raw["talked"],
    ),
    Kpi(
        "average_call",
        DURATION,
        {"time": over("avg", "duration_seconds", "call.made")},
        "time",
        lambda raw: _share(raw["call_time"], raw["timed_calls"]),
    ),
    Kpi(
        "show_rate",
        RATIO,
        {"held": _count("meeting.held"), "booked": _count("meeting.booked")},
        "held / booked",
        lambda raw: _share(raw["held"], raw["booked"]),
    ),
    Kpi("revenue_won", MONEY, {"won": over("sum", "amount", "deal.won")}, "won", lambda raw: raw["revenue"]),
    Kpi(
        "win_rate",
        RATIO,
        {"won": _count("deal.won"), "lost": _count("deal.lost")},
        "won / (won + lost)",
        lambda raw: _share(raw["won"], raw["won"] + raw["lost"]),
    ),
    Kpi(
        "average_deal_size",
        MONEY,
        {"size": over("avg", "amount", "deal.won")},
        "size",
        lambda raw: _share(raw["revenue"], raw["won"]),
    ),
    Kpi(
        "qualification_rate",
        RATIO,
        {"qualified": _count("lead.qualified"), "created": _count("lead.created")},
        "qualified / created",
        lambda raw: _share(raw["qualified"], raw["leads"]),
    ),
    Kpi(
        "pro_quotes",
        MONEY,
        {"quoted": over("sum", "amount", "quote.sent", where="properties.product == 'pro'")},
        "quoted",
        lambda raw: raw["quotes_pro"],
    ),
    Kpi(
        "northern_pipeline",
        MONEY,
        {"opened": over("sum", "amount", "deal.created", where="properties.region == 'north'")},
        "opened",
        lambda raw: raw["pipeline_north"],
    ),
)


def shown(value: Decimal | None) -> Decimal | None:
    """As answers show it: 15 significant digits (S19)."""
    return None if value is None else SHOWN.plus(value).normalize(SHOWN)
