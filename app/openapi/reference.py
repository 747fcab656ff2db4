"""The reference of the KPI language in the document, made from the table that the checker uses itself."""

from collections.abc import Iterable

from app.kpis.expressions.grammar import ebnf
from app.kpis.expressions.vocabulary import (
    FIELD_TABLE,
    FUNCTIONS,
    NOT_BINDING,
    OPERATORS,
    THING_TABLE,
    WORD_TABLE,
    Language,
)
from app.kpis.library.table import as_markdown

_GIVES = {
    "condition": "a condition",
    "number": "a number",
    "first": "the unit of x",
    "common": "the unit that all have",
    "duration": "a duration",
    "count": "a count",
}


def filled(guide: str) -> str:
    """The guide with the tables where it asks for them."""
    for language in ("filter", "formula"):
        guide = guide.replace(f"{{{{{language} reference}}}}", _reference(language))
    return guide.replace("{{kpi library}}", as_markdown())


def _reference(language: Language) -> str:
    parts = [_table("name", "is", _names(language)), _functions(language), _operators(language), _grammar(language)]
    return "\n\n".join(parts)


def _names(language: Language) -> Iterable[tuple[str, ...]]:
    if language == "filter":
        yield from ((f"`{field.name}`", f"{field.about} ({field.type})") for field in FIELD_TABLE.values())
        yield from ((f"`{name}`", f"{about} (text)") for name, about in THING_TABLE.items())
    yield from ((f"`{word.text}`", word.about) for word in WORD_TABLE if language in word.languages)


def _functions(language: Language) -> str:
    functions = [function for function in FUNCTIONS.values() if function.language == language]
    rows = ((f"`{function.signature}`", function.about, _GIVES[function.gives]) for function in functions)
    return _table("function", "is", rows, "gives")


def _operators(language: Language) -> str:
    loosest_first = sorted(OPERATORS, key=lambda operator: operator.binding)
    rows = [
        (f"`{operator.symbol}`", operator.about)
        for operator in loosest_first
        if language in operator.languages and operator.binding < NOT_BINDING
    ]
    rows += [("`not`", "the condition is not so")] if language == "filter" else []
    rows += [
        (f"`{operator.symbol}`", operator.about)
        for operator in loosest_first
        if language in operator.languages and operator.binding > NOT_BINDING
    ]
    return _table("operator, the loosest first", "is", rows)


def _grammar(language: Language) -> str:
    return f"```ebnf\n{ebnf(language)}```"


def _table(first: str, second: str, rows: Iterable[tuple[str, ...]], *more: str) -> str:
    head = (first, second, *more)
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
