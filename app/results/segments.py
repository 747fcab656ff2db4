"""Groups of figures as analyses show them."""

from typing import Literal

from pydantic import Field

from app.core.schemas import Figure, Output
from app.kpis.questions import Group


class Segmented(Output):
    """A group of figures."""

    kind: Literal["value", "none", "rest"] = Field(
        description="`none`: what has no value; `rest`: all that is not shown by itself."
    )
    value: str | Figure | bool | None = Field(description="The value that they share.", examples=["north"])
    label: str | None = Field(description="Name of a team or member, where that is the value.")


def segmented(group: Group) -> Segmented:
    """The group as the wire shows it."""
    return Segmented(kind=group.kind, value=group.value, label=group.label)
