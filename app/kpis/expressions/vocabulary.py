"""Every word and sign of the language in one table: the parser's precedence, the checker's names and signatures,
what an editor completes and the reference in the API document are all made from it.
"""

from dataclasses import dataclass
from typing import Literal

Language = Literal["filter", "formula"]
Type = Literal["number", "text", "boolean", "condition", "property"]
# The unit of a call: of its first argument, what all arguments have in common, or always the same.
Gives = Literal["condition", "number", "first", "common", "duration", "count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An infix operator, and how tightly it binds."""

    symbol: str
    binding: int
    languages: tuple[Language, ...]
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of an event, as a filter knows it."""

    name: str
    type: Type
    about: str
    is_value: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function; `takes` are its arguments in words, `least` and `most` how many."""

    name: str
    language: Language
    takes: str
    least: int
    most: int
    gives: Gives
    about: str

    @property
    def signature(self) -> str:
        """How it is called, such as `round(x, decimals)`."""
        return f"{self.name}({self.takes})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word or form that is no field, thing or function."""

    text: str
    languages: tuple[Language, ...]
    about: str


_BOTH: tuple[Language, ...] = ("filter", "formula")
_FILTER: tuple[Language, ...] = ("filter",)
_FORMULA: tuple[Language, ...] = ("formula",)

OPERATORS: tuple[Operator, ...] = (
    Operator(symbol="or", binding=1, languages=_FILTER, about="one of the two conditions, or both"),
    Operator(symbol="and", binding=2, languages=_FILTER, about="both conditions"),
    Operator(symbol="==", binding=4, languages=_FILTER, about="is the same; text compares by case"),
    Operator(symbol="!=", binding=4, languages=_FILTER, about="is there and another"),
    Operator(symbol="<", binding=4, languages=_FILTER, about="is less; text compares by code point"),
    Operator(symbol="<=", binding=4, languages=_FILTER, about="is less or the same"),
    Operator(symbol=">", binding=4, languages=_FILTER, about="is greater"),
    Operator(symbol=">=", binding=4, languages=_FILTER, about="is greater or the same"),
    Operator(symbol="in", binding=4, languages=_FILTER, about="is one of a list of constants: `in ['a', 'b']`"),
    Operator(symbol="+", binding=5, languages=_BOTH, about="sum of two values of one unit"),
    Operator(symbol="-", binding=5, languages=_BOTH, about="difference of two values of one unit"),
    Operator(symbol="*", binding=6, languages=_BOTH, about="product"),
    Operator(symbol="/", binding=6, languages=_BOTH, about="quotient; there is no data where the divisor is 0"),
)
BINDING: dict[str, int] = {operator.symbol: operator.binding for operator in OPERATORS}
# `not` lies between `and` and the comparisons, unary minus above all.
NOT_BINDING = 3
COMPARISON_BINDING = 4
MINUS_BINDING = 7
ATOM_BINDING = 8
PUNCTUATION = ("(", ")", "[", "]", ",", ".")

CONSTANT_WORDS = ("true", "false")
WORDS = frozenset({"not", *CONSTANT_WORDS, *(operator.symbol for operator in OPERATORS if operator.symbol.isalpha())})

_FIELDS = (
    Field(name="type", type="text", about="the event's type, such as deal.won"),
    Field(name="source", type="text", about="key of the source that told it"),
    Field(name="amount", type="number", about="money in the currency of the question; missing where no rate is known",
          is_value=True),
    Field(name="amount_original", type="number", about="money as it was told"),
    Field(name="currency", type="text", about="currency as it was told, such as EUR"),
    Field(name="quantity", type="number", about="how many", is_value=True),
    Field(name="duration_seconds", type="number", about="how long, in seconds", is_value=True),
)  # fmt: skip
FIELD_TABLE: dict[str, Field] = {field.name: field for field in _FIELDS}
FIELDS: dict[str, Type] = {field.name: field.type for field in _FIELDS}
VALUE_FIELDS: tuple[str, ...] = tuple(field.name for field in _FIELDS if field.is_value)

THING_TABLE: dict[str, str] = {
    "company": "key of the company that the event is about",
    "contact": "key of the contact that it is about",
    "customer": "key of the customer that it is about",
    "deal": "key of the deal that it is about",
    "lead": "key of the lead that it is about",
}
THINGS: tuple[str, ...] = tuple(THING_TABLE)

_FUNCTIONS = (
    Function(name="has", language="filter", takes="x", least=1, most=1, gives="condition",
             about="whether the event has the property, field or thing"),
    Function(name="nth", language="filter", takes="customer", least=1, most=1, gives="number",
             about="the place of the event among all of its type about the same thing, over all time; 1 is the first"),
    Function(name="abs", language="formula", takes="x", least=1, most=1, gives="first",
             about="the value without its sign"),
    Function(name="coalesce", language="formula", takes="x, y", least=2, most=2, gives="common",
             about="x, or y where x has no data"),
    Function(name="fte", language="formula", takes="", least=0, most=0, gives="count",
             about="mean number of people in scope, by their part of full time"),
    Function(name="headcount", language="formula", takes="", least=0, most=0, gives="count",
             about="mean number of people in scope over the days of the window"),
    Function(name="max", language="formula", takes="x, y, …", least=2, most=20, gives="common",
             about="the greatest of the values"),
    Function(name="min", language="formula", takes="x, y, …", least=2, most=20, gives="common",
             about="the least of the values"),
    Function(name="previous", language="formula", takes="x", least=1, most=1, gives="first",
             about="the value of the window before, of the same kind"),
    Function(name="round", language="formula", takes="x, decimals", least=2, most=2, gives="first",
             about="the value rounded to 0 to 15 decimals, halves to even"),
    Function(name="same_period_last_year", language="formula", takes="x", least=1, most=1, gives="first",
             about="the value of the same window one year earlier"),
    Function(name="target", language="formula", takes="kpi.x", least=1, most=1, gives="first",
             about="the target of that KPI for the subject and the window"),
    Function(name="working_hours", language="formula", takes="", least=0, most=0, gives="duration",
             about="working time in the window of the people in scope, in seconds as all durations"),
)  # fmt: skip
FUNCTIONS: dict[str, Function] = {function.name: function for function in _FUNCTIONS}
FILTER_FUNCTIONS: tuple[str, ...] = tuple(f.name for f in _FUNCTIONS if f.language == "filter")
FORMULA_FUNCTIONS: tuple[str, ...] = tuple(f.name for f in _FUNCTIONS if f.language == "formula")
# They ask the same of another window: once in each other, never in themselves.
SHIFTS = frozenset({"previous", "same_period_last_year"})

KPI = "kpi"
WORD_TABLE: tuple[Word, ...] = (
    Word(text="properties", languages=_FILTER, about="a property: properties.channel, properties['Deal size']"),
    Word(text="about", languages=_FILTER, about="any thing: about.vehicle"),
    Word(text=KPI, languages=_FORMULA, about="another KPI of the organization by its key: kpi.revenue"),
    Word(text="not", languages=_FILTER, about="plain negation: true where the condition is false"),
    Word(text="true", languages=_FILTER, about="yes, beside == and != and in lists"),
    Word(text="false", languages=_FILTER, about="no, beside == and != and in lists"),
)
RESERVED_MEASURES = WORDS | {KPI} | FUNCTIONS.keys()
