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
    """A source: since when it is connected, how many recent events came from it in which way, when the last came."""

    id: str
    name: str
    is_crm: bool
    connected_at: datetime
    events: dict[Way, int]
    last_heard: datetime | None

    def is_silent(self, now: datetime) -> bool:
        """Whether nothing has come for long, though it was connected long enough ago to have spoken."""
        return now - max(self.connected_at, self.last_heard or self.connected_at) > SILENT_AFTER


def right_tools(sources: Sequence[UsedSource], now: datetime) -> Check:
    """The wrong tools for reports: no CRM connected, sources that fell silent, data typed by hand."""
    crms = [source for source in sources if source.is_crm]
    silent = [one for one in crms if one.is_silent(now)]
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
        sentence=" ".join(wrong) or _well(crms),
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


def _well(crms: Sequence[UsedSource]) -> str:
    connected = f"{number(len(crms), 'CRM')} connected"
    if waiting := sum(one.last_heard is None for one in crms):
        return f"{connected}, {waiting} of them so recently that nothing has come yet."
    return f"{connected}, and data come by themselves."


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
