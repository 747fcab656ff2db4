"""Prints what came of the story: every figure is asked for over HTTP, as any front end would ask."""

import json
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from app.demo.api import Paceline
from app.demo.figures import NOTHING, line, ranks, trend, written
from app.demo.load import Loaded
from app.demo.people import NORTH, SALES, SOUTH

KPIS = (
    "calls_made",
    "meetings_held",
    "new_customers",
    "revenue_won",
    "average_deal_size",
    "win_rate_closed",
    "lead_response_time",
    "lead_response_within_5_minutes",
    "lead_response_within_30_minutes",
)
QUARTER, HALF_YEAR, BEST_MONTH = "2026-Q2", "2026-01-01..2026-06-30", "2026-06"
MONTH_ENDS = {f"2026-0{month}": f"2026-0{month + 1}-01T00:00:00+02:00" for month in (4, 5)} | {
    "2026-02": "2026-03-01T00:00:00+01:00",
    "2026-03": "2026-04-01T00:00:00+02:00",
    "2026-06": "2026-07-01T00:00:00+02:00",
}
PLACES = 10
NAMES = {
    "average_deal_size": "Average deal size, EUR",
    "revenue_won": "Revenue won, EUR",
    "win_rate_closed": "Win rate of closed deals",
    "lead_response_time": "Median lead response time",
    "lead_response_within_5_minutes": "– within 5 minutes",
    "lead_response_within_30_minutes": "– within 30 minutes",
}
"""Short names for the rows of tables; the others have their own."""


async def show(api: Paceline, made: Loaded, console: Console) -> None:
    """All tables."""
    for section in (_teams, _months, _goals, _ranking, _explained, _as_known, _evidence):
        console.print(await section(api, made))


def where_to_look(base_url: str, token: str, made: Loaded) -> str:
    """What to do next, with commands that can be pasted."""
    question = {"kpis": ["revenue_won"], "subjects": [{"members_of": made.teams[NORTH]}], "period": QUARTER}
    return f"""
Where to look next: {base_url}/docs (Authorize with the key below), or with curl:

  export PACELINE={base_url}/v1 KEY={token}
  alias api='curl --silent --header "Authorization: Bearer $KEY" --header "Content-Type: application/json"'

  api $PACELINE/me
  api $PACELINE/kpis
  api $PACELINE/kpi-results/query --data '{json.dumps(question)}'
  api $PACELINE/reviews/{made.review}/evidence
  api "$PACELINE/identities?mapped=false"

The organization's clock stands at the end of its last day. Ctrl-C ends the service; its data stay.
"""


# Any: JSON, here and below.
async def _query(api: Paceline, **question: Any) -> list[dict[str, Any]]:
    answer = await api.post("/kpi-results/query", question)
    series: list[dict[str, Any]] = answer["series"]
    return series


def _table(title: str, *columns: str, note: str = "") -> Table:
    """The first column is text, which wraps where the terminal is narrow; the others are figures, which never do."""
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        caption=note or None,
        collapse_padding=True,
        pad_edge=False,
    )
    table.caption_justify = "left"
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=number > 0)
    return table


async def _teams(api: Paceline, made: Loaded) -> Table:
    subjects = [{"team": made.teams[NORTH]}, {"team": made.teams[SOUTH]}, {"team": made.teams[SALES]}]
    whole = [{"unassigned": True}, {"organization": True}]
    asked = {"subjects": [*subjects, *whole], "period": QUARTER, "compare": ["previous_period"]}
    series = await _query(api, kpis=KPIS, **asked)
    names = (NORTH, SOUTH, f"{SALES} with both", "unassigned", "organization")
    table = _table(f"Teams, {QUARTER}, and the trend against the quarter before", "KPI", *names)
    for kpi in KPIS:
        row = [each for each in series if each["kpi"] == kpi]
        table.add_row(_name(row[0]), *map(_with_trend, row))
    return table


def _name(series: dict[str, Any]) -> str:
    return NAMES.get(series["kpi"], str(series["name"]))


def _with_trend(series: dict[str, Any]) -> str:
    now, before = series["total"]["value"], series["comparisons"]["previous_period"]["total"]["value"]
    return f"{written(now, series['unit'])} {trend(now, before, series['direction'])}"


async def _months(api: Paceline, made: Loaded) -> Table:
    question = {"subjects": [{"organization": True}], "period": HALF_YEAR, "grain": "month"}
    answer = await api.post("/kpi-results/query", {"kpis": KPIS, **question})
    table = _table("The organization, month by month", "KPI", *(w["label"] for w in answer["windows"]), "trend")
    for series in answer["series"]:
        values = series["values"]
        table.add_row(_name(series), *(written(value, series["unit"]) for value in values), line(values))
    return table


