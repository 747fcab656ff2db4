"""Public holidays of countries and their subdivisions."""

import warnings
from datetime import date
from functools import cache

import holidays

# What a calendar keeps when it is stored. Outside these years there are no national holidays in it.
KEPT_YEARS = range(2000, 2061)


@cache
def subdivisions_by_country() -> dict[str, list[str]]:
    """The countries that are known, by ISO 3166 code, each with its subdivisions."""
    return dict(holidays.list_supported_countries(include_aliases=False))


def public_holidays(country: str, subdivision: str | None) -> list[date]:
    """The days off of a country, in order. Raises `NotImplementedError` where it is not known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some countries' holidays are known for fewer years, and say so
        return sorted(holidays.country_holidays(country, subdiv=subdivision, years=KEPT_YEARS))
