"""What a language needs to explain definitions: one table of phrases, in which braces name what is put in."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.kpis.definition import Aggregate

_PLACE = re.compile(r"\{(\w+)\}")


def filled(template: str, **parts: object) -> str:
    """The template with its parts put in; between Chinese characters and Latin letters or digits stands a space."""

    def put(place: re.Match[str]) -> str:
        text = str(parts[place[1]])
        before = " " if text[:1].isascii() and _is_han(template[place.start() - 1 : place.start()]) else ""
        after = " " if text[-1:].isascii() and _is_han(template[place.end() : place.end() + 1]) else ""
        return f"{before}{text}{after}" if text else ""

    return _PLACE.sub(put, template)


def _is_han(text: str) -> bool:
    return "\u4e00" <= text <= "\u9fff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The phrases of one language. None of them inflects what is put in, so that any name can stand anywhere."""

    # Words: event types of the catalogue, fields, things; lists of alternatives and of parts; quoting, closing.
    types: Mapping[str, str]
    fields: Mapping[str, str]
    things: Mapping[str, str]
    many: Mapping[str, str]
    many_others: str
    typed: str
    comma: str
    detail_comma: str
    last_or: str
    last_and: str
    semicolon: str
    quoted: str
    bracketed: str
    decimal_mark: str
    end: str
    # Lengths of time: one, and several.
    days: tuple[str, str]
    hours: tuple[str, str]
    minutes: tuple[str, str]
    seconds: tuple[str, str]
    months: tuple[str, str]
    # Conditions on events.
    whose: str
    for_which: str
    comparisons: Mapping[str, str]
    one_of: str
    and_: str
    or_: str
    not_: str
    is_not: str
    given: str
    not_given: str
    nth: str
    is_first: str
    is_later: str
    true: str
    false: str
    # Arithmetic, in conditions and formulas.
    arithmetic: Mapping[str, str]
    minus: str
    # Statistics of values, and what they are statistics of.
    statistics: Mapping[Aggregate, str]
    percentile: str
    ordinal: Callable[[str], str]
    value_of: str
    count: str
    count_distinct: str
    covered: str
    first: str
    last: str
    # Times between events.
    time: str
    working_time: str
    pairs: str
    share_within: str
    working: str
    each_start: str
    dated_by_end: str
    credited_to_start: str
    # Conversions and funnels.
    converted: str
    conversion: str
    reached: str
    funnel: str
    step: str
    strict: str
    within: str
    # Touches and cadences.
    touches: str
    touched: str
    share_at_least: str
    until: str
    share_done: str
    by: str
    # What is open.
    open_count: str
    open_sum: str
    at_start: str
    at_end: str
    opened_again: str
    # Which days, whose credits.
    trailing: str
    to_date: Mapping[str, str]
    role: str
    full: str
    detailed: str
    # Formulas.
    share_among: str
    share_of: str
    functions: Mapping[str, str]
    kpi: str
    where: str
    is_: str
