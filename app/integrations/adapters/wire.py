"""Reading what CRMs send: JSON of hostile origin, ids, instants, amounts."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from app.events.facts import FIRST_YEAR, LAST_YEAR
from app.integrations.adapters.base import Json, Unparseable
from app.integrations.folding import Value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECOND = 7_258_118_400  # the year 2200
LONGEST_TEXT = 500
LONGEST_NUMBER = 40
LARGEST_DIGITS, PLACES = 18, 6

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_DIGITS = re.compile(r"[0-9]{1,18}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")


def parse(body: bytes) -> Json:
    """JSON with exact decimals; numbers of absurd length stay text. Raises `Unparseable`."""
    try:
        parsed: Json = json.loads(
            body.decode("utf-8-sig"), parse_float=_number, parse_int=_integer, parse_constant=_refuse
        )
    except (ValueError, RecursionError) as error:
        raise Unparseable(f"not JSON in UTF-8: {type(error).__name__}") from None
    return parsed


def _number(text: str) -> Decimal | str:
    """Exponents such as 1e999999999 must not reach arithmetic or the database."""
    return Decimal(text) if len(text) <= LONGEST_NUMBER and _exponent(text) <= LONGEST_NUMBER else text


def _exponent(text: str) -> int:
    mark = re.search(r"[eE][+-]?0*([0-9]*)$", text)
    if mark is None or not mark[1]:
        return 0
    return int(mark[1]) if len(mark[1]) <= 3 else LONGEST_NUMBER + 1


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= LONGEST_NUMBER else text


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


def storable(text: str) -> str:
    """At most 500 characters, without what PostgreSQL or UTF-8 cannot hold."""
    return _UNSTORABLE.sub("\ufffd", text[:LONGEST_TEXT])


def dictionary(value: Json) -> dict[str, Json]:
    """The value if it is an object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def elements(value: Json) -> list[Json]:
    """The value if it is a list; empty for anything else."""
    return value if isinstance(value, list) else []


def scalar(value: Json) -> Json:
    """A storable scalar; None for lists and objects."""
    if isinstance(value, str):
        return storable(value)
    return value if isinstance(value, int | Decimal) else None


def value_of(value: Json) -> Value:
    """A scalar as the value of a field: numbers as plain text, the empty text as nothing."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value)
    return storable(value) or None if isinstance(value, str) else None


def plain(number: Decimal) -> str:
    """A decimal without exponent and trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def id_of(value: Json, name: str) -> str:
    """An id as text, whether it came as a number or as text. Raises `Unparseable`."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _ID.fullmatch(text):
        raise Unparseable(f"{name} is no id")
    return text


def id_or_none(value: Value) -> str | None:
    """The value if it is an id."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def epoch(value: Json, units: int) -> datetime | None:
    """The instant of so many `units` of a second since 1970, as a number or digits, up to the year 2200."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LAST_SECOND * units:
        return None
    return EPOCH + timedelta(microseconds=value * 1_000_000 // units)


def epoch_ms(value: Json) -> datetime | None:
    """The instant of milliseconds since 1970."""
    return epoch(value, 1000)


def instant(value: Json) -> datetime | None:
    """An instant from ISO 8601 (without a zone: UTC) or from milliseconds since 1970."""
    if not isinstance(value, str):
        return epoch_ms(value)
    if _DIGITS.fullmatch(value):
        return epoch_ms(value)
    try:
        told = datetime.fromisoformat(value)
        told = told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return told if EPOCH <= told < EPOCH + timedelta(seconds=LAST_SECOND) else None


def day(text: str) -> date | None:
    """A date in ISO 8601, of the years 1970 to 2200."""
    try:
        return plausible(date.fromisoformat(text))
    except ValueError:
        return None


def plausible(told: date) -> date | None:
    """The date, if it is of the years 1970 to 2200."""
    return told if FIRST_YEAR <= told.year <= LAST_YEAR else None


def amount(value: Value) -> Decimal | None:
    """An exact amount, to six places; None for what is no number or not below 10^18."""
    if not isinstance(value, str) or len(value) > LONGEST_NUMBER or not _DECIMAL.fullmatch(value):
        return None
    number = Decimal(value)
    if number.adjusted() >= LARGEST_DIGITS:
        return None
    number = rounded(number)
    return number if number.adjusted() < LARGEST_DIGITS else None


def rounded(number: Decimal) -> Decimal:
    """The number to six places, as the ledger takes it."""
    places = round(number, PLACES)
    return number if places == number else places


def currency(value: Value) -> str | None:
    """An ISO 4217 code in capitals; None for anything else."""
    text = value.upper() if isinstance(value, str) else ""
    return text if _CURRENCY.fullmatch(text) else None
