"""What can stand at a position of a filter or formula, with the names and values of the organization's own data."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core.problems import ValidationFailed
from app.events.models import Source
from app.events.properties import keys_of, starting, values_of
from app.events.queries import type_names
from app.kpis import completion_schemas as schemas
from app.kpis.completion_schemas import Completion
from app.kpis.expressions.places import Place, place
from app.kpis.expressions.syntax import name_text, quote
from app.kpis.expressions.vocabulary import (
    CONSTANT_WORDS,
    FIELD_TABLE,
    FUNCTIONS,
    KPI,
    OPERATORS,
    THING_TABLE,
    WORD_TABLE,
    Language,
)
from app.kpis.referring import referable

MOST = 100
_HEADS = (f"{KPI}.", f"{KPI}[")


async def complete(session: AsyncSession, who: Principal, asked: schemas.KpiComplete) -> schemas.Completions:
    """What can stand at the position, the likeliest first. Raises `ValidationFailed` for one outside the text."""
    if asked.position > len(asked.text):
        raise ValidationFailed.at("/position", f"must be at most {len(asked.text)}, the length of the text")
    here = place(asked.text, asked.position)
    items = await _Editor(session, who, asked, here).items()
    return schemas.Completions(start=here.start, end=here.end, items=items[:MOST])


class _Editor:
    """Finds what fits a place."""

    def __init__(
        self, session: AsyncSession, who: Principal, asked: schemas.KpiComplete, here: Place
    ) -> None:  # fmt: skip
        self._session = session
        self._who, self._org_id = who, who.org_id
        self._asked = asked
        self._here = here

    @property
    def _language(self) -> Language:
        return self._asked.language

    async def items(self) -> list[Completion]:
        """Everything that fits, filtered by what was typed already."""
        if "\0" in "".join([self._here.prefix, *self._here.name]):
            return []
        return await (self._of_filter() if self._language == "filter" else self._of_formula())

    async def _of_filter(self) -> list[Completion]:
        match self._here.wanted:
            case "operand":
                return [*self._fields(), *self._things(), *await self._properties(), *self._functions(), *self._words()]
            case "name":
                return [*await self._properties(), *self._fields(), *self._things()]
            case "thing":
                return self._things()
            case "property":
                return await self._properties(is_headed=True)
            case "about":
                return self._about()
            case "value":
                return [*await self._values(), *self._constants()]
            case "operator":
                return self._operators()
        return []

    async def _of_formula(self) -> list[Completion]:
        match self._here.wanted:
            case "operand":
                return [*self._measures(), *self._functions(), *await self._kpis()]
            case "kpi":
                return await self._kpis(is_headed=self._asked.text[self._here.start :].startswith(_HEADS))
            case "operator":
                return self._operators()
        return []

    def _fields(self) -> list[Completion]:
        fields = FIELD_TABLE.values()
        return [_item(field.name, field.name, "field", field.about) for field in fields if self._fits(field.name)]

    def _things(self) -> list[Completion]:
        return [_item(name, name, "thing", about) for name, about in THING_TABLE.items() if self._fits(name)]

    def _about(self) -> list[Completion]:
        things = THING_TABLE.items()
        return [_item(f"about.{name}", name, "thing", about) for name, about in things if self._fits(name)]

    def _functions(self) -> list[Completion]:
        return [
            _item(
                f"{function.name}(" if function.most else f"{function.name}()",
                function.signature,
                "function",
                function.about,
            )
            for function in FUNCTIONS.values()
            if function.language == self._language and self._fits(function.name)
        ]

    def _words(self) -> list[Completion]:
        return [
            _item(word.text, word.text, "keyword", word.about)
            for word in WORD_TABLE
            if self._language in word.languages and word.text not in CONSTANT_WORDS and self._fits(word.text)
        ]

    def _constants(self) -> list[Completion]:
        """Yes and no, where a property may be either; a text that is begun is neither."""
        is_text = self._asked.text[self._here.start : self._here.start + 1] in {"'", '"'}
        if self._here.name[0] != "properties" or is_text:
            return []
        words = [word for word in WORD_TABLE if word.text in CONSTANT_WORDS and self._fits(word.text)]
        return [_item(word.text, word.text, "keyword", word.about) for word in words]

    def _operators(self) -> list[Completion]:
        return [
            _item(operator.symbol, operator.symbol, "operator", operator.about)
            for operator in OPERATORS
            if self._language in operator.languages and self._fits(operator.symbol)
        ]

    def _measures(self) -> list[Completion]:
        return [_item(name, name, "measure", "a measure of this KPI") for name in self._asked.names if self._fits(name)]

    async def _properties(self, *, is_headed: bool = False) -> list[Completion]:
        """Properties that were seen; where `properties.` stands already they begin with what follows it."""
        if not is_headed and self._here.prefix and not "properties".startswith(self._here.prefix):
            beginning: str | None = self._here.prefix
        else:
            beginning = self._here.prefix if is_headed and self._here.prefix else None
        counted = keys_of(self._who, self._asked.events).subquery("counted")
        wanted = starting(select(counted), counted.c.key, beginning)
        found = await self._session.execute(wanted.order_by(counted.c.events.desc(), counted.c.key).limit(MOST))
        return [
            _item(name_text(("properties", key)), key, "property", f"in {events:,} recent events")
            for key, events, _ in found
        ]

    async def _values(self) -> list[Completion]:
        match self._here.name:
            case ("properties", key):
                return await self._property_values(key)
            case ("type",):
                return self._quoted(await self._types())
            case ("source",):
                keys = select(Source.key).where(Source.org_id == self._org_id).order_by(Source.key).limit(1_000)
                return self._quoted((await self._session.execute(keys)).scalars())
        return []

    async def _property_values(self, key: str) -> list[Completion]:
        counted = values_of(self._who, self._asked.events, key).subquery("counted")
        wanted = starting(select(counted), counted.c.text, self._here.prefix or None)
        order = (counted.c.events.desc(), counted.c.text, counted.c.type)
        found = await self._session.execute(wanted.order_by(*order).limit(MOST))
        return [
            _item(quote(text) if kind == "string" else text, text, "value", f"in {events:,} recent events")
            for _, text, kind, events in found
        ]

    async def _types(self) -> Sequence[str]:
        if self._asked.events:
            return self._asked.events
        return list((await self._session.execute(type_names(self._org_id).limit(1_000))).scalars())

    def _quoted(self, texts: Iterable[str]) -> list[Completion]:
        return [_item(quote(text), text, "value", None) for text in texts if self._fits(text)]

    async def _kpis(self, *, is_headed: bool = False) -> list[Completion]:
        """The KPIs that may be referred to: not this one, none that is computed from it, none that is archived."""
        others = await referable(self._session, self._org_id, self._asked.kpi)
        return [
            _item(name_text((KPI, key)), key, "kpi", name)
            for key, name in others.items()
            if self._fits(key) or (not is_headed and KPI.startswith(self._here.prefix))
        ]

    def _fits(self, word: str) -> bool:
        return word.lower().startswith(self._here.prefix.lower())


def _item(insert: str, label: str, kind: schemas.ItemKind, detail: str | None) -> Completion:
    return Completion(insert=insert, label=label, kind=kind, detail=detail)
