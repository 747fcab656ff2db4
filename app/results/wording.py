"""Figures in the sentences of findings, as the KPI's display says."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from app.kpis.questions import KpiFace

_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_HOUR, _MINUTE = 3600, 60


def written(value: Decimal, face: KpiFace, currency: str) -> str:
    """A value of a KPI: '37.5%', '1,200.00 EUR', '1 h 30 min'."""
    return _in_unit(value, face, currency, _decimals(face))


def between(value: Decimal, face: KpiFace, currency: str) -> str:
    """A median, quartile or mean: with a decimal even where the KPI itself is shown without, unless it is whole."""
    is_whole = value == value.to_integral_value()
    return _in_unit(value, face, currency, _decimals(face) if is_whole else max(1, _decimals(face)))


def days(number: int | Decimal) -> str:
    """A number of days in full: '1 day', '7 days', '1.5 days'."""
    told = format(Decimal(number).normalize(), "f")
    return f"{told} day" if told == "1" else f"{told} days"


def _decimals(face: KpiFace) -> int:
    return int(str(face.display.get("decimals", 0)))


def _in_unit(value: Decimal, face: KpiFace, currency: str, decimals: int) -> str:
    if face.display.get("as_percent"):
        return f"{_rounded(value * 100, decimals)}%"
    match face.unit.get("kind"):
        case "money":
            return f"{_rounded(value, decimals)} {currency}"
        case "duration":
            return _time(value)
    return _rounded(value, decimals)


def _time(seconds: Decimal) -> str:
    """The two greatest units of a duration; days would mislead where only working hours count."""
    whole = int(seconds.to_integral_value())
    sign, whole = ("-" if whole < 0 else ""), abs(whole)
    hours, rest = divmod(whole, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    if hours:
        return f"{sign}{hours:,} h {minutes} min" if minutes else f"{sign}{hours:,} h"
    if minutes:
        return f"{sign}{minutes} min {rest} s" if rest else f"{sign}{minutes} min"
    return f"{sign}{rest} s"


def _rounded(value: Decimal, decimals: int) -> str:
    """With commas between thousands; never '-0'."""
    return format(value.quantize(Decimal(1).scaleb(-decimals), context=_EXACT) + 0, ",f")
