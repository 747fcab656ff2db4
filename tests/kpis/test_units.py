"""Units and what they accept."""

import pytest

from app.core.units import COUNT, DURATION, MONEY, NUMBER, RATIO, SCORE, Unit


@pytest.mark.parametrize(
    ("unit", "declared"),
    [
        (MONEY, MONEY),
        (MONEY / COUNT, MONEY),
        (MONEY / COUNT, Unit.of("money", "count")),
        (DURATION / COUNT, DURATION),
        (COUNT / COUNT, RATIO),
        (COUNT / COUNT, SCORE),
        (COUNT / COUNT, NUMBER),
        (COUNT / COUNT, Unit.of("count", "count")),
        (COUNT / DURATION, Unit.of("count", "duration")),
        (NUMBER, SCORE),
        (NUMBER, MONEY),
    ],
)
def test_an_average_fits_the_unit_of_what_it_averages(unit: Unit, declared: Unit) -> None:
    assert unit.fits(declared)


@pytest.mark.parametrize(
    ("unit", "declared"),
    [
        (MONEY, COUNT),
        (COUNT, MONEY),
        (COUNT / COUNT, COUNT),
        (COUNT / MONEY, MONEY),
        (MONEY * MONEY, MONEY),
        (MONEY, RATIO),
        (MONEY / DURATION, MONEY),
        (COUNT, NUMBER),
    ],
)
def test_another_unit_does_not_fit(unit: Unit, declared: Unit) -> None:
    assert not unit.fits(declared)


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (COUNT, "a count"),
        (MONEY / COUNT, "money per count"),
        (RATIO, "a ratio"),
        (NUMBER, "a number"),
        (NUMBER / DURATION, "a number per duration"),
        (COUNT * MONEY, "a count × money"),
    ],
)
def test_units_are_told_in_words(unit: Unit, words: str) -> None:
    assert str(unit) == words


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="parsecs is no kind"):
        Unit.of("parsecs")
