"""The grammar as text, made from the vocabulary: EBNF of ISO 14977, as the reference in the API document shows it."""

from app.kpis.expressions.vocabulary import COMPARISON_BINDING, OPERATORS, THINGS, WORDS, Language

_TERMINALS = """\
number     = digit, {digit}, [".", digit, {digit}] ;
text       = "'", {character}, "'" | '"', {character}, '"' ;
word       = letter, {letter | digit} ;
letter     = "A" | ... | "Z" | "a" | ... | "z" | "_" ;
"""


def ebnf(language: Language) -> str:
    """The rules of filters, or those of formulas."""
    return _filter() if language == "filter" else _formula()


def _filter() -> str:
    return (
        f"filter     = conjunct, {{{_symbols('filter', 1)}, conjunct}} ;\n"
        f"conjunct   = negation, {{{_symbols('filter', 2)}, negation}} ;\n"
        'negation   = "not", negation | comparison ;\n'
        f'comparison = sum, [({_symbols("filter", COMPARISON_BINDING, without="in")}), sum | "in", list] ;\n'
        f"sum        = product, {{({_symbols('filter', 5)}), product}} ;\n"
        f"product    = sign, {{({_symbols('filter', 6)}), sign}} ;\n"
        'sign       = "-", sign | operand ;\n'
        'operand    = number | text | "true" | "false" | name | call | "(", filter, ")" ;\n'
        'list       = "[", constant, {",", constant}, "]" | "(", constant, {",", constant}, ")" ;\n'
        'constant   = ["-"], number | text | "true" | "false" ;\n'
        f'name       = field | {_alternatives(THINGS)} | ("properties" | "about"), (".", word | "[", text, "]") ;\n'
        'call       = ("has" | "nth"), "(", name, ")" ;\n'
    ) + _TERMINALS


def _formula() -> str:
    return (
        f"formula    = product, {{({_symbols('formula', 5)}), product}} ;\n"
        f"product    = sign, {{({_symbols('formula', 6)}), sign}} ;\n"
        'sign       = "-", sign | operand ;\n'
        'operand    = number | measure | kpi | call | "(", formula, ")" ;\n'
        'kpi        = "kpi", (".", word | "[", text, "]") ;\n'
        'call       = function, "(", [formula, {",", formula}], ")" ;\n'
        f"measure    = word - ({_alternatives(sorted(WORDS))}) ;\n"
    ) + _TERMINALS


def _symbols(language: Language, binding: int, without: str = "") -> str:
    return _alternatives(
        [
            operator.symbol
            for operator in OPERATORS
            if operator.binding == binding and language in operator.languages and operator.symbol != without
        ]
    )


def _alternatives(words: tuple[str, ...] | list[str]) -> str:
    return " | ".join(f'"{word}"' for word in words)
