"""The five verdicts on a goal, each from what was found out before; plain values in, findings out (G1, G5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any, Literal

from app.calendars.periods import DayRange
from app.goals.pace import Direction
from app.goals.smart.history import AMBITIOUS, REALISTIC, Basis, History, rounded
from app.goals.smart.wording import is_vague
from app.goals.smart.writing import Manner
from app.kpis.formulas import FORMULA

Criterion = Literal["specific", "measurable", "achievable", "relevant", "time_bound"]
Severity = Literal["error", "warning", "unknown", "info"]
Verdict = Literal["fail", "warn", "unknown", "pass"]
Json = Any  # JSON

CRITERIA: tuple[Criterion, ...] = ("specific", "measurable", "achievable", "relevant", "time_bound")
FAR_BEYOND = Decimal("1.5")
"""Targets that are so many times better than the best of all periods fail; other ones beyond it are warned of."""
UNLIKELY, LIKELY = Decimal("0.1"), Decimal("0.8")
FEW_WORKING_DAYS = 3
LONG_WITHOUT_MILESTONES = 180
LATE_START = Fraction(1, 4)
MANY_GOALS = 7
_PLAIN = Manner()
_VERDICTS: Mapping[Severity, Verdict] = {"error": "fail", "warning": "warn", "unknown": "unknown"}
_WORST: tuple[Verdict, ...] = ("fail", "warn", "unknown", "pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that speaks for or against a goal. `suggestion` is what to put instead, as JSON of the goal."""

    criterion: Criterion
    code: str
    severity: Severity
    message: str
    pointer: str
    suggestion: Json = None
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Other:
    """Another goal that touches this one's days."""

    id: str
    name: str
    kpi: str
    period: DayRange
    owner: str = "organization"
    indicator: str = "lagging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a goal is called, whether it has an owner, and the owner's other goals on its KPI."""

    name: str
    description: str = ""
    kpi: str = ""
    kpi_name: str = ""
    has_owner: bool = True
    aim: str = ""
    period: DayRange | None = None
    same: Sequence[Other] = ()
    parent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The KPI and what the ledger has for it; `lacking` are the types of events that it needs and nobody sent.

    `recent` and what follows are those of the owner over the last 90 days.
    """

    kpi: str
    state: str
    is_qualitative: bool = False
    unit: str = "number"
    value: Decimal | None = None
    lacking: Sequence[str] = ()
    recent: Decimal | None = None
    status: str = "ok"
    sample: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aimed:
    """The target beside what was reached before, and how both are written.

    `likelihood` is the forecast's of reaching it, where the period runs.
    """

    direction: Direction
    history: History
    value: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    stretch: Decimal | None = None
    manner: Manner = _PLAIN
    likelihood: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """How a goal stands among the others of its days. `above` are goals that it could be a part of, the nearest first.

    `roles` are those that the KPI is meant for, by the library; `role` the owner's among them, where it is known.
    """

    kpi: str
    has_parent: bool = False
    is_organization: bool = False
    above: Sequence[Other] = ()
    role: str | None = None
    roles: Sequence[str] = ()
    own: Sequence[Other] = ()
    indicator: str = "lagging"
    weight_share: Decimal | None = None
    initiatives: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The goal's days, seen from the day on which it is or was set; `window` are days that its KPI needs."""

    period: DayRange
    set_on: date
    working_days: int
    elapsed: Fraction = Fraction(0)
    milestones: int = 0
    window: timedelta | None = None
    expected: Decimal | None = None
    is_counted: bool = False


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The worst of the findings; information speaks against nothing."""
    told = {_VERDICTS.get(finding.severity, "pass") for finding in findings}
    return next((verdict for verdict in _WORST if verdict in told), "pass")


# ---------------------------------------------------------------------------------------------------------- specific


def specific(goal: Wording) -> list[Finding]:
    """Whether it is said who is to reach what, and said once."""
    return [*_named(goal), *_owned(goal), *_once(goal)]


def _named(goal: Wording) -> Iterable[Finding]:
    if not is_vague(goal.name, goal.kpi, goal.kpi_name):
        return
    tells = bool(goal.description.strip()) and not is_vague(goal.description)
    better = ": ".join(filter(None, [goal.kpi_name or goal.kpi, goal.aim]))
    if goal.period is not None and better:
        better = f"{better}, {goal.period.label}"
    yield Finding(
        criterion="specific",
        code="name_vague",
        severity="info" if tells else "warning",
        message="The name says neither what is to be reached nor how much of it.",
        pointer="/name",
        suggestion={"name": better} if better else None,
    )


def _owned(goal: Wording) -> Iterable[Finding]:
    if not goal.has_owner:
        message = "Nobody owns the goal: name the organization, a team or a member."
        yield Finding(criterion="specific", code="owner_missing", severity="error", message=message, pointer="/owner")


def _once(goal: Wording) -> Iterable[Finding]:
    if (period := goal.period) is None:
        return
    for other in goal.same:
        if other.id == goal.parent_id:
            continue
        is_same = other.period == period
        is_inside = _encloses(other.period, period) or _encloses(period, other.period)
        code, severity = _together(is_same=is_same, is_inside=is_inside)
        which = f"The goal '{other.name}' ({other.period.label}) has the same owner and KPI"
        yield Finding(
            criterion="specific",
            code=code,
            severity=severity,
            message=which + _TOGETHER[code],
            pointer="/period" if code == "goals_overlap" else "/kpi",
            evidence={"goal_id": other.id, "name": other.name, "period": other.period.label},
        )


_TOGETHER = {
    "same_goal": " and the same days: change it instead of setting another.",
    "goal_within_goal": ", and one lies within the other's days.",
    "goals_overlap": ", and its days overlap: one event counts for both.",
}


def _together(*, is_same: bool, is_inside: bool) -> tuple[str, Severity]:
    if is_same:
        return "same_goal", "warning"
    return ("goal_within_goal", "info") if is_inside else ("goals_overlap", "warning")


def _encloses(outer: DayRange, inner: DayRange) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end and outer != inner


# -------------------------------------------------------------------------------------------------------- measurable


def measurable(goal: Measured) -> list[Finding]:
    """Whether its KPI is agreed upon, and has figures of this owner that can be trusted."""
    return [*_agreed(goal), *_fed(goal), *_fitting(goal)]


def _agreed(goal: Measured) -> Iterable[Finding]:
    if goal.state == "draft":
        yield _found(
            "measurable",
            "kpi_draft",
            "warning",
            f"The KPI {goal.kpi} is a draft: what it counts may still change.",
            "/kpi",
        )
    if goal.state == "archived":
        yield _found("measurable", "kpi_archived", "error", f"The KPI {goal.kpi} is archived.", "/kpi")


def _fed(goal: Measured) -> Iterable[Finding]:
    evidence = {"status": goal.status, "sample": goal.sample, "left_out": goal.left_out, "days": 90}
    if goal.is_qualitative:
        if goal.status == "no_data":
            message = f"Nobody has been scored on {goal.kpi} in the last 90 days: fill its score sheets in."
            yield _found("measurable", "no_scores", "error", message, "/kpi", evidence)
        return
    if goal.lacking:
        types = ", ".join(goal.lacking)
        message = f"{goal.kpi} needs events of the kind {types}; there are none of the last 90 days. Connect a source "
        message += "that sends them, or import them."
        yield _found(
            "measurable", "source_missing", "error", message, "/kpi", {**evidence, "events": list(goal.lacking)}
        )
    elif goal.sample == 0 and not goal.left_out:
        message = f"{goal.kpi} has no figures of this owner in the last 90 days."
        yield _found("measurable", "no_data", "warning", message, "/kpi", evidence)
    if goal.status == "partial" or goal.left_out:
        whole = goal.sample + goal.left_out
        message = f"{goal.left_out} of {whole} events of the last 90 days are left out of {goal.kpi}: map what is "
        message += "unmapped, and keep exchange rates."
        yield _found("measurable", "partial_data", "warning" if goal.sample else "error", message, "/kpi", evidence)


def _fitting(goal: Measured) -> Iterable[Finding]:
    if goal.value is None:
        return
    if goal.unit == "count" and goal.value != goal.value.to_integral_value():
        whole = goal.value.to_integral_value()
        message = f"{goal.kpi} is counted in whole units: {_written(goal.value)} cannot be reached exactly."
        yield _found(
            "measurable",
            "target_not_whole",
            "warning",
            message,
            "/target/value",
            suggestion=_target(max(whole, Decimal(1))),
        )
    is_usual = goal.recent is not None and goal.recent > 1
    if goal.unit == "ratio" and 1 < goal.value <= 100 and not is_usual:
        share = FORMULA.divide(goal.value, 100)
        message = f"{goal.kpi} is a ratio, where 1 is 100 %: {_written(goal.value)} may be meant as per cent."
        yield _found("measurable", "target_in_percent", "warning", message, "/target/value", suggestion=_target(share))


# -------------------------------------------------------------------------------------------------------- achievable


def achievable(goal: Aimed) -> list[Finding]:
    """Where the target lies in what was reached before, and what would be realistic and ambitious."""
    return [*_forecast(goal), *_compared(goal)]


def _compared(goal: Aimed) -> list[Finding]:
    if not goal.history.is_known:
        message = f"Whether it can be reached cannot be told: {goal.history.reason}"
        return [_achievable("history_too_short", "unknown", message, {"periods": goal.history.periods})]
    if goal.direction == "maintain":
        return [*_kept_band(goal)]
    return [*_unnamed(goal)] if goal.value is None else [*_reached(goal, goal.value), *_stretched(goal)]


def _forecast(goal: Aimed) -> Iterable[Finding]:
    if goal.likelihood is None:
        return
    per_cent = rounded(FORMULA.multiply(goal.likelihood, 100), 0)
    message = f"By what happened so far in the period, it is reached with a likelihood of {per_cent:f} %."
    severity: Severity = "warning" if goal.likelihood < UNLIKELY else "info"
    yield _achievable("forecast", severity, message, {"likelihood": goal.likelihood})


def quantiles(goal: Aimed) -> tuple[Decimal, Decimal] | None:
    """What half, and what one in five, of the periods reached, exactly; None for bands."""
    if not goal.history.is_known or goal.direction == "maintain":
        return None
    return goal.history.at(REALISTIC, goal.direction), goal.history.at(AMBITIOUS, goal.direction)


def suggested(goal: Aimed) -> tuple[Decimal, Decimal] | None:
    """The realistic and the ambitious target: the quantiles as targets are written; None for bands."""
    found = quantiles(goal)
    return None if found is None else (goal.manner.target(found[0]), goal.manner.target(found[1]))


def band(goal: Aimed) -> tuple[Decimal, Decimal] | None:
    """The band that the middle three fifths of the periods were in; None for other directions."""
    if not goal.history.is_known or goal.direction != "maintain":
        return None
    low, high = (goal.manner.target(goal.history.at(share, "increase")) for share in (1 - AMBITIOUS, AMBITIOUS))
    return low, high


def reached_in(goal: Aimed) -> int | None:
    """In how many of the periods the target would have been reached."""
    if not goal.history.is_known or (goal.value is None and goal.low is None):
        return None
    return goal.history.reached(*_edges(goal))


def _edges(goal: Aimed) -> tuple[Decimal, Decimal]:
    infinite = Decimal("Infinity")
    if goal.direction == "maintain":
        return goal.low or Decimal(0), infinite if goal.high is None else goal.high
    return (goal.value or Decimal(0), infinite) if goal.direction == "increase" else (-infinite, goal.value or infinite)


_PERIODS: Mapping[Basis, str] = {
    "own": "past periods",
    "own_months": "past months (brought to the length of the period)",
    "peers": "past periods of colleagues in the same role",
    "none": "periods",
}


def _unnamed(goal: Aimed) -> Iterable[Finding]:
    realistic, ambitious = suggested(goal) or (Decimal(0), Decimal(0))
    write = goal.manner.words
    message = f"No target is known. {write(realistic)} would be realistic, {write(ambitious)} ambitious."
    evidence = {"basis": goal.history.basis, "periods": len(goal.history.values)}
    yield _achievable("target_unknown", "unknown", message, evidence, _target(realistic) if realistic > 0 else None)


def _reached(goal: Aimed, value: Decimal) -> Iterable[Finding]:
    history, way, write = goal.history, goal.direction, goal.manner.words
    realistic, ambitious = suggested(goal) or (value, value)
    best, periods = history.best(way), len(history.values)
    reached = reached_in(goal) or 0
    shown = _short_of(goal, best, value)
    evidence: dict[str, Json] = {
        "basis": history.basis,
        "periods": periods,
        "reached": reached,
        "realistic": realistic,
        "ambitious": ambitious,
        "best": shown,
    }
    if realistic:
        growth = FORMULA.subtract(FORMULA.divide(value, realistic), 1)
        evidence["growth"] = rounded(growth, 4)
    did = "reached" if way == "increase" else "kept to"
    seen = f"{reached} of {periods} {_PERIODS[history.basis]} {did} {write(value)}"
    instead = _target(ambitious) if ambitious > 0 else None
    better = f"{write(realistic)} would be realistic, {write(ambitious)} ambitious."
    if _is_beyond(value, best, way, FAR_BEYOND):
        message = f"{seen}; the best had {write(shown)}. It is far beyond all that was reached before. {better}"
        yield _achievable("far_beyond_best", "error", message, evidence, instead)
    elif _is_beyond(value, best, way, Decimal(1)):
        message = f"{seen}; the best had {write(shown)}. {better}"
        yield _achievable("beyond_best", "warning", message, evidence, instead)
    elif reached == periods and (goal.likelihood is None or goal.likelihood >= LIKELY):
        yield _achievable(
            "too_easy", "warning", f"{seen}. {better}", evidence, _target(realistic) if realistic > 0 else None
        )
    else:
        yield _achievable("within_history", "info", f"{seen}. {better}", evidence)


def _short_of(goal: Aimed, best: Decimal, value: Decimal) -> Decimal:
    """The best as it is written; with more decimals where it would look like a target that it did not reach."""
    shown = goal.manner.exact(best)
    return shown if shown != value else rounded(best, goal.manner.decimals + 2)


def _is_beyond(value: Decimal, best: Decimal, way: Direction, times: Decimal) -> bool:
    if way == "increase":
        return value > FORMULA.multiply(best, times)
    return FORMULA.multiply(value, times) < best


def _stretched(goal: Aimed) -> Iterable[Finding]:
    found = suggested(goal)
    if goal.stretch is None or found is None:
        return
    ambitious = found[1]
    is_within = goal.stretch <= ambitious if goal.direction == "increase" else goal.stretch >= ambitious
    if is_within and ambitious > 0:
        write = goal.manner.words
        message = f"The stretch target of {write(goal.stretch)} is no more than {write(ambitious)}, which one in "
        message += "five past periods reached."
        yield _achievable(
            "stretch_within_reach", "info", message, {"ambitious": ambitious}, None, pointer="/target/stretch"
        )


def _kept_band(goal: Aimed) -> Iterable[Finding]:
    found = band(goal)
    if found is None:
        return
    low, high = found
    write, periods = goal.manner.words, len(goal.history.values)
    instead = {"target": {"low": _written(low), "high": _written(high)}} if 0 < low < high else None
    usual = f"three in five were within {write(low)} to {write(high)}."
    evidence: dict[str, Json] = {"basis": goal.history.basis, "periods": periods, "low": low, "high": high}
    if goal.low is None or goal.high is None:
        message = f"No band is known; of {periods} {_PERIODS[goal.history.basis]} {usual}"
        yield _achievable("target_unknown", "unknown", message, evidence, instead)
        return
    evidence["reached"] = reached = reached_in(goal) or 0
    message = f"{reached} of {periods} {_PERIODS[goal.history.basis]} were within the band; {usual}"
    if reached:
        yield _achievable("within_history", "info", message, evidence)
    elif _is_far(goal, goal.low, goal.high):
        yield _achievable("far_beyond_best", "error", message, evidence, instead)
    else:
        yield _achievable("beyond_best", "warning", message, evidence, instead)


def _is_far(goal: Aimed, low: Decimal, high: Decimal) -> bool:
    """Whether the whole band lies far above, or far below, all that was."""
    values = goal.history.values
    above = low > FORMULA.multiply(max(values), FAR_BEYOND)
    return above or FORMULA.multiply(high, FAR_BEYOND) < min(values)


def _achievable(
    code: str,
    severity: Severity,
    message: str,
    evidence: Mapping[str, Json],
    suggestion: Json = None,
    pointer: str = "/target",
) -> Finding:
    return _found("achievable", code, severity, message, pointer, evidence, suggestion)


# ---------------------------------------------------------------------------------------------------------- relevant


def relevant(goal: Placed) -> list[Finding]:
    """Whether it serves a greater goal, fits its owner's work, and stands in a sound set."""
    return [*chain(_served(goal), _fits_role(goal), _balanced(goal))]


