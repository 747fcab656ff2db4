"""From definitions to sentences, by the phrases of a language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    Definition,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    Over,
    TouchesMeasure,
)
from app.kpis.expressions.syntax import Binary, Name
from app.kpis.sentences.phrases import Phrases, filled
from app.kpis.sentences.words import Condition, Formula, addends, field_name, is_of_comparisons, joined, quoted


@dataclass(frozen=True, slots=True)
class Sentences:
    """Explains in one language."""

    phrases: Phrases

    def of(self, definition: Definition, names: Mapping[str, str]) -> str:
        """One sentence that says what is computed; `names` are those of other KPIs by key."""
        text = self._of_one_measure(definition) or self._share(definition)
        if text is None:
            text = Formula(self.phrases, names).text(definition.formula)
            if definition.measures:
                text = filled(self.phrases.where, formula=text, measures=self._measures(definition.measures))
        return _capitalized(text.removesuffix(self.phrases.end)) + self.phrases.end

    def _of_one_measure(self, definition: Definition) -> str | None:
        """The measure alone, where the formula is nothing but the name of the only one."""
        measures = list(definition.measures.items())
        if len(measures) == 1 and definition.formula == Name((measures[0][0],)):
            return self.measure(measures[0][1])
        return None

    def _share(self, definition: Definition) -> str | None:
        """Of `won / (won + lost)`, where both count events and nothing else: deals won among deals won or lost."""
        counted = {name: self._counted(measure) for name, measure in definition.measures.items()}
        match definition.formula:
            case Binary(operator="/", left=Name(path=(part,)), right=whole):
                names = [node.path[0] for node in addends(whole) if isinstance(node, Name)]
                if part in names and len(names) == len(addends(whole)) and sorted(names) == sorted(counted):
                    texts = [text for name in names if (text := counted[name])]
                    if len(texts) == len(names):
                        among = joined(self.phrases, texts, self.phrases.last_or)
                        return filled(self.phrases.share_among, part=counted[part], whole=among)
        return None

    def _counted(self, measure: Measure) -> str | None:
        """The events, where the measure is their number and nothing unusual."""
        if not isinstance(measure, EventMeasure) or measure.aggregate is not Aggregate.COUNT:
            return None
        if [*self._details(measure), *self._credits(measure)]:
            return None
        return self._selection(EventSelection(events=measure.events, where=measure.where))

    def measure(self, measure: Measure) -> str:
        """What a measure gives, with everything that it does otherwise than usual."""
        match measure:
            case EventMeasure():
                text = self._event(measure)
            case ElapsedMeasure():
                text = self._elapsed(measure)
            case FunnelMeasure():
                text = self._funnel(measure)
            case TouchesMeasure():
                text = self._touches(measure)
            case CadenceMeasure():
                text = self._cadence(measure)
            case OpenMeasure():
                text = self._open(measure)
        details = [*self._details(measure), *self._credits(measure)]
        if not details:
            return text
        return filled(self.phrases.detailed, measure=text, details=self.phrases.detail_comma.join(details))

    def _measures(self, measures: Mapping[str, Measure]) -> str:
        told = (
            filled(self.phrases.is_, name=quoted(self.phrases, name), measure=self.measure(measure))
            for name, measure in measures.items()
        )
        return self.phrases.semicolon.join(told)

    def _event(self, measure: EventMeasure) -> str:
        phrases = self.phrases
        events = self._selection(EventSelection(events=measure.events, where=measure.where))
        if measure.of is not None:
            return filled(phrases.count_distinct, of=self._name(measure.of), events=events)
        if measure.value is None:
            template = phrases.covered if measure.aggregate is Aggregate.COVERED else phrases.count
            return filled(template, events=events)
        value = self._name(measure.value)
        match measure.aggregate:
            case Aggregate.FIRST:
                return filled(phrases.first, value=value, events=events)
            case Aggregate.LAST:
                return filled(phrases.last, value=value, events=events)
        return self._statistic(measure.aggregate, measure.p, filled(phrases.value_of, value=value, events=events))

    def _elapsed(self, measure: ElapsedMeasure) -> str:
        phrases = self.phrases
        parts = {
            "start": self._selection(measure.start),
            "end": self._selection(measure.end),
            "match": self._thing(measure.match),
        }
        if measure.aggregate is Aggregate.COUNT:
            return filled(phrases.pairs, **parts)
        if measure.within is not None:
            return filled(phrases.share_within, **parts, within=self._length(measure.within))
        time = phrases.working_time if measure.clock == "working_hours" else phrases.time
        return self._statistic(measure.aggregate, measure.p, filled(time, **parts))

    def _funnel(self, measure: FunnelMeasure) -> str:
        phrases, match = self.phrases, self._thing(measure.match)
        selections = [self._selection(step) for step in measure.steps]
        counts = measure.aggregate is Aggregate.COUNT
        if (measure.names, measure.base, measure.reached) == (("from", "to"), 0, 1):
            start, end = selections
            return filled(phrases.converted if counts else phrases.conversion, match=match, start=start, end=end)
        steps = phrases.semicolon.join(
            filled(phrases.step, name=quoted(phrases, name), events=events)
            for name, events in zip(measure.names, selections, strict=True)
        )
        base, reached = (quoted(phrases, measure.names[index]) for index in (measure.base, measure.reached))
        template = phrases.reached if counts else phrases.funnel
        return filled(
            template,
            many=self._many(measure.match),
            steps=filled(phrases.bracketed, text=steps),
            base=base,
            reached=reached,
        )

    def _touches(self, measure: TouchesMeasure) -> str:
        phrases = self.phrases
        parts = {
            "anchor": self._selection(measure.anchor),
            "touches": self._selection(measure.touches),
            "match": self._thing(measure.match),
        }
        if measure.aggregate is Aggregate.COUNT:
            return filled(phrases.touched, **parts)
        if measure.at_least is not None:
            return filled(phrases.share_at_least, **parts, n=measure.at_least)
        return self._statistic(measure.aggregate, measure.p, filled(phrases.touches, **parts))

    def _cadence(self, measure: CadenceMeasure) -> str:
        steps = (
            filled(self.phrases.by, events=self._selection(step.selection), length=self._length(step.by))
            for step in measure.steps
        )
        return filled(
            self.phrases.share_done,
            match=self._thing(measure.match),
            anchor=self._selection(measure.anchor),
            steps=self.phrases.comma.join(steps),
        )

    def _open(self, measure: OpenMeasure) -> str:
        phrases = self.phrases
        parts = {
            "many": self._many(measure.match),
            "moment": phrases.at_start if measure.at == "start" else phrases.at_end,
            "start": self._selection(measure.start),
            "end": self._selection(measure.end),
        }
        if measure.value is None:
            return filled(phrases.open_count, **parts)
        return filled(phrases.open_sum, **parts, value=self._name(measure.value))

    def _details(self, measure: Measure) -> Iterable[str]:
        phrases = self.phrases
        match measure:
            case ElapsedMeasure():
                yield from self._details_of_pairs(measure)
            case FunnelMeasure():
                yield from self._limit(measure.within)
                if measure.skipped == "strict":
                    yield phrases.strict
            case TouchesMeasure():
                yield from self._limit(measure.within)
                if measure.until is not None:
                    yield filled(phrases.until, events=self._selection(measure.until))
            case OpenMeasure():
                if measure.repeat == "each":
                    yield phrases.opened_again
        if not isinstance(measure, OpenMeasure) and measure.over is not None:
            yield self._over(measure.over)

    def _details_of_pairs(self, measure: ElapsedMeasure) -> Iterable[str]:
        if measure.clock == "working_hours" and measure.aggregate in {Aggregate.COUNT, Aggregate.SHARE_WITHIN}:
            yield self.phrases.working
        if measure.repeat == "each":
            yield self.phrases.each_start
        if measure.dated_by == "end":
            yield self.phrases.dated_by_end
        if measure.credited_to == "start":
            yield self.phrases.credited_to_start

    def _credits(self, measure: Measure) -> Iterable[str]:
        if measure.role != "owner":
            yield filled(self.phrases.role, role=quoted(self.phrases, measure.role))
        if measure.credit == "full":
            yield self.phrases.full

    def _limit(self, within: timedelta | None) -> Iterable[str]:
        if within is not None:
            yield filled(self.phrases.within, length=self._length(within))

    def _over(self, over: Over) -> str:
        if over.since is not None:
            return self.phrases.to_date[over.since]
        if over.months is not None:
            return filled(self.phrases.trailing, length=_numbered(self.phrases.months, over.months))
        return filled(self.phrases.trailing, length=_numbered(self.phrases.days, over.days or 0))

    def _statistic(self, aggregate: Aggregate, p: Decimal | None, x: str) -> str:
        if p is not None:
            percent = self.phrases.ordinal(format((p * 100).normalize(), "f"))
            return filled(self.phrases.percentile, percent=percent, x=x)
        return filled(self.phrases.statistics[aggregate], x=x)

    def _selection(self, selection: EventSelection) -> str:
        events = joined(self.phrases, [self._type(each) for each in selection.events], self.phrases.last_or)
        if selection.where is None:
            return events
        condition = Condition(self.phrases)
        template = self.phrases.whose if is_of_comparisons(selection.where) else self.phrases.for_which
        return filled(template, events=events, condition=condition.text(selection.where))

    def _type(self, event: str) -> str:
        label = self.phrases.types.get(event)
        return event if label is None else filled(self.phrases.typed, label=label, type=event)

    def _thing(self, thing: str) -> str:
        return self.phrases.things.get(thing, thing)

    def _many(self, thing: str) -> str:
        return self.phrases.many.get(thing) or filled(self.phrases.many_others, thing=self._thing(thing))

    def _name(self, name: Name) -> str:
        return field_name(self.phrases, name)

    def _length(self, length: timedelta) -> str:
        seconds = int(length.total_seconds())
        units = (
            (86_400, self.phrases.days),
            (3_600, self.phrases.hours),
            (60, self.phrases.minutes),
            (1, self.phrases.seconds),
        )
        parts = []
        for size, words in units:
            amount, seconds = divmod(seconds, size)
            if amount:
                parts.append(_numbered(words, amount))
        return joined(self.phrases, parts, self.phrases.last_and)


def _capitalized(text: str) -> str:
    bare = text.lstrip("(")
    return f"{text[: len(text) - len(bare)]}{bare[:1].upper()}{bare[1:]}"


def _numbered(words: tuple[str, str], number: int) -> str:
    return filled(words[number != 1], n=number)
