"""How figures are written for people."""

from collections.abc import Sequence
from typing import Any

NOTHING = "–"
_BARS = "▁▂▃▄▅▆▇█"
TREND_WIDTH = 6  # up to ▲999 %
MINUTE, HOUR, DAY = 60, 3600, 86_400


# Any: units as the API gives them.
def written(value: float | None, unit: dict[str, Any]) -> str:
    """A value with its unit; of money without, which is the organization's and named beside it."""
    if value is None:
        return NOTHING
    match unit["kind"]:
        case "money":
            return f"{value:,.0f}"
        case "ratio":
            return f"{value * 100:.1f} %"
        case "duration":
            return _span(value)
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def _span(seconds: float) -> str:
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.1f} min"
    return f"{seconds / HOUR:.1f} h" if seconds < DAY else f"{seconds / DAY:.1f} d"


def trend(now: float | None, before: float | None, direction: str) -> str:
    """The change against before, green where it goes the way it should; always as wide, so that columns align."""
    if now is None or not before:
        return NOTHING.ljust(TREND_WIDTH)
    change = now / before - 1
    arrow = "▲" if change > 0 else "▼" if change < 0 else "="
    is_good = change == 0 or (change > 0) == (direction == "increase")
    text = f"{arrow}{abs(change) * 100:.0f} %".ljust(TREND_WIDTH)
    return f"[{'green' if is_good else 'red'}]{text}[/]"


def line(values: Sequence[float | None]) -> str:
    """The values as a row of bars, from the lowest to the highest."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1
    return "".join(" " if v is None else _BARS[round((v - low) / span * (len(_BARS) - 1))] for v in values)


def ranks(values: Sequence[float | None]) -> list[str]:
    """The places of values, the greatest first: ties share the better place, the next is skipped (S29)."""
    return [NOTHING if v is None else str(1 + sum(1 for w in values if w is not None and w > v)) for v in values]
