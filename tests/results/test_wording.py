"""Figures in sentences: as the KPI's display says."""

from decimal import Decimal
from typing import Any

import pytest

from app.kpis.questions import KpiFace
from app.results.wording import between, days, written


def face(kind: str, decimals: int, *, as_percent: bool = False) -> KpiFace:
    display: dict[str, Any] = {"decimals": decimals, "as_percent": as_percent}
    return KpiFace("k", "K", {"kind": kind}, "increase", display, {}, is_additive=False)


@pytest.mark.parametrize(
    ("value", "shown", "text"),
    [
        ("0.375", face("ratio", 1, as_percent=True), "37.5%"),
        ("0.375", face("ratio", 0, as_percent=True), "38%"),
        ("0.375", face("ratio", 2), "0.38"),
        ("1234567.5", face("money", 2), "1,234,567.50 EUR"),
        ("1200", face("money", 0), "1,200 EUR"),
        ("7", face("count", 0), "7"),
        ("-0.001", face("number", 2), "0.00"),
        ("45", face("duration", 0), "45 s"),
        ("95", face("duration", 0), "1 min 35 s"),
        ("5400", face("duration", 0), "1 h 30 min"),
        ("-7200", face("duration", 0), "-2 h"),
        ("99999999999999999999", face("count", 0), "99,999,999,999,999,999,999"),
    ],
)
def test_a_value_is_written_as_its_kpi_shows_it(value: str, shown: KpiFace, text: str) -> None:
    assert written(Decimal(value), shown, "EUR") == text


def test_a_median_of_counts_is_not_rounded_to_one_of_them() -> None:
    assert between(Decimal("4.5"), face("count", 0), "EUR") == "4.5"
    assert between(Decimal("4.00"), face("count", 0), "EUR") == "4"
    assert between(Decimal(1) / 3, face("ratio", 1, as_percent=True), "EUR") == "33.3%"


def test_days_are_one_day_or_several() -> None:
    assert [days(Decimal(n)) for n in ("1.0", "7", "1.5", "0", "30")] == [
        "1 day", "7 days", "1.5 days", "0 days", "30 days",
    ]  # fmt: skip
