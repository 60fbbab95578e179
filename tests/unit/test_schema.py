"""What other systems are told of the language: every name, nothing dangling, and what we write fits it."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from events.catalog import FACTS, REQUESTS
from events.edge import ACTS, EDGE, RECEIVED, SENT
from events.envelope import Meta, kind_of
from events.schema import NEVER_TOLD, asyncapi, facts_of_parts, json_schemas, told_facts
from services.messaging import topology
from tests.golden import samples

TAGS = [str(request.__struct_config__.tag) for request in REQUESTS]
REQUEST_NAMES = [f"{tag}.request" for tag in TAGS]
REQUEST_SAMPLES = {f"{tag}.request": request for tag, request in samples.REQUESTS.items()}
SAMPLES = {**samples.FACTS, **samples.EDGE, **REQUEST_SAMPLES}
TOLD = {name: sample for name, sample in samples.FACTS.items() if kind_of(name) not in NEVER_TOLD} | {**samples.EDGE}


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


def patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from patterns(child)


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


def test_every_fact_edge_message_and_request_and_the_origin_have_a_schema(schemas: dict[str, Any]) -> None:
    assert schemas.keys() == {*FACTS, *EDGE, *REQUEST_NAMES, "meta"}
    for name, schema in schemas.items():
        assert schema["$id"] == name
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_message_and_the_request_that_is_made_of_it_are_told_apart(schemas: dict[str, Any]) -> None:
    asked, decided = schemas["call.acknowledge.v1"], schemas["call.acknowledge.v1.request"]

    assert "request" not in resolve(asked, asked["$ref"])["properties"]
    assert resolve(decided, decided["$ref"])["properties"]["request"]["enum"] == ["call.acknowledge.v1"]


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


def test_patterns_are_such_as_every_reader_of_json_schema_knows(schemas: dict[str, Any]) -> None:
    found = {pattern for schema in schemas.values() for pattern in patterns(schema)}

    assert found
    assert not [pattern for pattern in found if re.search(r"\\[AZ]|\(\?P", pattern)]


@pytest.mark.parametrize("name", [*FACTS, *EDGE, "meta"])
def test_a_field_without_a_default_is_required_and_only_that(schemas: dict[str, Any], name: str) -> None:
    struct = {**FACTS, **EDGE, "meta": Meta}[name]

    required = {field.encode_name for field in msgspec.structs.fields(struct) if field.required}

    assert set(resolve(schemas[name], schemas[name]["$ref"]).get("required", [])) == required


def test_one_asyncapi_document_has_every_message_that_passes_a_door(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert document["info"]["version"] == "0.1.0"
    assert document["components"]["messages"].keys() == TOLD.keys()


def test_requests_are_no_messages_because_no_channel_carries_them(document: dict[str, Any]) -> None:
    assert document["components"]["messages"].keys().isdisjoint({*REQUEST_NAMES, *TAGS} - EDGE.keys())


def test_nobody_outside_hears_which_reports_belong_to_one_pseudonym_or_who_may_log_in(document: dict[str, Any]) -> None:
    assert set(told_facts()) == {name for name in FACTS if name.split(".")[0] not in NEVER_TOLD}
    assert {"reporter.reported.v1", "user.added.v1"} <= FACTS.keys() - set(told_facts())
    assert not [name for name in document["components"]["messages"] if name.startswith(("reporter.", "user."))]


def test_a_department_hears_of_its_own_part_only(document: dict[str, Any]) -> None:
    heard = document["channels"]["department"]["messages"].keys()

    assert heard & FACTS.keys() == set(facts_of_parts())
    assert set(facts_of_parts()) == {
        "call.acknowledged.v1",
        "call.reported-in.v1",
        "call.reporter-contacted.v1",
        "call.noted.v1",
        "call.proof-attached.v1",
        "call.result-filed.v1",
        "call.clock-missed.v1",
        "call.due-extended.v1",
        "call.escalated.v1",
        "call.completed.v1",
        "call.released.v1",
        "call.alerted.v1",
        "call.delivered.v1",
        "call.delivery-failed.v1",
        "approval.round-opened.v1",
        "approval.opinion-filed.v1",
        "approval.material-requested.v1",
        "approval.material-supplied.v1",
        "approval.opinion-missed.v1",
    }
    assert "leg.called.v1" in heard


def test_the_channels_are_the_exchanges_queues_and_topics_that_the_brokers_have(document: dict[str, Any]) -> None:
    def address(which: str, **values: str) -> str:
        found: str = document["channels"][which]["address"]
        return found.format(**values)

    assert address("from-hotline", hotline="hotline-12345") == topology.door("hotline-12345")
    assert address("from-department", user="dept.ld.d07") == topology.door(topology.department_user("LD", "D07"))
    assert address("hotline-replies", hotline="hotline-12345") == topology.replies_queue("hotline-12345")
    assert address("department", town="LD", department="D07") == topology.department_queue("LD", "D07")
    assert address(
        "facts", town="LD", platform="P4", department="all", stream="call", fact="acknowledged"
    ) == topology.fact_key("LD", "P4", None, "call.acknowledged.v1")
    assert address("reports", town="LD", channel="village", terminal="v-1") == topology.report_topic(
        "LD", "village", "v-1"
    )
    assert address("receipts", terminal="v-1") == topology.receipt_topic("v-1")
    assert address("news", terminal="v-1") == topology.news_topic("v-1")


def test_every_parameter_of_an_address_is_described_and_no_other(document: dict[str, Any]) -> None:
    for channel in document["channels"].values():
        assert list(channel["parameters"]) == re.findall(r"\{([a-z]+)\}", channel["address"])


def test_amqp_says_for_each_channel_whether_it_is_an_exchange_or_a_queue(document: dict[str, Any]) -> None:
    def binding(channel: str) -> Any:
        return document["channels"][channel]["bindings"]["amqp"]

    assert binding("facts")["exchange"]["name"] == topology.FACTS
    assert binding("facts")["exchange"]["type"] == "topic"
    for channel in ("from-hotline", "from-department"):
        assert binding(channel)["exchange"]["name"] == document["channels"][channel]["address"]
        assert binding(channel)["exchange"]["type"] == "fanout"
    for channel in ("hotline-replies", "department"):
        assert (binding(channel)["is"], binding(channel)["queue"]["exclusive"]) == ("queue", False)
    assert {binding(channel)["bindingVersion"] for channel in ("facts", "department")} == {"0.3.0"}


def test_every_reference_of_the_document_resolves(document: dict[str, Any]) -> None:
    dangling = []
    for reference in references(document):
        try:
            resolve(document, reference)
        except KeyError:
            dangling.append(reference)

    assert dangling == []


def test_every_message_stands_in_a_channel_and_an_operation_moves_it(document: dict[str, Any]) -> None:
    in_channels = {name for channel in document["channels"].values() for name in channel["messages"]}
    moved = {(operation["action"], name) for operation in document["operations"].values() for name in names(operation)}

    assert in_channels == document["components"]["messages"].keys()
    assert {name for action, name in moved if action == "receive"} == RECEIVED.keys()
    answers = {
        name
        for operation in document["operations"].values()
        for name in names(operation.get("reply", {"messages": []}))
    }
    assert {name for action, name in moved if action == "send"} | answers == {*told_facts(), *SENT}


def test_an_operation_moves_messages_of_its_own_channel(document: dict[str, Any]) -> None:
    for operation in document["operations"].values():
        for part in (operation, operation.get("reply")):
            for reference in part["messages"] if part else ():
                assert reference["$ref"].startswith(part["channel"]["$ref"] + "/messages/")


def test_whoever_asks_is_answered_on_a_channel_of_its_own(document: dict[str, Any]) -> None:
    asked = {name: one for name, one in document["operations"].items() if one["action"] == "receive"}

    assert {
        one["channel"]["$ref"].split("/")[-1]: one["reply"]["channel"]["$ref"].split("/")[-1] for one in asked.values()
    } == {"from-hotline": "hotline-replies", "from-department": "department", "reports": "receipts"}
    assert all("request.not-taken.v1" in names(one["reply"]) for one in asked.values())
    assert set(ACTS) < set(names(asked["take-acts-of-departments"]))


def names(operation: dict[str, Any]) -> list[str]:
    return [reference["$ref"].split("/")[-1] for reference in operation["messages"]]


@pytest.mark.parametrize("name", TOLD)
def test_what_we_write_fits_the_payload_of_its_message(document: dict[str, Any], name: str) -> None:
    payload = document["components"]["messages"][name]["payload"]
    written = as_json(TOLD[name])

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
