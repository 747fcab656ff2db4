"""How messages of a system of one's own become events: rules that name paths into the message.

A path is dotted (`data.owner.id`, `data.items.0.amount`); beside the body it may name `@id` and `@time`, the message's
own id and time. Of several paths the first that is told counts.
"""

from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from app.events.catalogue import CATALOGUE, SCORE

Paths = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of message and the event that it tells; all but `when` and `event` are paths, or lists of paths.

    `event` is the event's type, null: the message's own, by its last two words (`com.example.deal.won`). `id` names the
    fact: who tells it again under the same id corrects it. `updated_at` orders what is told of one fact.
    """

    when: Mapped[str, tuple[str, ...]] = field(default_factory=dict)
    event: str | None = None
    retracts: bool = False
    id: Paths = ("@id",)
    updated_at: Paths = ("@time",)
    occurred_at: Paths = ()
    occurred_on: Paths = ()
    actor: Paths = ()
    actor_email: Paths = ()
    roles: Mapped[str, Paths] = field(default_factory=dict)
    about: Mapped[str, Paths] = field(default_factory=dict)
    about_source: str | None = None
    amount: Paths = ()
    amount_unit: Literal["major", "cents", "micros"] = "major"
    currency: Paths = ()
    quantity: Paths = ()
    duration: Paths = ()
    duration_unit: Literal["s", "ms", "min", "hh:mm:ss"] = "s"
    properties: Mapped[str, Paths] = field(default_factory=dict)
    constants: Mapped[str, str | bool] = field(default_factory=dict)

    def paths(self) -> frozenset[str]:
        """All that it reads of a message."""
        listed = [self.id, self.updated_at, self.occurred_at, self.occurred_on, self.actor, self.actor_email]
        listed += [self.amount, self.currency, self.quantity, self.duration]
        listed += [*self.roles.values(), *self.about.values(), *self.properties.values()]
        return frozenset({path for paths in listed for path in paths} | self.when.keys())


# Any: a rule as it is stored, which the schema of sources has checked.
def rule_of(configured: Mapped[str, Any]) -> Rule:
    """A configured rule; a path that is alone may stand without a list."""
    known = {each.name for each in fields(Rule)}
    return Rule(
        **{name: _read(name, value) for name, value in configured.items() if name in known and value is not None}
    )


def _read(name: str, value: Any) -> Any:
    if name == "constants" or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {key: _paths(each) for key, each in value.items()}
    return value if name in {"event", "about_source", "amount_unit", "duration_unit"} else _paths(value)


def _paths(value: str | list[str]) -> Paths:
    return (value,) if isinstance(value, str) else tuple(value)


# Such a thing happens to a deal, lead or quote once: whoever tells it again, of the same thing, tells the same fact.
ONCE = frozenset(type_ for type_ in CATALOGUE if type_.startswith(("deal.", "lead.", "quote.", "customer."))) - {
    "deal.stage_entered"
}
ALIASES: Mapped[str, tuple[str, Mapped[str, str | bool]]] = {
    "call.completed": ("call.made", {"connected": True}),
    "call.attempted": ("call.made", {"connected": False}),
    "deal.stage_changed": ("deal.stage_entered", {}),
}
"""Names of types that senders use, each with the catalogue's and the properties that it implies."""

_THINGS = ("deal", "lead", "contact", "company", "customer", "quote")


def _recommended(type_: str, event: str, constants: Mapped[str, str | bool]) -> Rule:
    thing = event.partition(".")[0]
    named: Paths = (f"data.about.{thing}", f"data.{thing}_id", f"data.{thing}")
    about: dict[str, Paths] = {each: (f"data.about.{each}", f"data.{each}_id") for each in _THINGS}
    if event in ONCE:
        about[thing] = (*about.get(thing, ()), "data.id", "subject")
        named = (*named, "data.id", "subject")
    return Rule(
        when={"@type": (type_,)},
        event=event,
        id=("data.external_id", *(named if event in ONCE else ()), "@id"),
        updated_at=("data.updated_at", "@time", "data.occurred_at"),
        occurred_at=("data.occurred_at",),
        occurred_on=("data.occurred_on", "data.close_date"),
        actor=("data.actor.id", "data.owner_id", "data.owner.id", "data.owner", "data.user_id"),
        actor_email=("data.actor.email", "data.owner_email", "data.owner.email", "data.user_email"),
        about=about,
        amount=("data.amount.value", "data.amount"),
        currency=("data.amount.currency", "data.currency"),
        quantity=("data.quantity",),
        duration=("data.duration_seconds", "data.duration_s"),
        properties={"*": ("data.properties",)},
        constants=constants,
    )


RECOMMENDED: tuple[Rule, ...] = tuple(
    _recommended(type_, event, constants)
    for type_, (event, constants) in {**{type_: (type_, {}) for type_ in CATALOGUE}, **ALIASES}.items()
    if event != SCORE and not event.startswith("member.")
)
"""What is read where no rules are configured: messages named after the catalogue's types, with `data` about as events
are posted."""
