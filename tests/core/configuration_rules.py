"""A transaction that changes what processes keep of an organization has told so (`app/core/configuration.py`).

They are asked of every transaction that the application commits while the tests run.
"""

import re
from typing import Any

from app.models import metadata

_WRITES = re.compile(r"^\s*(?:WITH\b.*?\b)?(INSERT INTO|UPDATE|DELETE FROM)\s+\"?([a-z_]+)", re.DOTALL)
_TELLS = re.compile(r"^\s*(?:INSERT INTO ledger_clock\b|UPDATE ledger_clock\b.*\bconfigured\s*=)", re.DOTALL)
KEPT = frozenset(
    """
    absence employment exchange_rate goal goal_ramp goal_settings goal_target identity identity_mapping kpi kpi_version
    member member_assignment membership named_period organization_settings rate_set source_counts team team_placement
    work_calendar
    """.split()  # noqa: SIM905  # a list of so many names reads better so
)
assert {table.name for table in metadata.sorted_tables} >= KEPT


def note(transaction: dict[str, Any], statement: str) -> None:
    """Take down what a statement of a transaction does."""
    if _TELLS.match(statement):
        transaction["told"] = True
    elif (found := _WRITES.match(statement)) and found[2] in KEPT:
        transaction.setdefault("wrote", set()).add(found[2])


def forgotten(transaction: dict[str, Any]) -> set[str]:
    """The tables that were changed without a word."""
    wrote: set[str] = transaction.get("wrote", set())
    return set() if transaction.get("told") else wrote
