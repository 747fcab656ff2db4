"""What is worth telling of a goal: what changed between what was told of it last and how it stands now (S32, S34)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from app.goals.pace import PaceVerdict, Verdict

Topic = Literal[
    "goal.at_risk", "goal.recovered", "goal.attained", "goal.attainment_undone", "goal.missed", "goal.milestone_reached"
]
Final = Literal["attained", "missed"]
Because = Literal["pace", "forecast"]
AT_RISK_BELOW, RECOVERED_FROM = Decimal("0.2"), Decimal("0.35")
"""Probabilities of reaching the target; in between neither is told, so that the two do not take turns."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a goal: that it is at risk, that it is decided, and which milestones it reached."""

    is_at_risk: bool = False
    verdict: Final | None = None
    milestones: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Look:
    """How a goal stands. `is_over`: its period has ended. `is_final`: it is being closed with this verdict.

    `is_forecast`: a forecast was looked at; `probability` is its of reaching the target, None where nobody can say.
    """

    pace: PaceVerdict | None
    verdict: Verdict | None
    milestones: Collection[str] = ()
    is_over: bool = False
    is_final: bool = False
    is_forecast: bool = False
    probability: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell; `milestone` is the key of the one that was reached, `because` what puts a goal at risk."""

    topic: Topic
    milestone: str | None = None
    because: Because | None = None


def notices(told: Told, look: Look) -> tuple[list[Notice], Told]:
    """What is to be told now, and what has been told then; looking again at the same gives nothing.

    A milestone is told once for ever. Risk is told once it is more than too early: the goal is behind, or its target
    will hardly be reached; and anew only after it recovered, by pace and by forecast. After the period and before
    closing late figures may still turn the verdict, so that nothing is decided then; what was told as decided and is
    so no longer is taken back.
    """
    found, verdict = _decided(told.verdict, look)
    told = replace(told, verdict=verdict)
    if verdict is None and not look.is_over:
        risk, is_at_risk = _risk(told, look)
        found += risk
        told = replace(told, is_at_risk=is_at_risk)
    elif found:
        told = replace(told, is_at_risk=False)
    reached = [key for key in dict.fromkeys(look.milestones) if key not in told.milestones]
    found = [*(Notice("goal.milestone_reached", key) for key in reached), *found]
    return found, replace(told, milestones=told.milestones.union(reached))


def _decided(before: Final | None, look: Look) -> tuple[list[Notice], Final | None]:
    now = _FINAL.get(look.verdict)
    if look.is_over and not look.is_final:
        now = before if now is None or now == before else None
    if now == before:
        return [], before
    found = [Notice("goal.attainment_undone")] if before == "attained" else []
    if now is not None:
        found.append(Notice("goal.attained" if now == "attained" else "goal.missed"))
    elif before == "missed":
        found.append(Notice("goal.recovered"))
    return found, now


_FINAL: Mapping[Verdict | None, Final] = {"attained": "attained", "missed": "missed"}


_FINE: frozenset[PaceVerdict | None] = frozenset({"on_track", "ahead"})


def wants_forecast(look: Look) -> bool:
    """Whether it takes a forecast to see a goal's risk: it runs, is undecided, and its pace says nothing against it."""
    return not look.is_over and look.verdict not in _FINAL and look.pace in _FINE


def _risk(told: Told, look: Look) -> tuple[list[Notice], bool]:
    if told.is_at_risk:
        is_likely = look.is_forecast and (look.probability is None or look.probability >= RECOVERED_FROM)
        return ([Notice("goal.recovered")], False) if look.pace in _FINE and is_likely else ([], True)
    because = _because(look)
    return ([], False) if because is None else ([Notice("goal.at_risk", because=because)], True)


def _because(look: Look) -> Because | None:
    if look.pace == "behind":
        return "pace"
    is_unlikely = look.probability is not None and look.probability < AT_RISK_BELOW
    return "forecast" if is_unlikely and look.pace in _FINE else None
