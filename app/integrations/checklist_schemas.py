"""Wire shapes of a source's checklist."""

from typing import Literal

from pydantic import Field

from app.core.schemas import Output


class Point(Output):
    """One thing to be looked at."""

    code: str = Field(description="What it is about; stays the same for programs.", examples=["owners"])
    state: Literal["ok", "missing", "warning", "unknown"] = Field(
        description="`missing`: figures are wrong until it is mended; `warning`: some of them may be."
    )
    sentence: str = Field(description="How it stands.", examples=["3 of 240 wins have no amount."])
    fix: str | None = Field(description="What to do; null where there is nothing to do.")
    count: int | None = Field(description="How many are concerned, where it can be counted.", examples=[3])
    of: int | None = Field(description="Of how many that were looked at (the latest thousand of each type).")
    examples: list[str] = Field(description="Some of them.")


class Checklist(Output):
    """What is missing before a source's figures can be trusted."""

    is_ready: bool = Field(description="Whether nothing is missing.")
    items: list[Point] = Field(description="In the order in which a source is set up.")
