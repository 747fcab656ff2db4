"""What was measured: a table for people, JSON for everything else."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.benchmarks.machine import memory_bytes, postgres_settings
from tests.benchmarks.racing import Times

Json = Any  # Any: JSON


@dataclass(frozen=True)
class Bar:
    """What must be reached: `value` on the right side of `bound`."""

    text: str
    value: float
    bound: float
    at_most: bool = True

    @property
    def is_reached(self) -> bool:
        """Whether it is."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def as_json(self) -> Json:
        """All of it."""
        return {"text": self.text, "value": self.value, "bound": self.bound, "reached": self.is_reached}


@dataclass
class Row:
    """One row of the benchmark: contestants' times, other figures, bars and plans."""

    key: str
    title: str
    times: list[tuple[str, Times]] = field(default_factory=list)
    figures: dict[str, Json] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)
    plans: dict[str, Json] = field(default_factory=dict)
    failure: str | None = None

    def add(self, measured: Mapping[str, Times]) -> None:
        """The times of one race."""
        self.times += measured.items()

    def median(self, name: str, concurrency: int) -> float:
        """Seconds."""
        return next(times.median for named, times in self.times if (named, times.concurrency) == (name, concurrency))

    def per_second(self, name: str, concurrency: int) -> float:
        """Answers per second."""
        return next(
            times.per_second for named, times in self.times if (named, times.concurrency) == (name, concurrency)
        )

    def as_json(self) -> Json:
        """All of it."""
        return {
            "row": self.key,
            "title": self.title,
            "times": [{"name": name, **times.as_json()} for name, times in self.times],
            "figures": self.figures,
            "bars": [bar.as_json() for bar in self.bars],
            "plans": self.plans,
            "failure": self.failure,
        }


def show(console: Console, row: Row) -> None:
    """A row as a table."""
    table = Table(title=f"{row.key}: {row.title}", title_justify="left", expand=False)
    for heading in ("contestant", "at once", "answers", "median ms", "p95 ms", "CPU ms", "per second"):
        table.add_column(heading, justify="left" if heading == "contestant" else "right")
    for name, times in row.times:
        told = times.as_json()
        keys = ("concurrency", "answers", "median_ms", "p95_ms", "processor_ms", "per_second")
        table.add_row(name, *(f"{told[key]:,}" for key in keys))
    if row.times:
        console.print(table)
    else:
        console.print(f"{row.key}: {row.title}")
    for name, value in row.figures.items():
        if not isinstance(value, list | dict):
            console.print(f"  {name}: {value:,}" if isinstance(value, int | float) else f"  {name}: {value}")
    for bar in row.bars:
        sign = "[green]reached[/]" if bar.is_reached else "[red]missed[/]"
        console.print(
            f"  {sign} {bar.text}: {bar.value:.3g} ({'at most' if bar.at_most else 'at least'} {bar.bound:g})"
        )
    if row.failure:
        console.print(f"  [red]failed[/] {escape(row.failure)}")
    console.print()


def write(path: Path, asked: Mapping[str, Json], rows: Sequence[Row], statements: Sequence[Json]) -> None:
    """All of it as JSON, with the machine, what was asked for, and the statements that took the most time."""
    machine = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "memory_bytes": memory_bytes(),
        "postgres": dict(postgres_settings()),
    }
    document = {
        "machine": machine,
        **asked,
        "rows": [row.as_json() for row in rows],
        "statements": list(statements),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, default=str), encoding="utf-8")
