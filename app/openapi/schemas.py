"""Schemas of the document: made tidy, and examples made from them."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

Json = Any  # JSON of whatever shape: the OpenAPI document and the values in it
Above = tuple[str, ...]
"""References of the schemas within which one stands."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_BY_FORMAT = {"date-time": "2026-07-14T09:31:05Z", "date": "2026-07-14", "uri": "https://paceline.example.com"}
_BY_TYPE: dict[str, Json] = {"string": "text", "number": 42, "boolean": False, "null": None}
_OPTIONS = ("anyOf", "oneOf", "allOf")


def example_id(name: str) -> str:
    """The identifier that stands for `{name}` in every example, so that examples of one document fit together."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"01985e2c-{digest[:4]}-7{digest[4:7]}-8{digest[7:10]}-{digest[10:22]}"


def resolve(whole: Json, node: Json) -> Json:
    """What a reference points to; anything else as it is."""
    while "$ref" in node:
        target = whole
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def tidy(whole: Json) -> None:
    """Drop titles that only repeat names, lift descriptions of nullable fields, and put ids into examples."""
    components = whole["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form of a 422, which nobody gets
        components.pop(name, None)
    for schema in components.values():
        for part in _parts(schema):
            _tidy(part)
    for item in whole["paths"].values():
        for operation in item.values():
            _tidy_operation(whole, operation)


def _tidy(schema: Json) -> None:
    schema.pop("title", None)
    if "examples" in schema:
        schema["examples"] = _with_ids(schema["examples"])
    for option in schema.get("anyOf", ()):
        if "description" in option and "$ref" not in option:
            schema.setdefault("description", option.pop("description"))
        if "examples" in option and "$ref" not in option:
            schema.setdefault("examples", option.pop("examples"))


def _tidy_operation(whole: Json, operation: Json) -> None:
    for parameter in operation.get("parameters", ()):
        for part in _parts(parameter["schema"]):
            _tidy(part)
        parameter["schema"].pop("description", None)
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in [content for body in bodies for content in body.get("content", {}).values()]:
        if "schema" in content:
            content["schema"] = _hoisted(whole, content["schema"])


def _hoisted(whole: Json, schema: Json) -> Json:
    """A reference to the schema of an object that was written out in an operation."""
    if schema.get("type") == "object" and "title" in schema:
        name = schema["title"]
        for part in _parts(schema):
            _tidy(part)
        whole["components"]["schemas"][name] = schema
        return {"$ref": f"#/components/schemas/{name}"}
    if "items" in schema:
        return {**schema, "items": _hoisted(whole, schema["items"])}
    schema.pop("title", None)
    return schema


def _parts(schema: Json) -> Iterator[Json]:
    """The schema and all within it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("prefixItems", ())]
    inner += [option for key in _OPTIONS for option in schema.get(key, ())]
    inner += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    for part in inner:
        yield from _parts(part)


def _with_ids(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _with_ids(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_ids(item) for item in value]
    found = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return example_id(found[1]) if found else value


def example(whole: Json, schema: Json, name: str = "", above: Above = ()) -> Json:
    """A value that the schema allows, of the authors' own examples where there are some.

    `above` are the schemas within which this one stands: a tree is shown down to where it would begin anew.
    """
    if "$ref" in schema:
        name, above = _snake(schema["$ref"].rpartition("/")[2]), (*above, schema["$ref"])
        schema = resolve(whole, schema)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    for key in _OPTIONS:
        if key in schema and "properties" not in schema:
            options = [option for option in schema[key] if not _begins_anew(option, above)]
            return example(whole, options[0], name, above)
    return _of_type(whole, schema, name, above)


def _begins_anew(schema: Json, above: Above) -> bool:
    """Whether the schema is one of those within which it stands, whichever of its options is taken."""
    options = [option for key in _OPTIONS for option in schema.get(key, ())]
    return schema.get("$ref") in above or (bool(options) and all(_begins_anew(option, above) for option in options))


def _of_type(whole: Json, schema: Json, name: str, above: Above) -> Json:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return _object(whole, schema, name, above)
    if kind == "array":
        is_cut = _begins_anew(schema["items"], above)
        return [] if is_cut else [example(whole, schema["items"], name.removesuffix("s"), above)]
    if kind == "integer":
        return schema.get("minimum", 1)
    if schema.get("format") == "uuid":
        return example_id(name)
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE[kind])


def _object(whole: Json, schema: Json, name: str, above: Above) -> Json:
    if "properties" in schema:
        parts = schema["properties"].items()
        return {key: _property(whole, part, f"{name}_id" if key == "id" else key, above) for key, part in parts}
    further = schema.get("additionalProperties")
    if isinstance(further, dict) and not _begins_anew(further, above):
        key = resolve(whole, schema.get("propertyNames", {})).get("enum", ["name"])[0]
        return {key: example(whole, further, above=above)}
    return {}


def _property(whole: Json, schema: Json, name: str, above: Above) -> Json:
    """What may be null is, unless the authors gave an example: most such fields are empty in most answers."""
    nullable = any(option.get("type") == "null" for option in schema.get("anyOf", ()))
    return None if nullable and "examples" not in schema else example(whole, schema, name, above)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
