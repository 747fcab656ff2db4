"""In how many decimals targets of a KPI are written, wherever one is computed."""

from decimal import Decimal

from iso4217 import Currency

from app.kpis.schemas import Kpi

MOST = 6
"""Targets have no more."""


def decimals_of(kpi: Kpi, currency: str | None) -> int:
    """The decimals that are shown, and those of the share where percents are: 42.5 % with one of them is 0.425.

    Never finer than the currency, None: not money, or not known, nor than a target can be.
    """
    shown = kpi.display.decimals + (2 if kpi.display.as_percent else 0)
    if currency is not None:
        shown = min(shown, Currency(currency).exponent or 0)
    return min(shown, MOST)


def unit_of(kpi: Kpi, currency: str | None) -> Decimal:
    """The smallest step between two targets."""
    return Decimal(1).scaleb(-decimals_of(kpi, currency))
