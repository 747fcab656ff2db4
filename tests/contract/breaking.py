"""What a change of the document breaks for clients that were written against the old one.

It does not look at constraints (lengths, ranges, patterns), headers of answers, or discriminators.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from app.openapi.schemas import resolve

Document = dict[str, Any]
Side = Literal["request", "response"]
_METHODS = ("get", "put", "post", "delete", "patch")


def breaking(old: Document, new: Document) -> list[str]:
    """A sentence for each break, in alphabetical order."""
    return sorted(set(_Comparison(old, new).breaks()))


@dataclass
class _Comparison:
    old: Document
    new: Document
    seen: set[tuple[int, int, Side]] = field(default_factory=set)

    def breaks(self) -> Iterator[str]:
        news = dict(_operations(self.new))
        for where, old in _operations(self.old):
            new = news.get(where)
            if new is None:
                yield f"{where}: operation removed"
                continue
            if old["operationId"] != new["operationId"]:
                yield f"{where}: operationId {old['operationId']} is now {new['operationId']}"
            yield from self._scopes(where, old, new)
            yield from self._parameters(where, old, new)
            yield from self._requests(where, old.get("requestBody", {}), new.get("requestBody", {}))
            yield from self._responses(where, old["responses"], new["responses"])

    def _scopes(self, where: str, old: Document, new: Document) -> Iterator[str]:
        gained = _scopes(new) - _scopes(old)
        yield from (f"{where}: needs the scope {scope}" for scope in gained)

    def _parameters(self, where: str, old: Document, new: Document) -> Iterator[str]:
        olds, news = self._by_name(self.old, old), self._by_name(self.new, new)
        for name in olds.keys() - news.keys():
            yield f"{where}: parameter {name[1]} removed"
        for name, parameter in news.items():
            if parameter.get("required") and not olds.get(name, {}).get("required"):
                yield f"{where}: parameter {name[1]} now required"
        for name in olds.keys() & news.keys():
            yield from self._schemas(f"{where} ?{name[1]}", olds[name]["schema"], news[name]["schema"], "request")

    def _by_name(self, document: Document, operation: Document) -> dict[tuple[str, str], Document]:
        parameters = [resolve(document, parameter) for parameter in operation.get("parameters", ())]
        return {(parameter["in"], parameter["name"]): parameter for parameter in parameters}

    def _requests(self, where: str, old: Document, new: Document) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{where}: body now required"
        for kind, content in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield f"{where}: no longer takes {kind}"
                continue
            yield from self._schemas(f"{where} body", content["schema"], new["content"][kind]["schema"], "request")

    def _responses(self, where: str, old: Document, new: Document) -> Iterator[str]:
        for status, answer in old.items():
            if status not in new:
                yield f"{where}: response {status} removed"
                continue
            told = resolve(self.new, new[status]).get("content", {})
            for kind, content in resolve(self.old, answer).get("content", {}).items():
                if kind not in told:
                    yield f"{where}: {status} no longer {kind}"
                    continue
                yield from self._schemas(
                    f"{where} {status}", content.get("schema", {}), told[kind].get("schema", {}), "response"
                )

    def _schemas(self, where: str, old: Document, new: Document, side: Side) -> Iterator[str]:
        old, new = _merged(self.old, old), _merged(self.new, new)
        if (id(old), id(new), side) in self.seen:
            return
        if "properties" in old:  # others are small and may be copies, whose ids say nothing
            self.seen.add((id(old), id(new), side))
        yield from _types(where, self._kinds(self.old, old), self._kinds(self.new, new), side)
        yield from _enums(where, old, new, side)
        yield from _properties(where, old, new, side)
        for name in old.get("properties", {}).keys() & new.get("properties", {}).keys():
            yield from self._schemas(f"{where}.{name}", old["properties"][name], new["properties"][name], side)
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
                yield from self._schemas(f"{where}[]", old[key], new[key], side)
        yield from self._options(where, old, new, side)

    def _options(self, where: str, old: Document, new: Document, side: Side) -> Iterator[str]:
        """Options of a choice are paired by name, or by type."""
        olds = {_label(option): option for option in (*old.get("anyOf", ()), *old.get("oneOf", ()))}
        news = {_label(option): option for option in (*new.get("anyOf", ()), *new.get("oneOf", ()))}
        for label in olds.keys() & news.keys():
            yield from self._schemas(where, olds[label], news[label], side)

    def _kinds(self, document: Document, schema: Document) -> set[str]:
        if "type" in schema:
            kind = schema["type"]
            return {kind} if isinstance(kind, str) else set(kind)
        options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return {kind for option in options for kind in self._kinds(document, resolve(document, option))}


def _operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def _scopes(operation: Document) -> set[str]:
    return {scope for needed in operation.get("security", ()) for scopes in needed.values() for scope in scopes}


def _merged(document: Document, schema: Document) -> Document:
    """The schema with what `allOf` adds."""
    schema = resolve(document, schema)
    if "allOf" not in schema:
        return schema
    parts = [_merged(document, part) for part in schema["allOf"]]
    merged: Document = {key: value for part in parts for key, value in part.items()} | schema
    merged["properties"] = {name: part for one in (*parts, schema) for name, part in one.get("properties", {}).items()}
    merged["required"] = [name for one in (*parts, schema) for name in one.get("required", ())]
    del merged["allOf"]
    return merged


def _label(option: Document) -> str:
    return str(option.get("$ref") or option.get("type"))


def _types(where: str, old: set[str], new: set[str], side: Side) -> Iterator[str]:
    if not old or not new:
        return
    if side == "request" and "integer" in old and "number" in new:
        old = old - {"integer"}
    if side == "response" and "number" in old:
        new = new - {"integer"}
    if (side == "request" and old - new) or (side == "response" and new - old):
        yield f"{where}: type {sorted(old)} is now {sorted(new)}"


def _enums(where: str, old: Document, new: Document, side: Side) -> Iterator[str]:
    olds, news = _values(old), _values(new)
    if side == "request" and news is not None and (olds is None or olds - news):
        yield f"{where}: request takes only {sorted(map(str, news))}"
    if side == "response" and olds is not None and (news is None or news - olds):
        yield f"{where}: response may be other than {sorted(map(str, olds))}"


def _values(schema: Document) -> set[Any] | None:
    if "enum" in schema:
        return set(schema["enum"])
    return {schema["const"]} if "const" in schema else None


def _properties(where: str, old: Document, new: Document, side: Side) -> Iterator[str]:
    olds, news = old.get("properties", {}), new.get("properties", {})
    required, required_now = set(old.get("required", ())), set(new.get("required", ()))
    if side == "request":
        yield from (f"{where}: request now requires {name}" for name in required_now - required)
        if new.get("additionalProperties") is False:
            yield from (f"{where}: request no longer takes {name}" for name in olds.keys() - news.keys())
        return
    yield from (f"{where}: response lost {name}" for name in olds.keys() - news.keys())
    yield from (f"{where}: response no longer guarantees {name}" for name in (required - required_now) & news.keys())
