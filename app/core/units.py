"""Units of values, checked like types: what may be added, what a quotient gives, what a declared unit accepts.

A unit is a product of powers of kinds: revenue is money, revenue by deals is money over count, won by closed deals
(count over count) a ratio. A bare constant, or a property whose unit nobody knows, is a *number*: it takes the unit
of whatever it is added to.
"""

from dataclasses import dataclass

KINDS = ("count", "money", "duration", "score")
DECLARABLE_KINDS = ("count", "money", "duration", "ratio", "score", "number")

_ARTICLE = {"count": "a count", "money": "money", "duration": "a duration", "score": "a score"}


@dataclass(frozen=True, slots=True)
class Unit:
    """`powers` are (kind, exponent) in the order of the kinds, none 0; `is_number` marks a unit that fits with any."""

    powers: tuple[tuple[str, int], ...] = ()
    is_number: bool = False

    @classmethod
    def of(cls, kind: str, per: str | None = None) -> "Unit":
        """The unit of a declared kind, such as money, or money per count.

        Raises `ValueError` for a kind that is none of `DECLARABLE_KINDS`.
        """
        if per is not None:
            return cls.of(kind) / cls.of(per)
        if kind not in DECLARABLE_KINDS:
            raise ValueError(f"{kind} is no kind of unit; kinds are {', '.join(DECLARABLE_KINDS)}")
        if kind in KINDS:
            return cls(((kind, 1),))
        return cls(is_number=kind == "number")

    def __mul__(self, other: "Unit") -> "Unit":
        return self._product(other, 1)

    def __truediv__(self, other: "Unit") -> "Unit":
        return self._product(other, -1)

    def __str__(self) -> str:
        """In words, with its article: 'a count', 'money per count', 'a ratio'."""
        if self.is_number:
            return "a number"
        if not self.powers:
            return "a ratio"
        above = [kind for kind, power in self.powers for _ in range(power)]
        below = [kind for kind, power in self.powers for _ in range(-power)]
        first = _ARTICLE[above[0]] if above else "a number"
        return " ".join([" × ".join([first, *above[1:]]), *(f"per {kind}" for kind in below)])

    def combined(self, other: "Unit") -> "Unit | None":
        """The unit of a sum, a difference, a least or a greatest of two values; None where they do not go together."""
        if self.is_number:
            return other
        return self if other.is_number or self == other else None

    def fits(self, declared: "Unit") -> bool:
        """Whether a value of this unit may be shown as the declared one.

        An amount per item is money, a duration per item a duration: an average has the unit of what it averages.
        A ratio may be shown as a score or a number.
        """
        if self.is_number or self == declared:
            return True
        if not self.powers:
            return declared.is_number or declared == SCORE
        return declared in {MONEY, DURATION, SCORE} and self == declared / COUNT

    def _product(self, other: "Unit", sign: int) -> "Unit":
        left, right = dict(self.powers), dict(other.powers)
        powers = ((kind, left.get(kind, 0) + sign * right.get(kind, 0)) for kind in KINDS)
        is_number = self.is_number and other.is_number
        return Unit(tuple((kind, power) for kind, power in powers if power), is_number=is_number)


COUNT = Unit.of("count")
MONEY = Unit.of("money")
DURATION = Unit.of("duration")
SCORE = Unit.of("score")
RATIO = Unit.of("ratio")
NUMBER = Unit.of("number")
