"""Formulas by which the parts of a compound goal make the whole (G6): checked, computed, and solved for one part.

They are of the language of KPI formulas: numbers, `+ - * /`, `kpi.<key>` and a few functions. `kpi.<key>` is the part's
target (or what it is so far), `baseline(kpi.<key>)` what the KPI was before.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import product

from app.core.units import COUNT, DURATION, MONEY, Unit
from app.kpis.expressions.checker import infer, nearest, refuse_zero_divisors
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import Binary, Call, ExpressionError, Name, Node, Number, Unary, name_text, walk
from app.kpis.expressions.vocabulary import KPI
from app.kpis.formulas import EXACT, FORMULA, compiled

BASELINE = "baseline"
FUNCTIONS = ("abs", BASELINE, "coalesce", "max", "min", "round")
MOST_AVERAGES = 6
_DOUBLINGS, _HALVINGS = 40, 120
_OF_A_KPI = 2
_CLOSE = Decimal("1e-9")
Values = Mapping[str, Decimal | None]

IDENTITIES: Mapping[str, Sequence[str]] = {
    "revenue_won": (
        "kpi.deals_won * kpi.average_deal_size",
        "kpi.revenue_new_customers + kpi.revenue_existing_customers",
        "kpi.new_customers * kpi.average_deal_size + kpi.revenue_existing_customers",
        "kpi.revenue_per_head * kpi.team_size",
    ),
    "revenue_new_customers": ("kpi.new_customers * kpi.average_deal_size",),
    "average_deal_size": ("kpi.revenue_won / kpi.deals_won",),
    "deals_won": ("kpi.revenue_won / kpi.average_deal_size",),
    "revenue_per_head": ("kpi.revenue_won / kpi.team_size",),
    "lead_value_generated": ("kpi.leads_generated * (baseline(kpi.lead_value_generated) "
                             "/ baseline(kpi.leads_generated))",),
}  # fmt: skip
"""What KPIs of the library are made of, the simplest first."""


@dataclass(frozen=True, slots=True)
class Yields:
    """A checked formula; `kpis` and `before` are the keys that it reads as they are to be, and as they were."""

    text: str
    kpis: tuple[str, ...]
    before: tuple[str, ...]
    value: Callable[[Values, Values], Decimal | None]

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, each once."""
        return tuple(dict.fromkeys((*self.kpis, *self.before)))


@dataclass(frozen=True, slots=True)
class Whole:
    """The KPI of the whole, with its unit."""

    key: str
    unit: Unit


def check_yields(text: str, units: Mapping[str, Unit], whole: Whole, averages: AbstractSet[str]) -> Yields:
    """The formula, checked against the organization's KPIs and the unit of the whole.

    `averages` are the KPIs whose values do not add up: money or time of one of them may be meant per item. Raises
    `ExpressionError` with the position, and what was probably meant.
    """
    tree = parse(text)
    for node in walk(tree):
        _require_known(node, units)
    plain = _as_names(tree)
    refuse_zero_divisors(plain)
    found = read_yields(text)
    if not found.kpis:
        message = "The formula names no KPI that a part could be a goal on."
        raise ExpressionError(message, 0, len(text), expected=f"{KPI}.<key>")
    if whole.key in found.kpis:
        _refuse_itself(tree, whole.key)
    _require_unit(_without_baselines(tree), found.keys, units, whole, averages)
    return found


def read_yields(text: str) -> Yields:
    """A formula that was checked when it was stored."""
    made = compiled(_as_names(parse(text)))

    def value(now: Values, before: Values) -> Decimal | None:
        return made.value([(now if use.kind == KPI else before).get(use.name) for use in made.uses])

    of = {kind: tuple(use.name for use in made.uses if use.kind == kind) for kind in (KPI, "measure")}
    return Yields(text, of[KPI], of["measure"], value)


def suggestion_for(whole: str, parts: AbstractSet[str], known: AbstractSet[str]) -> str | None:
    """The formula of the library's that all parts are factors of, with the fewest other ones; all KPIs are there."""
    fitting = [
        found
        for text in IDENTITIES.get(whole, ())
        if parts and parts <= set((found := read_yields(text)).kpis) and set(found.keys) <= known
    ]
    return min(fitting, key=lambda found: len(found.keys)).text if fitting else None


def needed(yields: Yields, now: Values, before: Values, key: str, wanted: Decimal) -> Decimal | None:
    """How large one KPI would have to be for the whole to be as wanted, the others as they are; None where none is.

    Of several the nearest that doubling finds: formulas rise or fall with each of their KPIs over any sensible range.
    """
    start = now.get(key)
    if start is None or key not in yields.kpis:
        return None

    def lack(value: Decimal) -> Decimal | None:
        made = yields.value({**now, key: value}, before)
        return None if made is None else EXACT.subtract(wanted, made)

    return _straight(lack, start, wanted) or _searched(lack, start)


def _straight(lack: Callable[[Decimal], Decimal | None], start: Decimal, wanted: Decimal) -> Decimal | None:
    """The root of a straight line through two points, where it is one."""
    at_start, at_next = lack(start), lack(start + 1)
    if at_start is None or at_next is None or at_start == at_next:
        return None
    root = FORMULA.add(start, FORMULA.divide(at_start, EXACT.subtract(at_start, at_next)))
    left = lack(root) if root > 0 else None
    return root if left is not None and abs(left) <= _CLOSE * max(abs(wanted), Decimal(1)) else None


