"""Lengths of time as they are written: limits such as PT5M, and other days than the window's own (`over`)."""

import re
from datetime import timedelta
from typing import Literal

from app.kpis.definition import Over

MAX_WITHIN = timedelta(days=3660)
MAX_OVER_DAYS, MAX_OVER_MONTHS = 3660, 120

_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)
_TRAILING = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,4})M)?(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,4})D)?", re.ASCII
)
_Since = Literal["week", "month", "quarter", "year", "fiscal_quarter", "fiscal_year"]
_TO_DATE: dict[str, _Since] = {
    "week_to_date": "week",
    "month_to_date": "month",
    "quarter_to_date": "quarter",
    "year_to_date": "year",
    "fiscal_quarter_to_date": "fiscal_quarter",
    "fiscal_year_to_date": "fiscal_year",
}
OVER_EXPECTED = f"a length such as P90D, P12W, P12M or P1Y, or one of {', '.join(_TO_DATE)}"


def parse_duration(text: str) -> timedelta:
    """An ISO 8601 duration of weeks to seconds, longer than 0; raises `ValueError` for all else."""
    found = _DURATION.fullmatch(text)
    parts = {unit: int(amount) for unit, amount in found.groupdict().items() if amount} if found else {}
    length = timedelta(**parts)
    if not timedelta() < length <= MAX_WITHIN:
        raise ValueError(f"{text} is no duration such as PT5M, PT1H30M or P2D, longer than 0, of at most 3660 days")
    return length


def parse_over(text: str) -> Over:
    """Trailing days or months, or a period to date; raises `ValueError` for all else.

    Years and months do not mix with weeks and days: how long they are together nobody could say.
    """
    if text in _TO_DATE:
        return Over(since=_TO_DATE[text])
    found = _TRAILING.fullmatch(text)
    years, months, weeks, days = (int(amount or 0) for amount in found.groups()) if found else (0, 0, 0, 0)
    in_months, in_days = 12 * years + months, 7 * weeks + days
    if 0 < in_months <= MAX_OVER_MONTHS and not in_days:
        return Over(months=in_months)
    if 0 < in_days <= MAX_OVER_DAYS and not in_months:
        return Over(days=in_days)
    raise ValueError(f"{text} is not {OVER_EXPECTED}, of at most {MAX_OVER_DAYS} days or {MAX_OVER_MONTHS} months")
