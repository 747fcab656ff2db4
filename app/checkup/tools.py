"""Whether figures come by themselves from where the work is done (mistake 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.checkup.checks import Check, Finding, Step, Verdict, number

Way = Literal["crm", "program", "by_hand"]

SILENT_AFTER = timedelta(days=14)
MOSTLY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedSource:
    """A source: how many of the recent events came from it in which way, and when it was last heard of."""

    id: str
    name: str
    is_crm: bool
    events: dict[Way, int]
    last_heard: datetime | None


def right_tools(sources: Sequence[UsedSource], now: datetime) -> Check:
    """The wrong tools for reports: no CRM connected, sources that fell silent, data typed by hand."""
    crms = [source for source in sources if source.is_crm]
    silent = [one for one in crms if one.last_heard is None or now - one.last_heard > SILENT_AFTER]
    ways: dict[Way, int] = {
        way: sum(one.events.get(way, 0) for one in sources) for way in ("crm", "program", "by_hand")
    }
    total = sum(ways.values())
    typed = total > 0 and ways["by_hand"] > MOSTLY * total
    wrong = _wrong(crms, silent, typed=typed, ways=ways, total=total)
    verdict: Verdict = "problem" if wrong else "ok"
    return Check(
        check="right_tools",
        mistake="The wrong tools for reports",
        verdict=verdict,
        sentence=" ".join(wrong) or f"{number(len(crms), 'CRM')} connected, and data come by themselves.",
        figures={
            "crms_connected": len(crms),
            "crms_silent": len(silent),
            "recent_events": total,
            "from_crms": ways["crm"],
            "from_programs": ways["program"],
            "by_hand": ways["by_hand"],
        },
        findings=[
            *[_silence(one) for one in silent],
            *([_typed(one) for one in sources if one.events.get("by_hand")] if typed else []),
        ],
        steps=_steps(crms, silent, typed=typed),
    )


def _wrong(
    crms: Sequence[UsedSource], silent: Sequence[UsedSource], *, typed: bool, ways: dict[Way, int], total: int
) -> list[str]:
    wrong = []
    if not crms:
        wrong.append("No CRM is connected.")
    if silent:
        wrong.append(f"{number(len(silent), 'connected CRM')} silent for more than {SILENT_AFTER.days} days.")
    if typed:
        wrong.append(
            f"{ways['by_hand']} of the {total} recent events were posted with people's keys, by hand or imported."
        )
    return wrong


def _silence(source: UsedSource) -> Finding:
    heard = f"Last heard of on {source.last_heard:%Y-%m-%d}." if source.last_heard else "Never heard of."
    return Finding(kind="silent_source", id=source.id, name=source.name, detail=heard)


def _typed(source: UsedSource) -> Finding:
    detail = f"{source.events['by_hand']} recent events were posted with people's keys."
    return Finding(kind="typed_by_hand", id=source.id, name=source.name, detail=detail)


def _steps(crms: Sequence[UsedSource], silent: Sequence[UsedSource], *, typed: bool) -> list[Step]:
    steps = []
    if not crms:
        crm = {"system": "hubspot", "key": "hubspot", "name": "HubSpot", "account_id": "62515"}
        steps.append(Step(sentence="Connect the CRM.", method="POST", path="/v1/sources", body=crm))
    steps += [
        Step(
            sentence=f"Look whether {one.name} still posts its webhooks, and what became of the last ones.",
            method="GET",
            path=f"/v1/sources/{one.id}/deliveries",
        )
        for one in silent[:5]
    ]
    if typed:
        body = {"name": "Telephone system", "role": "service", "scopes": ["events:write"]}
        sentence = "Let programs post what they know, with a key of role `service`, instead of people."
        steps.append(Step(sentence=sentence, method="POST", path="/v1/api-keys", body=body))
    return steps