def _searched(lack: Callable[[Decimal], Decimal | None], start: Decimal) -> Decimal | None:
    first = lack(start)
    if first is None:
        return None
    for growing in (True, False):
        near = start if start > 0 else Decimal(1)
        for _ in range(_DOUBLINGS):
            far = near * 2 if growing else near / 2
            there = lack(far)
            if there is None:
                break
            if (there > 0) != (first > 0):
                return _between(lack, near, far)
            near = far
    return None


def _between(lack: Callable[[Decimal], Decimal | None], near: Decimal, far: Decimal) -> Decimal:
    at_near = lack(near) or Decimal(0)
    for _ in range(_HALVINGS):
        middle = FORMULA.divide(FORMULA.add(near, far), 2)
        there = lack(middle)
        if there is not None and (there > 0) == (at_near > 0):
            near = middle
        else:
            far = middle
    return far


def rounded_away(value: Decimal, start: Decimal, decimals: int) -> Decimal:
    """A needed value as it is written, on the far side: rounded back it would not be enough."""
    value = Decimal(f"{value:.20g}")  # the last digits are of the search, not of the root
    if value.adjusted() + decimals >= FORMULA.prec:
        return value
    away = ROUND_CEILING if value >= start else ROUND_FLOOR
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=away, context=EXACT)


def _require_known(node: Node, units: Mapping[str, Unit]) -> None:
    is_arithmetic = isinstance(node, Binary) and node.operator in {"+", "-", "*", "/"}
    if not (
        is_arithmetic or isinstance(node, Number | Name | Call) or (isinstance(node, Unary) and node.operator == "-")
    ):
        raise _error(
            node, "A formula gives a number: conditions, text and lists have no place in it.", "a number", None
        )
    if isinstance(node, Name) and node.path[0] == KPI and len(node.path) != _OF_A_KPI:
        raise _error(node, f"`{KPI}` needs the key of one KPI.", f"{KPI}.<key>", None)
    if isinstance(node, Call) and node.function not in FUNCTIONS:
        meant = nearest(node.function, FUNCTIONS)
        message = f"`{node.function[:80]}` is not available here: a goal's parts are KPIs of its own period."
        raise _error(node, message, f"one of {', '.join(FUNCTIONS)}", f"{meant}(" if meant else None)
    if isinstance(node, Call) and node.function == BASELINE and not _is_kpi_alone(node.arguments):
        raise _error(node, f"`{BASELINE}` takes one KPI.", f"{BASELINE}({KPI}.<key>)", None)
    if isinstance(node, Name) and node.path[0] != KPI:
        key = node.path[0]
        found = key if key in units else nearest(key, units)
        meant = name_text((KPI, found)) if found else None
        raise _error(node, f"`{key[:80]}` is no KPI: parts are named by `{KPI}.<key>`.", f"{KPI}.<key>", meant)


def _is_kpi_alone(arguments: Sequence[Node]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], Name)


def _refuse_itself(tree: Node, key: str) -> None:
    for node in walk(tree):
        if isinstance(node, Call) and node.function == BASELINE:
            continue
        if isinstance(node, Name) and node.path == (KPI, key) and not _is_before(tree, node):
            message = f"`{name_text(node.path)}` is the whole itself, which is to be made of other KPIs."
            raise _error(node, message, "another KPI", f"{BASELINE}({name_text(node.path)})")


def _is_before(tree: Node, name: Name) -> bool:
    """Whether the name stands inside `baseline(…)`."""
    calls = (node for node in walk(tree) if isinstance(node, Call) and node.function == BASELINE)
    return any(call.start <= name.start and name.end <= call.end for call in calls)


def _require_unit(
    tree: Node, keys: Sequence[str], units: Mapping[str, Unit], whole: Whole, averages: AbstractSet[str]
) -> None:
    open_ones = [key for key in keys if key in averages and units.get(key) in {MONEY, DURATION}][:MOST_AVERAGES]
    first: Unit | None = None
    trouble: ExpressionError | None = None
    for per_item in product((False, True), repeat=len(open_ones)):
        meant = {key: units[key] / COUNT for key, is_meant in zip(open_ones, per_item, strict=True) if is_meant}
        try:
            unit = infer(tree, {}, {**units, **meant})
        except ExpressionError as error:
            trouble = trouble or error
            continue
        if unit.fits(whole.unit):
            return
        first = first or unit
    if first is None and trouble is not None:
        raise trouble
    message = f"The formula gives {first}, and the whole, {whole.key}, is {whole.unit}."
    raise ExpressionError(message, tree.start, max(tree.end - tree.start, 1), expected=str(whole.unit))


def _as_names(node: Node) -> Node:
    """With `baseline(kpi.x)` as a name of its own, which no KPI has."""
    match node:
        case Call(function=function, arguments=(Name(path=(_, key)) as name,)) if function == BASELINE:
            return replace(name, path=(BASELINE, key), start=node.start, end=node.end)
    return _mapped(node, _as_names)


def _without_baselines(node: Node) -> Node:
    match node:
        case Call(function=function, arguments=(argument,)) if function == BASELINE:
            return argument
    return _mapped(node, _without_baselines)


def _mapped(node: Node, change: Callable[[Node], Node]) -> Node:
    match node:
        case Unary(operand=operand):
            return replace(node, operand=change(operand))
        case Binary(left=left, right=right):
            return replace(node, left=change(left), right=change(right))
        case Call(arguments=arguments):
            return replace(node, arguments=tuple(map(change, arguments)))
    return node


def _error(node: Node, message: str, expected: str, suggestion: str | None) -> ExpressionError:
    return ExpressionError(message, node.start, max(node.end - node.start, 1), expected=expected, suggestion=suggestion)
