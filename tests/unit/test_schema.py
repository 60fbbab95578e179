"""What other systems are told of the language: every name, nothing dangling, and what we write fits it."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from events.catalog import FACTS, REQUESTS
from events.envelope import Meta
from events.schema import asyncapi, json_schemas
from tests.golden import samples

TAGS = [str(request.__struct_config__.tag) for request in REQUESTS]
SAMPLES = {**samples.FACTS, **samples.REQUESTS}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    return json_schemas()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi("0.1.0")


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def as_json(sample: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(sample))


def resolve(root: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/"), reference
    node: Any = root
    for step in reference[2:].split("/"):
        node = node[step.replace("~1", "/").replace("~0", "~")]
    return node


def faults(root: dict[str, Any], schema: dict[str, Any], value: Any, where: str = "") -> list[str]:
    """What a value lacks or has too much against the part of JSON Schema that we use."""
    if "$ref" in schema:
        return faults(root, resolve(root, schema["$ref"]), value, where)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return min((faults(root, one, value, where) for one in schema[choice]), key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r} is none of {schema['enum']}"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = schema.get("type")
    if kind == "null":
        return [] if value is None else [f"{where}: expected null"]
    if kind is not None and (not isinstance(value, kinds[kind]) or (kind != "boolean" and isinstance(value, bool))):
        return [f"{where}: expected {kind}, found {value!r}"]
    found: list[str] = []
    if kind == "object":
        properties = schema.get("properties", {})
        found += [f"{where}.{name}: required, missing" for name in schema.get("required", []) if name not in value]
        found += [f"{where}.{name}: not described" for name in value if properties and name not in properties]
        for name in value.keys() & properties.keys():
            found += faults(root, properties[name], value[name], f"{where}.{name}")
    if kind == "array":
        for n, item in enumerate(value):
            ahead = schema.get("prefixItems", [])
            form = ahead[n] if n < len(ahead) else schema.get("items")
            if isinstance(form, dict):
                found += faults(root, form, item, f"{where}[{n}]")
    return found


def test_every_fact_every_request_and_the_origin_have_a_schema(schemas: dict[str, Any]) -> None:
    assert schemas.keys() == {*FACTS, *TAGS, "meta"}
    for name, schema in schemas.items():
        assert schema["$id"] == name
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_each_schema_is_complete_in_itself(schemas: dict[str, Any]) -> None:
    for schema in schemas.values():
        for reference in references(schema):
            assert isinstance(resolve(schema, reference), dict)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_we_write_fits_its_schema(schemas: dict[str, Any], name: str) -> None:
    written = as_json(SAMPLES[name])

    assert faults(schemas[name], schemas[name], written) == []


def test_a_written_origin_fits_its_schema(schemas: dict[str, Any]) -> None:
    assert faults(schemas["meta"], schemas["meta"], as_json(samples.META)) == []


@pytest.mark.parametrize("name", [*FACTS, "meta"])
def test_a_field_without_a_default_is_required_and_only_that(schemas: dict[str, Any], name: str) -> None:
    struct = {**FACTS, "meta": Meta}[name]

    required = {field.encode_name for field in msgspec.structs.fields(struct) if field.required}

    assert set(resolve(schemas[name], schemas[name]["$ref"]).get("required", [])) == required


def test_the_language_is_one_asyncapi_document_with_every_message(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert document["info"]["version"] == "0.1.0"
    assert document["components"]["messages"].keys() == {*FACTS, *TAGS}


def test_every_reference_of_the_document_resolves(document: dict[str, Any]) -> None:
    dangling = []
    for reference in references(document):
        try:
            resolve(document, reference)
        except KeyError:
            dangling.append(reference)

    assert dangling == []


def test_every_message_stands_in_the_channel_of_its_kind_with_one_operation(document: dict[str, Any]) -> None:
    for name in (*FACTS, *TAGS):
        kind = name.split(".", 1)[0]
        verb, action = ("publish", "send") if name in FACTS else ("decide", "receive")
        reference = {"$ref": f"#/channels/{kind}/messages/{name}"}
        assert document["operations"][f"{verb}-{name}"] == {
            "action": action,
            "channel": {"$ref": f"#/channels/{kind}"},
            "messages": [reference],
        }
        assert resolve(document, reference["$ref"]) == {"$ref": f"#/components/messages/{name}"}
    assert len(document["operations"]) == len(FACTS) + len(TAGS)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_we_write_fits_the_payload_of_its_message(document: dict[str, Any], name: str) -> None:
    payload = document["components"]["messages"][name]["payload"]
    written = as_json(SAMPLES[name])

    assert faults(document, payload, written) == []


def test_every_message_says_in_a_sentence_what_it_is(document: dict[str, Any]) -> None:
    for message in document["components"]["messages"].values():
        assert message["summary"].strip()
        assert "\n" not in message["summary"]


def test_keys_of_the_document_have_the_form_that_asyncapi_asks_for(document: dict[str, Any]) -> None:
    form = re.compile(r"[A-Za-z0-9._-]+")
    keys = [*document["channels"], *document["operations"], *document["components"]["messages"]]
    keys += document["components"]["schemas"]

    assert [key for key in keys if not form.fullmatch(key)] == []


@pytest.mark.parametrize("name", FACTS)
def test_a_wire_name_says_the_stream_what_happened_and_the_version(name: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*", name)


@pytest.mark.parametrize("tag", TAGS)
def test_a_requests_tag_says_the_stream_what_is_wanted_and_the_version(tag: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*", tag)