async def _goals(api: Paceline, made: Loaded) -> Table:
    table = _table(
        "Goals", "goal", "period", "target", "actual", "attained", "due by now", "pace", "will end at", "verdict"
    )
    for goal in await api.every("/goals"):
        progress = await api.get(f"/goals/{goal['id']}/progress")
        unit, attained, due, ends = (progress[name] for name in ("unit", "attainment", "expected", "forecast"))
        is_open = progress["verdict"] not in {"attained", "missed"} and ends is not None and ends["status"] == "ok"
        target = goal["target"]["value"]
        table.add_row(
            goal["name"],
            goal["period"],
            written(float(target), unit),
            written(progress["actual"], unit),
            written(attained, {"kind": "ratio"}),
            written(due["value"], unit) if due else NOTHING,
            (progress["pace_verdict"] or NOTHING).replace("_", " "),
            f"{written(ends['p10'], unit)} – {written(ends['p90'], unit)}" if is_open else NOTHING,
            (progress["verdict"] or "open").replace("_", " "),
        )
    return table


async def _ranking(api: Paceline, made: Loaded) -> Table:
    kpis = ("revenue_won", "new_customers", "win_rate_closed")
    series = await _query(api, kpis=kpis, subjects=[{"members_of": made.teams[SALES]}], period=QUARTER)
    people = {each["subject"]["id"]: each["subject"]["name"] for each in series}
    found = {(each["kpi"], each["subject"]["id"]): each for each in series}
    revenue = {member: found["revenue_won", member]["total"]["value"] for member in people}
    order = sorted(people, key=lambda member: (-(revenue[member] or 0), people[member]))
    table = _table(f"Ranking by revenue won, {QUARTER}", "", "member", "revenue won, EUR", "new customers", "win rate")
    table.columns[1].justify = "left"
    places = ranks([revenue[member] for member in order])
    for place, member in list(zip(places, order, strict=True))[:PLACES]:
        cells = (written(found[kpi, member]["total"]["value"], found[kpi, member]["unit"]) for kpi in kpis)
        table.add_row(place, people[member], *cells)
    return table


async def _explained(api: Paceline, made: Loaded) -> Table:
    """One member's win rate, opened into its formula and events."""
    question = {"kpi": "win_rate_closed", "subject": {"member": made.members[made.reviewed]}, "period": BEST_MONTH}
    told = await api.post("/kpi-results/explain", {**question, "limit": 8})
    left_out = await api.post("/kpi-results/explain", {**question, "limit": 8, "show": "left_out"})
    value = written(told["result"]["value"], {"kind": "ratio"})
    sums = f"{told['formula'][0]} = {told['with_numbers'][0]} = {value}"
    title = f"Explained: {made.reviewed}'s win rate in {BEST_MONTH}: {sums}"
    table = _table(
        title, "event", "day", "weight", "in the figure", note=f"Its measure {told['measure']!r}, event by event."
    )
    for event in [*told["events"], *left_out["events"]]:
        weight = NOTHING if event["weight"] is None else f"{event['weight']:g}"
        name = f"{event['source']} {event['external_id']}"
        table.add_row(name, event["day"] or NOTHING, weight, event["reason"] or "yes")
    return table


async def _as_known(api: Paceline, made: Loaded) -> Table:
    """Revenue of each month, as known when the month ended."""
    title = "Revenue won in EUR, as it was known when the month ended, and as it is known now"
    table = _table(title, "month", "then", "now", "came, went or changed since")
    subject = {"kpis": ["revenue_won"], "subjects": [{"organization": True}]}
    for month in sorted(MONTH_ENDS):
        then = (await _query(api, **subject, period=month, as_of=MONTH_ENDS[month]))[0]
        now = (await _query(api, **subject, period=month))[0]
        before, after = then["total"]["value"], now["total"]["value"]
        table.add_row(month, written(before, now["unit"]), written(after, now["unit"]), f"{after - before:+,.0f}")
    return table


async def _evidence(api: Paceline, made: Loaded) -> Table:
    """What a review rests on, as it was frozen when it was shared."""
    told = await api.get(f"/reviews/{made.review}/evidence")
    content = told["content"]
    windows = [window["label"] for window in content["windows"]]
    since = told["restated_since"]["differences"]
    changes = "; ".join(f"{each['kpi']} {each['window']}: {each['then']} → {each['now']}" for each in since)
    note = f"SHA-256 {told['digest']}\nRestated since: {changes or 'nothing'}"
    title = f"Evidence of the review of {made.reviewed}, frozen {told['frozen_at'][:16].replace('T', ' ')} UTC"
    table = _table(title, "KPI", *windows, "whole period", note=note)
    for series in content["series"]:
        values = [*series["values"], series["total"]["value"]]
        table.add_row(_name(series), *(written(None if v is None else float(v), series["unit"]) for v in values))
    return table
