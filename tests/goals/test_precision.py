"""In how many decimals targets are written."""

from types import SimpleNamespace
from typing import cast

import pytest

from app.goals.precision import decimals_of, unit_of
from app.kpis.schemas import Kpi, KpiDisplay


@pytest.mark.parametrize(
    ("decimals", "as_percent", "currency", "expected"),
    [
        (0, False, None, 0),
        (1, True, None, 3),  # 42.5 % is 0.425
        (2, False, "JPY", 0),
        (2, False, "EUR", 2),
        (4, False, "BHD", 3),
        (10, True, None, 6),
    ],
)
def test_targets_are_as_fine_as_what_is_shown(
    decimals: int, as_percent: bool, currency: str | None, expected: int
) -> None:
    kpi = cast("Kpi", SimpleNamespace(display=KpiDisplay(decimals=decimals, as_percent=as_percent)))
    assert decimals_of(kpi, currency) == expected
    assert unit_of(kpi, currency).as_tuple().exponent == -expected
