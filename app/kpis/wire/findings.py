"""What is wrong with a definition: everything at once, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.kpis.expressions.syntax import ExpressionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: where in the document, and for expressions where in the text."""

    pointer: str
    message: str
    position: int | None = None
    length: int | None = None
    expected: str | None = None
    suggestion: str | None = None


class DefinitionError(ValueError):
    """A definition that cannot be used, with everything that was found."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(f"{finding.pointer}: {finding.message}" for finding in findings))
        self.findings = tuple(findings)


class Findings:
    """Gathers what is wrong."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(
        self, pointer: str, message: str, *, expected: str | None = None, suggestion: str | None = None
    ) -> None:  # fmt: skip
        """Something wrong at a place of the document."""
        self._found.append(Finding(pointer=pointer, message=message, expected=expected, suggestion=suggestion))

    def add_expression(self, pointer: str, error: ExpressionError) -> None:
        """Something wrong inside an expression."""
        self._found.append(
            Finding(
                pointer=pointer,
                message=error.message,
                position=error.position,
                length=error.length,
                expected=error.expected,
                suggestion=error.suggestion,
            )
        )

    def all(self) -> tuple[Finding, ...]:
        """What was found, in the order in which it was."""
        return tuple(self._found)
