"""What can stand at a position of an expression, however unfinished or broken the text is.

It reads only what stands before the position, and never raises for any text.
"""

import re
from dataclasses import dataclass
from typing import Literal

from app.kpis.expressions.vocabulary import (
    BINDING,
    COMPARISON_BINDING,
    CONSTANT_WORDS,
    FUNCTIONS,
    KPI,
    PUNCTUATION,
    WORDS,
)

Wanted = Literal["operand", "operator", "property", "about", "kpi", "value", "name", "thing", "nothing"]

_MARKS = sorted({*PUNCTUATION, *(set(BINDING) - WORDS)}, key=len, reverse=True)
_PIECE = re.compile(
    rf"""(?P<space>\s+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<mark>{"|".join(map(re.escape, _MARKS))})
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<open>['"].*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_REST_OF_WORD = re.compile(r"[A-Za-z0-9_]*", re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_HEADS: dict[str, Wanted] = {"properties": "property", "about": "about", KPI: "kpi"}

_ARGUMENTS: dict[str, Wanted] = {"has": "name", "nth": "thing", "target": "kpi"}


@dataclass(frozen=True, slots=True)
class Place:
    """What is wanted at a position: it replaces the text from `start` to `end` and begins with `prefix`.

    `name` is the path of what a value is compared with.
    """

    start: int
    end: int
    prefix: str
    wanted: Wanted
    name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: str
    text: str
    start: int


def place(text: str, position: int) -> Place:
    """What is wanted at a position, which lies in the text or at its end."""
    pieces = _pieces(text[:position])
    last = pieces[-1] if pieces else None
    if last is not None and last.kind == "open":
        closes = text[position : position + 1] == last.text[0]
        return _in_quotes(pieces[:-1], last, position + closes)
    if last is not None and last.kind == "word" and last.start + len(last.text) == position:
        rest = _REST_OF_WORD.match(text, position)
        end = rest.end() if rest else position
        return _after(pieces[:-1], last.start, end, last.text)
    if last is not None and last.kind == "number" and last.start + len(last.text) == position:
        return Place(position, position, "", "nothing")
    return _after(pieces, position, position, "")


def _pieces(text: str) -> list[_Piece]:
    found = (_Piece(match.lastgroup or "", match.group(), match.start()) for match in _PIECE.finditer(text))
    return [piece for piece in found if piece.kind != "space"]


def _in_quotes(before: list[_Piece], quote: _Piece, end: int) -> Place:
    """Inside a text that does not end yet: a key in brackets, or a value."""
    prefix = _unescaped(quote.text[1:])
    if len(before) > 1 and before[-1].text == "[" and before[-2].text in _HEADS:
        head = before[-2]
        return Place(head.start, end, prefix, _HEADS[head.text])
    name = _compared(before)
    return Place(quote.start, end, prefix, "value" if name else "nothing", name or ())


def _after(before: list[_Piece], start: int, end: int, prefix: str) -> Place:
    """At a word that is begun, or where nothing stands yet."""
    last = before[-1] if before else None
    if last is None:
        return Place(start, end, prefix, "operand")
    if last.text == ".":
        head = before[-2] if len(before) > 1 else None
        if head is None or head.text not in _HEADS:
            return Place(start, end, prefix, "nothing")
        return Place(head.start, end, prefix, _HEADS[head.text])
    name = _compared(before)
    if name is not None:
        return Place(start, end, prefix, "value", name)
    if last.text == "(" and len(before) > 1 and before[-2].text in FUNCTIONS:
        return Place(start, end, prefix, _ARGUMENTS.get(before[-2].text, "operand"))
    return Place(start, end, prefix, "operator" if _ends_operand(last) else "operand")


def _ends_operand(piece: _Piece) -> bool:
    if piece.kind == "word":
        return piece.text not in WORDS or piece.text in CONSTANT_WORDS
    return piece.kind in {"number", "text"} or piece.text in {")", "]"}


def _compared(before: list[_Piece]) -> tuple[str, ...] | None:
    """The path of the name that the next operand is compared with: after `x ==`, and in the list of `x in [`."""
    if not before:
        return None
    last = before[-1]
    if last.kind == "mark" and BINDING.get(last.text) == COMPARISON_BINDING:
        return _name(before[:-1])
    index = len(before) - 1
    if last.text not in {"[", "(", ","}:
        return None
    while index > 0 and before[index].text not in {"[", "("}:
        if before[index].kind not in {"text", "number"} and before[index].text not in {",", "-", *CONSTANT_WORDS}:
            return None
        index -= 1
    if index > 0 and before[index].text in {"[", "("} and before[index - 1].text == "in":
        return _name(before[: index - 1])
    return None


def _name(before: list[_Piece]) -> tuple[str, ...] | None:
    """The path of the name that ends here."""
    texts = [piece.text for piece in before[-4:]]
    if len(texts) == 4 and texts[0] in _HEADS and texts[1] == "[" and before[-2].kind == "text" and texts[3] == "]":
        return (texts[0], _unescaped(texts[2][1:-1]))
    if len(texts) > 2 and texts[-3] in _HEADS and texts[-2] == "." and before[-1].kind == "word":
        return (texts[-3], texts[-1])
    if before and before[-1].kind == "word" and (len(before) < 2 or before[-2].text != "."):
        return (texts[-1],)
    return None


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)
