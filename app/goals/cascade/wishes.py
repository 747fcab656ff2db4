"""Whether what is asked of a split goes together, as far as the request tells by itself."""

from collections.abc import Iterator

from app.core.problems import ErrorItem, ValidationFailed
from app.goals.cascade.schemas import SplitInput

_Wrong = tuple[str, str]


def check(wanted: SplitInput) -> None:
    """Raises `ValidationFailed` at everything that does not go together with the rest."""
    wrong = [ErrorItem(pointer=place, message=told, code="split_does_not_fit") for place, told in _wrong(wanted)]
    if wrong:
        raise ValidationFailed(wrong[0].message, wrong)


def _wrong(wanted: SplitInput) -> Iterator[_Wrong]:
    if wanted.owners is not None and "to" in wanted.model_fields_set:
        yield "/to", "Write either to or owners: these are the owners that are listed."
    if wanted.by in {"weight", "hand"} and wanted.owners is None:
        yield "/owners", f"By {wanted.by} needs the owners listed, each with its {_VALUE[wanted.by]}."
    if wanted.mode == "replan" and wanted.by == "hand":
        yield "/by", "A re-plan computes the parts; to write them by hand, split by hand."
    if wanted.mode == "split" and wanted.on is not None:
        yield "/on", "The day from which on is planned belongs to a re-plan: write mode replan."
    if wanted.into is not None:
        yield from _wrong_in_time(wanted)


def _wrong_in_time(wanted: SplitInput) -> Iterator[_Wrong]:
    if wanted.by in {"weight", "hand"}:
        yield "/by", "Shorter periods are planned by working time (head_count, fte) or by history."
    if wanted.owners is not None:
        yield "/owners", "Shorter periods are the same owner's: list no owners."
    if wanted.mode == "replan":
        yield "/mode", "Shorter periods are split as a whole, not planned anew."
    if wanted.depth > 1:
        yield "/depth", "Shorter periods are split one level deep; split these on by themselves."


_VALUE = {"weight": "weight", "hand": "target"}