def _served(goal: Placed) -> Iterable[Finding]:
    if not goal.has_parent and goal.above:
        above = goal.above[0]
        severity: Severity = "info" if goal.is_organization else "warning"
        message = f"It is a part of no other goal, while there is the {above.owner}'s '{above.name}' "
        message += f"({above.period.label})."
        yield _found(
            "relevant",
            "parent_missing",
            severity,
            message,
            "/parent_id",
            {"goals": [{"id": each.id, "name": each.name, "kpi": each.kpi} for each in goal.above]},
            {"parent_id": above.id},
        )
    if goal.initiatives == 0:
        message = "No initiative says yet how it is to be reached."
        yield _found("relevant", "no_initiative", "info", message, "")


def _fits_role(goal: Placed) -> Iterable[Finding]:
    if goal.role is not None and goal.roles and goal.role not in goal.roles:
        message = f"{goal.kpi} is meant for {', '.join(goal.roles)}; the owner's role is {goal.role}."
        yield _found(
            "relevant", "kpi_not_of_role", "warning", message, "/kpi", {"role": goal.role, "roles": list(goal.roles)}
        )


def _balanced(goal: Placed) -> Iterable[Finding]:
    if len(goal.own) >= MANY_GOALS:
        message = f"The owner has {len(goal.own)} other goals in these days: nobody minds so many at once."
        yield _found("relevant", "many_goals", "info", message, "", {"goals": len(goal.own)})
    if goal.weight_share is not None and goal.weight_share < Decimal("0.05"):
        message = "Its weight is less than a twentieth of those of the owner's goals in these days."
        yield _found("relevant", "weight_small", "info", message, "/weight", {"share": goal.weight_share})
    if goal.own and goal.indicator == "lagging" and all(other.indicator == "lagging" for other in goal.own):
        message = "All goals of the owner in these days tell what came; none tells what will come, as calls do."
        yield _found("relevant", "only_lagging", "info", message, "/kpi")


