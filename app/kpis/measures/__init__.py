"""Figures straight from the ledger: what each measure asks of the database."""

from app.kpis.measures.asking import rows
from app.kpis.measures.bound import bound_table
from app.kpis.measures.frame import Frame, statement
from app.kpis.measures.kinds import (
    beginning_of,
    connected,
    is_covered,
    may_share_across_days,
    may_share_events,
    share_of,
)
from app.kpis.measures.scope import (
    ENTERS,
    LEFT_OUT,
    NO_GROUP,
    OPEN,
    PENDING,
    REST,
    STATES,
    Audience,
    CurrencyFactors,
    Grouping,
    Row,
    Scope,
    WorkingClock,
)
from app.kpis.measures.united import Union

__all__ = [
    "ENTERS",
    "LEFT_OUT",
    "NO_GROUP",
    "OPEN",
    "PENDING",
    "REST",
    "STATES",
    "Audience",
    "CurrencyFactors",
    "Frame",
    "Grouping",
    "Row",
    "Scope",
    "Union",
    "WorkingClock",
    "beginning_of",
    "bound_table",
    "connected",
    "is_covered",
    "may_share_across_days",
    "may_share_events",
    "rows",
    "share_of",
    "statement",
]
