"""Whether the KPIs have data, an owner, and goals that rest on them rightly (mistake 3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.checkup.checks import Check, Finding, Step, Verdict, number
from app.kpis.library.needs import Need, Seen, compare


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedKpi:
    """A KPI as it stands: what it looks at, and how many goals of today rest on it."""

    key: str
    name: str
    state: str
    has_owner: bool
    needs: Sequence[Need]
    goals: int


_STEPS = {
    "without_data": Step(
        sentence="Connect or post what the KPI counts (`GET /v1/event-types` tells what comes), or archive it.",
        method="DELETE",
        path="/v1/kpis/{key}",
    ),
    "lacks": Step(
        sentence="Have the source tell what is missing (`mapping` of the source), or change what the KPI looks at.",
        method="POST",
        path="/v1/kpis/{key}/versions",
    ),
    "official_without_owner": Step(
        sentence="Name somebody who answers for the definition.",
        method="PATCH",
        path="/v1/kpis/{key}",
        body={"owner_id": "{member_id}"},
    ),
    "goals_on_draft": Step(
        sentence="Agree on the KPI before people are measured by it.",
        method="PATCH",
        path="/v1/kpis/{key}",
        body={"state": "official"},
    ),
    "goals_on_archived": Step(
        sentence="Set the goals on a KPI in use, and cancel those on the archived one.",
        method="PATCH",
        path="/v1/goals/{goal_id}",
        body={"state": "cancelled"},
    ),
    "none": Step(
        sentence="Begin with ready-made ones.",
        method="POST",
        path="/v1/kpi-library/install",
        body={"roles": ["team_leader"]},
    ),
}


def kpis_used_rightly(kpis: Sequence[UsedKpi], seen: Mapping[str, Seen]) -> Check:
    """KPIs wrongly used or without data: what looks like a figure may be the lack of one."""
    in_use = [kpi for kpi in kpis if kpi.state != "archived"]
    findings = [finding for kpi in kpis for finding in _found(kpi, seen)]
    verdict: Verdict = "problem" if findings or not in_use else "ok"
    concerned = len({finding.id for finding in findings})
    sentence = f"{number(concerned, 'KPI')} of {len(in_use)} in use should be looked at."
    if not in_use:
        sentence = "There are no KPIs yet."
    elif verdict == "ok":
        sentence = f"{number(len(in_use), 'KPI')} in use, each with recent data."
    kinds = ["none"] if not in_use else list(dict.fromkeys(finding.kind for finding in findings))
    return Check(
        check="kpis_used_rightly",
        mistake="KPIs wrongly used or without data",
        verdict=verdict,
        sentence=sentence,
        figures={
            "kpis_in_use": len(in_use),
            **{f"kpis_{kind}": len({f.id for f in findings if f.kind == kind}) for kind in _STEPS if kind != "none"},
        },
        findings=findings,
        steps=[_STEPS[kind] for kind in kinds],
    )


def _found(kpi: UsedKpi, seen: Mapping[str, Seen]) -> Iterator[Finding]:
    if kpi.state == "archived":
        if kpi.goals:
            yield _finding(kpi, "goals_on_archived", f"{number(kpi.goals, 'goal')} of today are on this archived KPI.")
        return
    yield from _data(kpi, seen)
    if kpi.state == "official" and not kpi.has_owner:
        yield _finding(kpi, "official_without_owner", "It is official, and nobody answers for its definition.")
    if kpi.state == "draft" and kpi.goals:
        yield _finding(kpi, "goals_on_draft", f"{number(kpi.goals, 'goal')} of today are on this draft.")


def _data(kpi: UsedKpi, seen: Mapping[str, Seen]) -> Iterator[Finding]:
    found = [compare(need, seen) for need in kpi.needs]
    absent = [one for one in found if one.readiness == "missing" and one.events == 0]
    if absent:
        types = sorted({kind for one in absent for kind in one.need.events})
        yield _finding(kpi, "without_data", f"No event in 90 days of what it looks at: {', '.join(types)}.")
    lacked = [
        f"{count} of {one.events} recent {' / '.join(one.need.events)} events lack {what}"
        for one in found
        for what, count in one.lacking.items()
        if 2 * count > one.events
    ]
    if lacked:
        yield _finding(kpi, "lacks", "; ".join(lacked) + ".")


def _finding(kpi: UsedKpi, kind: str, detail: str) -> Finding:
    return Finding(kind=kind, id=kpi.key, name=kpi.name, detail=detail)