# -------------------------------------------------------------------------------------------------------- time-bound


def time_bound(goal: Timed) -> list[Finding]:
    """Whether its days lie ahead, are enough for what is asked, and have places on the way."""
    return [*_ahead(goal), *_long_enough(goal), *_parted(goal)]


def _ahead(goal: Timed) -> Iterable[Finding]:
    if goal.period.end <= goal.set_on:
        message = f"{goal.period.label} was over before the goal was set."
        yield _timed("period_over", "error", message, {"end": goal.period.end.isoformat()})
    elif goal.elapsed > LATE_START:
        per_cent = round(goal.elapsed * 100)
        message = f"{per_cent} % of {goal.period.label}'s working time was over when the goal was set."
        yield _timed("started_long_ago", "warning", message, {"elapsed": Decimal(per_cent) / 100})


def _long_enough(goal: Timed) -> Iterable[Finding]:
    if goal.working_days < FEW_WORKING_DAYS:
        days = ("no working day", "one working day", f"{goal.working_days} working days")[min(goal.working_days, 2)]
        message = f"{goal.period.label} has {days}: too few to steer by."
        yield _timed("period_short", "warning", message, {"working_days": goal.working_days})
    length = timedelta(days=goal.period.days)
    if goal.window is not None and goal.window > length:
        message = f"The KPI looks at {goal.window.days} days, and the period has {goal.period.days}: what is done in "
        message += "it shows only later."
        evidence = {"window_days": goal.window.days, "days": goal.period.days}
        yield _timed("period_shorter_than_window", "warning", message, evidence)
    if goal.is_counted and goal.expected is not None and goal.expected < 1:
        message = f"By what happened before, {_written(rounded(goal.expected, 2))} are to be expected in the period: "
        message += "less than one."
        yield _timed("less_than_one_expected", "warning", message, {"expected": goal.expected})


