"""How figures are written in sentences, and how exactly targets are suggested."""

from dataclasses import dataclass
from decimal import Decimal

from app.goals.smart.history import rounded

DIGITS = 3
"""Nobody asks for 119,873.44 where 120,000 is meant."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How values of a KPI are written; `decimals` are those of the value itself: 0.425, shown as 42.5 %, has three."""

    decimals: int = 2
    as_percent: bool = False
    currency: str | None = None
    is_duration: bool = False

    def words(self, value: Decimal) -> str:
        """A value as people read it."""
        if self.as_percent:
            return f"{_grouped(value.scaleb(2))} %"
        unit = self.currency or ("seconds" if self.is_duration else None)
        return " ".join(filter(None, [_grouped(value), unit]))

    def exact(self, value: Decimal) -> Decimal:
        """A figure of the past in the KPI's decimals."""
        return rounded(value, self.decimals)

    def target(self, value: Decimal) -> Decimal:
        """A figure as a target is set: in the KPI's decimals, and of three digits where it has more."""
        return rounded(value, min(self.decimals, DIGITS - 1 - value.adjusted())) if value else value


def _grouped(value: Decimal) -> str:
    return f"{value.normalize():,f}"
