"""Definitions explained in a sentence, in English, Polish, simplified and traditional Chinese.

`rendering` knows what there is to say; each language is one table of phrases.
"""

from collections.abc import Mapping
from typing import Literal

from app.kpis.definition import Definition
from app.kpis.sentences.english import ENGLISH
from app.kpis.sentences.phrases import Phrases
from app.kpis.sentences.polish import POLISH
from app.kpis.sentences.rendering import Sentences
from app.kpis.sentences.simplified_chinese import SIMPLIFIED_CHINESE
from app.kpis.sentences.traditional_chinese import TRADITIONAL_CHINESE

Language = Literal["en", "pl", "zh-Hans", "zh-Hant"]

LANGUAGES: dict[Language, Phrases] = {
    "en": ENGLISH,
    "pl": POLISH,
    "zh-Hans": SIMPLIFIED_CHINESE,
    "zh-Hant": TRADITIONAL_CHINESE,
}


def sentence(definition: Definition, language: Language, names: Mapping[str, str]) -> str:
    """What a KPI computes, in one sentence; `names` are those of the KPIs that it refers to, by key."""
    return Sentences(LANGUAGES[language]).of(definition, names)


def preferred(accept_language: str | None) -> Language:
    """The language that a browser asks for first of those that we speak (RFC 9110, 12.5.4); English without one."""
    wished = [_weighed(part) for part in (accept_language or "")[:1000].split(",")]
    for tag, weight in sorted(wished, key=lambda each: -each[1]):
        if weight > 0 and (language := _spoken(tag)):
            return language
    return "en"


def _weighed(part: str) -> tuple[str, float]:
    tag, _, quality = part.partition(";")
    try:
        return tag.strip().lower(), float(quality.strip().removeprefix("q=") or 1)
    except ValueError:
        return tag, 0


def _spoken(tag: str) -> Language | None:
    parts = tag.split("-")
    if parts[0] == "zh":
        return "zh-Hant" if {"hant", "tw", "hk", "mo"}.intersection(parts) and "hans" not in parts else "zh-Hans"
    if parts[0] == "pl":
        return "pl"
    return "en" if parts[0] == "en" else None
