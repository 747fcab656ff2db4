"""Text to tree: a Pratt parser (Pratt, 1973) that knows spelling and precedence, and no names.

It raises `ExpressionError` and nothing else, whatever the text; `checker` decides what names and types mean.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NoReturn, cast

from app.kpis.expressions.syntax import (
    Binary,
    BinaryOperator,
    Boolean,
    Call,
    Choices,
    ExpressionError,
    Name,
    Node,
    Number,
    Text,
    Unary,
)
from app.kpis.expressions.vocabulary import (
    BINDING,
    COMPARISON_BINDING,
    CONSTANT_WORDS,
    MINUS_BINDING,
    NOT_BINDING,
    PUNCTUATION,
    WORDS,
)

MAX_LENGTH = 2_000
MAX_DEPTH = 40
MAX_NODES = 200
MAX_DIGITS = 34

TokenKind = Literal["number", "text", "word", "mark", "end"]

# The longest first, so that `<=` is not taken for `<`.
_MARKS = sorted({*PUNCTUATION, *(set(BINDING) - WORDS)}, key=len, reverse=True)
_TOKEN = re.compile(
    rf"""[ \t\r\n]*(?:
      (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>{"|".join(map(re.escape, _MARKS))})
    | (?P<quote>['"])
    | (?P<other>.)
    )?""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_FOREIGN_OPERATORS = {
    "=": "==", "&": "and", "|": "or", "!": "not", "≠": "!=", "≤": "<=", "≥": ">=", "×": "*", "÷": "/",
    "−": "-", "–": "-", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
_OPERAND = "a value, a name, a function or '('"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `text` is a string's content without quotes and escapes."""

    kind: TokenKind
    text: str
    start: int
    end: int


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """The tree of an expression; raises `ExpressionError` for text that is none."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"An expression has at most {MAX_LENGTH:,} characters; this one has {len(text):,}.",
            MAX_LENGTH,
            len(text) - MAX_LENGTH,
        )
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while True:
        found = _TOKEN.match(text, position)
        # The pattern matches the empty text too, so there is always a match.
        kind = found.lastgroup if found else None
        if found is None or kind is None:
            return [*tokens, Token("end", "", len(text), len(text))]
        start, position = found.start(kind), found.end(kind)
        match kind:
            case "quote":
                token = _string(text, start)
                position = token.end
            case "other":
                _refuse_character(text, start)
            case _:
                token = Token(cast(TokenKind, kind), found[kind], start, position)
        tokens.append(token)


def _string(text: str, start: int) -> Token:
    characters = []
    position = start + 1
    while position < len(text) and text[position] != text[start]:
        character = text[position]
        _refuse_unprintable(character, position)
        if character == "\\":
            position += 1
            character = _escaped(text, position)
        characters.append(character)
        position += 1
    if position >= len(text):
        raise ExpressionError("The text in quotes does not end.", start, len(text) - start, expected=text[start])
    return Token("text", "".join(characters), start, position + 1)


def _escaped(text: str, position: int) -> str:
    character = text[position : position + 1]
    if character not in _ESCAPES:
        raise ExpressionError(
            "After a backslash stands one of \\ ' \" n r t.", position - 1, 1 + len(character), expected="an escape"
        )
    return _ESCAPES[character]


def _refuse_unprintable(character: str, position: int) -> None:
    if unicodedata.category(character) in {"Cc", "Cs"}:
        raise ExpressionError(f"The character U+{ord(character):04X} cannot be part of an expression.", position)


def _refuse_character(text: str, position: int) -> NoReturn:
    character = text[position]
    _refuse_unprintable(character, position)
    if character in _FOREIGN_OPERATORS:
        meant = _FOREIGN_OPERATORS[character]
        length = 2 if text[position : position + 2] in {"&&", "||"} else 1
        raise ExpressionError(f"{character} is not of this language.", position, length, suggestion=meant)
    look_alike = unicodedata.normalize("NFKC", character)
    raise ExpressionError(
        f"{character} (U+{ord(character):04X}) cannot stand here: names are of the letters A to Z, digits and _; "
        "other text stands in quotes.",
        position,
        suggestion=look_alike
        if look_alike != character and look_alike.isascii() and look_alike.isprintable()
        else None,
    )


class _Parser:
    """Reads tokens once, from left to right; every recursion passes `expression`, which counts the depth."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self._nodes = 0

    def whole(self) -> Node:
        if self._next().kind == "end":
            raise ExpressionError("The expression is empty.", 0, 0, expected=_OPERAND)
        node = self.expression(0)
        if self._next().kind != "end":
            self._refuse_rest()
        return node

    def expression(self, binding: int) -> Node:
        """The longest expression from here whose operators bind tighter than `binding`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"The expression is nested deeper than {MAX_DEPTH} levels.", self._next().start)
        left = self._operand()
        while (own := BINDING.get(self._operator, 0)) > binding:
            left = self._counted(self._binary(left, own))
            if own == COMPARISON_BINDING and BINDING.get(self._operator) == COMPARISON_BINDING:
                raise self._error("Comparisons do not chain; join two of them with `and`.", expected="and")
        self._depth -= 1
        return left

    def _binary(self, left: Node, binding: int) -> Node:
        operator = self._take().text
        right = self._choices() if operator == "in" else self.expression(binding)
        return Binary(cast(BinaryOperator, operator), left, right, left.start, self._end)

    def _operand(self) -> Node:
        return self._counted(self._uncounted_operand())

    def _uncounted_operand(self) -> Node:
        token = self._take()
        match token.kind, token.text:
            case "number", digits:
                return self._number(token, digits)
            case "text", text:
                return Text(text, token.start, token.end)
            case "word", word if word in CONSTANT_WORDS:
                return Boolean(word == "true", token.start, token.end)
            case "word", "not":
                return Unary("not", self.expression(NOT_BINDING - 1), token.start, self._end)
            case "word", word if word not in WORDS:
                return self._name_or_call(token)
            case "mark", "-":
                return Unary("-", self.expression(MINUS_BINDING - 1), token.start, self._end)
            case "mark", "(":
                return self._parenthesis(token)
        self._index -= 1
        raise self._error(f"{self._seen()} cannot stand here.", expected=_OPERAND)

    def _number(self, token: Token, digits: str) -> Number:
        if len(digits.replace(".", "")) > MAX_DIGITS:
            length = token.end - token.start
            raise ExpressionError(f"A number has at most {MAX_DIGITS} digits.", token.start, length)
        following = self._next()
        if following.start == token.end and (following.kind in {"word", "number"} or following.text == "."):
            raise self._error("A number is written like 1250 or 0.5, without exponent or unit.", expected="an operator")
        return Number(Decimal(digits), token.start, token.end)

    def _parenthesis(self, opening: Token) -> Node:
        inner = self.expression(0)
        self._expect(")")
        # Not counted twice: parentheses leave no trace in the tree but the wider position.
        self._nodes -= 1
        return replace(inner, start=opening.start, end=self._end)

    def _name_or_call(self, first: Token) -> Node:
        if self._is_mark("("):
            return self._call(first)
        path = [first.text]
        while self._is_mark(".") or self._is_mark("["):
            path.append(self._part())
        return Name(tuple(path), first.start, self._end)

    def _part(self) -> str:
        if self._take().text == ".":
            return self._expect_kind("word", "a name").text
        key = self._expect_kind("text", "a key in quotes").text
        self._expect("]")
        return key

    def _call(self, function: Token) -> Node:
        self._take()
        arguments: list[Node] = []
        while not self._is_mark(")"):
            if arguments:
                self._expect(",", ", or )")
            arguments.append(self.expression(0))
        self._take()
        return Call(function.text, tuple(arguments), function.start, self._end)

    def _choices(self) -> Node:
        opening = self._next()
        if not (self._is_mark("[") or self._is_mark("(")):
            raise self._error("After `in` stands a list like ['a', 'b'].", expected="[")
        self._take()
        closing = "]" if opening.text == "[" else ")"
        items = [self.expression(0)]
        while not self._is_mark(closing):
            self._expect(",", f", or {closing}")
            items.append(self.expression(0))
        self._take()
        return self._counted(Choices(tuple(items), opening.start, self._end))

    def _counted(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(
                f"The expression has more than {MAX_NODES} parts.", node.start, max(node.end - node.start, 1)
            )
        return node

    def _next(self) -> Token:
        return self._tokens[self._index]

    @property
    def _operator(self) -> str:
        return self._next().text if self._next().kind in {"mark", "word"} else ""

    @property
    def _end(self) -> int:
        return self._tokens[self._index - 1].end

    def _take(self) -> Token:
        token = self._next()
        self._index += 1
        return token

    def _is_mark(self, mark: str) -> bool:
        return self._next().kind == "mark" and self._next().text == mark

    def _expect(self, mark: str, expected: str | None = None) -> None:
        if not self._is_mark(mark):
            raise self._error(f"{self._seen()} cannot stand here.", expected=expected or mark)
        self._take()

    def _expect_kind(self, kind: TokenKind, expected: str) -> Token:
        if self._next().kind != kind:
            raise self._error(f"{self._seen()} cannot stand here.", expected=expected)
        return self._take()

    def _refuse_rest(self) -> NoReturn:
        if self._operator == "not":
            raise self._error("`not` stands before a condition: not (x in [...]).", expected="an operator")
        if self._is_mark(")") or self._is_mark("]"):
            raise self._error(f"{self._next().text} closes nothing.", expected="the end")
        suggestion = self._operator.lower() if self._operator.lower() in {"and", "or", "in"} else None
        raise self._error(f"{self._seen()} cannot stand here.", expected="an operator", suggestion=suggestion)

    def _seen(self) -> str:
        return "The end of the expression" if self._next().kind == "end" else f"`{self._next().text[:40]}`"

    def _error(self, message: str, *, expected: str, suggestion: str | None = None) -> ExpressionError:
        token = self._next()
        return ExpressionError(message, token.start, token.end - token.start, expected=expected, suggestion=suggestion)
