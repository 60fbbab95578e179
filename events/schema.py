"""Describes the language to other systems: JSON Schemas of all of it, and as AsyncAPI 3.0 what passes which channel."""

from collections.abc import Iterable
from typing import Any

import msgspec

from events.catalog import FACTS, REQUESTS
from events.edge import DONE, EDGE
from events.envelope import Meta, kind_of

Document = dict[str, Any]

NEVER_TOLD = frozenset({"mobilisation", "person", "reporter", "roster", "user"})
"""Kinds of streams of which nobody outside hears: who works where and is sent where, who may log in, one pseudonym's
reports."""

_REFERENCE = "#/components/schemas/{name}"
_VHOST = "hujiao"
_OF_A_PART = {"department", "departments", "items", "released"}
_AMQP, _MQTT = {"bindingVersion": "0.3.0"}, {"bindingVersion": "0.2.0"}

_DESCRIPTION = """\
Residents report, the township calls, the departments report in. Facts are what happened; every other message is \
named after what it asks for or answers.

Every message is a CloudEvent 1.0 whose `type` is the message's name and whose data is the payload below, as JSON or, \
where the sender says so in the content type, as MessagePack (`application/vnd.msgpack`). Over AMQP attributes stand \
in headers, `cloudEvents_id` and so on (binary mode); over MQTT 5 in user properties of their own name; over MQTT \
3.1.1 the whole event is the body (structured mode). Structured mode is taken everywhere, batches over AMQP. Who sent \
something is proven by the exchange or topic it came through and never by what it says.

Delivery is at least once: whoever hears of the same `id` twice has heard of one thing. Facts of one stream \
(`subject`) come in order. Reports over HTTP are described by OpenAPI, at `/schema/openapi.json` of the window."""

_PARAMETERS = {
    "hotline": "The hotline's user, such as hotline-12345.",
    "town": "Two letters for the town, such as LD.",
    "platform": "The platform, such as P4; all for a fact of no platform in particular.",
    "department": "The department, such as D07; all for a fact of no department in particular.",
    "user": "The department's user, dept.<town>.<department> in small letters, such as dept.ld.d07.",
    "stream": "The kind of stream: report, case, call, approval, outcome, launch or district.",
    "fact": "The fact, without stream and version, such as acknowledged.",
    "channel": "How residents reach the terminal: hotline, app, village or web.",
    "terminal": "The terminal's user.",
}

RECEIPTS = ("report.received.v1", "request.not-taken.v1")
ACTED = tuple(DONE)
OF_ITS_OWN = ("leg.called.v1", "responders.called.v1", "responders.released.v1")
"""What is written to one department alone, beside the facts of its part."""
DECISIONS = ("act.decided.v1", "words.opened.v1", "request.not-taken.v1")


def json_schemas() -> dict[str, Document]:
    """One JSON Schema (2020-12) per name, each complete in itself.

    Facts and edge messages stand under their wire names, requests under ``<wire name>.request``, because a request
    may be called as the message that asks for it, and the origin of facts under ``meta``.
    """
    requests = {f"{_tag(request)}.request": request for request in REQUESTS}
    structs: dict[str, Any] = {**FACTS, **EDGE, **requests, "meta": Meta}
    return {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, **msgspec.json.schema(struct)}
        for name, struct in structs.items()
    }


def told_facts() -> tuple[str, ...]:
    """The wire names of the facts that are published."""
    return tuple(name for name in FACTS if kind_of(name) not in NEVER_TOLD)


def facts_of_parts() -> tuple[str, ...]:
    """The wire names of the facts that concern one department's part of a call, or its item of an approval.

    They come to that department once more, under its own key.
    """
    return tuple(
        name
        for name, fact in FACTS.items()
        if kind_of(name) in ("call", "approval") and _OF_A_PART & set(fact.__struct_fields__)
    )


def asyncapi(version: str) -> Document:
    """What others send us and hear from us, as AsyncAPI 3.0 from our point of view: we ``receive`` and ``send``."""
    messages: dict[str, Any] = {name: FACTS[name] for name in told_facts()} | dict(EDGE)
    references, schemas = msgspec.json.schema_components(list(messages.values()), ref_template=_REFERENCE)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Hujiao 呼叫", "version": version, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "broker": _server("amqp", "0.9.1", 5672, "RabbitMQ") | {"pathname": f"/{_VHOST}"},
            "terminals": _server("mqtt", "5.0", 1883, "Mosquitto, which speaks 3.1.1 too"),
        },
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "securitySchemes": {"user": {"type": "userPassword"}},
            "messages": {
                name: {
                    "name": name,
                    "summary": _summary(struct),
                    "contentType": "application/json",
                    "payload": reference,
                }
                for (name, struct), reference in zip(messages.items(), references, strict=True)
            },
            "schemas": schemas,
        },
    }