def _parted(goal: Timed) -> Iterable[Finding]:
    if goal.period.days < LONG_WITHOUT_MILESTONES or goal.milestones:
        return
    quarter = goal.period.days // 4
    places = [
        {
            "name": f"{25 * n} %",
            "share": f"{Decimal(25 * n) / 100}",
            "due_on": _month_end(goal.period.start + timedelta(days=quarter * n - 1)).isoformat(),
        }
        for n in (1, 2, 3)
    ]
    message = f"{goal.period.days} days without a milestone: nobody sees in time whether it will be reached."
    yield Finding(
        criterion="time_bound",
        code="no_milestones",
        severity="warning",
        message=message,
        pointer="/milestones",
        suggestion={"milestones": places},
        evidence={"days": goal.period.days},
    )


def _month_end(day: date) -> date:
    """The nearest last day of a month: nobody looks at 1 April what a quarter gave."""
    before = day.replace(day=1) - timedelta(days=1)
    after = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return before if day - before <= after - day else after


def _timed(code: str, severity: Severity, message: str, evidence: Mapping[str, Json]) -> Finding:
    return _found("time_bound", code, severity, message, "/period", evidence)


def _target(value: Decimal) -> Json:
    return {"target": {"value": _written(value)}}


def _written(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _found(
    criterion: Criterion,
    code: str,
    severity: Severity,
    message: str,
    pointer: str,
    evidence: Mapping[str, Json] | None = None,
    suggestion: Json = None,
) -> Finding:
    return Finding(
        criterion=criterion,
        code=code,
        severity=severity,
        message=message,
        pointer=pointer,
        suggestion=suggestion,
        evidence=evidence or {},
    )
