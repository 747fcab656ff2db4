"""Wire shapes of how many goals stand."""

from uuid import UUID

from pydantic import Field

from app.core.schemas import Instant, Output, Page
from app.goals.progress_schemas import Progress
from app.goals.schemas import GoalFilters


class ProgressFilters(GoalFilters):
    """Of which goals, chosen by what they are now; and as of when."""

    as_of: Instant | None = Field(default=None, description="As known, and as far as past, at this instant (S5).")


class Untold(Output):
    """A goal whose standing cannot be told."""

    goal_id: UUID = Field(description="The goal.")
    code: str = Field(
        description="The kind of problem that its own progress is answered with.", examples=["validation-failed"]
    )
    detail: str = Field(description="Why, in words.", examples=["There is no set of exchange rates 'plan'."])


class ProgressPage(Page[Progress]):
    """How the goals of a page stand, the oldest goal first."""

    as_of: Instant = Field(description="The instant T of all items but closed goals, which keep their own (S5).")
    known_at: Instant = Field(description="What had been recorded by this instant is in them (S5).")
    untold: list[Untold] = Field(description="The goals of the page that are not among the items, and why.")