def _server(protocol: str, version: str, port: int, description: str) -> Document:
    return {
        "host": f"{{host}}:{port}",
        "protocol": protocol,
        "protocolVersion": version,
        "description": description,
        "variables": {"host": {"default": "127.0.0.1"}},
        "security": [{"$ref": "#/components/securitySchemes/user"}],
    }


def _channels() -> Document:
    return {
        "from-hotline": _exchange("from.{hotline}", "fanout", ("report.submit.v1",), "A hotline publishes reports."),
        "hotline-replies": _queue("replies.{hotline}", RECEIPTS, "A hotline finds its receipts and refusals."),
        "from-department": _exchange("from.{user}", "fanout", ACTED, "A department acts, or asks for words."),
        "department": _queue(
            "department.{town}.{department}",
            (*OF_ITS_OWN, *facts_of_parts(), *DECISIONS),
            "A department hears of its parts of calls, of its people who are called to turn out and of the opinions it "
            "owes, and finds the answers to its acts.",
        ),
        "facts": _exchange(
            "{town}.{platform}.{department}.{stream}.{fact}",
            "topic",
            (*told_facts(), *OF_ITS_OWN),
            "Every fact, under a key that says where it belongs. What concerns one department's part of a call comes "
            "once more under that department's key; call.departments-called comes there as leg.called.v1.",
            name="facts",
        ),
        "reports": _topic("report/{town}/{channel}/{terminal}", ("report.submit.v1",), "A terminal publishes reports."),
        "receipts": _topic("receipt/{terminal}", RECEIPTS, "A terminal hears what became of what it published."),
        "news": _topic("news/{terminal}", ("case.news.v1",), "A terminal hears of the cases that it reported."),
    }


def _channel(address: str, server: str, messages: Iterable[str], summary: str) -> Document:
    return {
        "address": address,
        "summary": summary,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "parameters": {name: {"description": text} for name, text in _PARAMETERS.items() if f"{{{name}}}" in address},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _exchange(address: str, kind: str, messages: Iterable[str], summary: str, name: str = "") -> Document:
    exchange = {"name": name or address, "type": kind, "durable": True, "autoDelete": False, "vhost": _VHOST}
    bindings = {"amqp": {"is": "routingKey", "exchange": exchange, **_AMQP}}
    return {**_channel(address, "broker", messages, summary), "bindings": bindings}


def _queue(address: str, messages: Iterable[str], summary: str) -> Document:
    queue = {"name": address, "durable": True, "exclusive": False, "autoDelete": False, "vhost": _VHOST}
    bindings = {"amqp": {"is": "queue", "queue": queue, **_AMQP}}
    return {**_channel(address, "broker", messages, summary), "bindings": bindings}


def _topic(address: str, messages: Iterable[str], summary: str) -> Document:
    return _channel(address, "terminals", messages, summary)


def _operations() -> Document:
    amqp_in: Document = {"amqp": {"ack": True, **_AMQP}}
    amqp_out: Document = {"amqp": {"deliveryMode": 2, "mandatory": True, **_AMQP}}
    mqtt: Document = {"mqtt": {"qos": 1, "retain": False, **_MQTT}}
    return {
        "take-reports-of-hotlines": {
            **_operation("receive", "from-hotline", ("report.submit.v1",), amqp_in),
            "reply": _on("hotline-replies", RECEIPTS),
        },
        "take-acts-of-departments": {
            **_operation("receive", "from-department", ACTED, amqp_in),
            "reply": _on("department", DECISIONS),
        },
        "take-reports-of-terminals": {
            **_operation("receive", "reports", ("report.submit.v1",), mqtt),
            "reply": _on("receipts", RECEIPTS),
        },
        "publish-facts": _operation("send", "facts", (*told_facts(), *OF_ITS_OWN), amqp_out),
        "tell-departments": _operation("send", "department", (*OF_ITS_OWN, *facts_of_parts()), amqp_out),
        "tell-terminals": _operation("send", "news", ("case.news.v1",), mqtt),
    }


def _operation(action: str, channel: str, messages: Iterable[str], bindings: Document) -> Document:
    return {"action": action, **_on(channel, messages), "bindings": bindings}


def _on(channel: str, messages: Iterable[str]) -> Document:
    where = f"#/channels/{channel}"
    return {"channel": {"$ref": where}, "messages": [{"$ref": f"{where}/messages/{name}"} for name in messages]}


def _tag(request: type[Any]) -> str:
    tag = msgspec.inspect.type_info(request)
    return str(tag.tag)  # type: ignore[attr-defined]  # a struct's type information has its tag


def _summary(struct: type[Any]) -> str:
    return (struct.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
