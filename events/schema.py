"""Describes the language to other systems: JSON Schemas and one AsyncAPI 3.0 document, made from the catalog."""

from typing import Any

import msgspec

from events.catalog import FACTS, REQUESTS
from events.envelope import Meta

Document = dict[str, Any]
_REFERENCE = "#/components/schemas/{name}"


def json_schemas() -> dict[str, Document]:
    """One JSON Schema (2020-12) per wire name, facts and requests, each complete in itself."""
    structs: dict[str, Any] = {**FACTS, **{_tag(request): request for request in REQUESTS}, "meta": Meta}
    return {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, **msgspec.json.schema(struct)}
        for name, struct in structs.items()
    }


def asyncapi(version: str) -> Document:
    """The whole language as AsyncAPI 3.0: a channel per stream kind, a message per fact and per request."""
    requests = {_tag(request): request for request in REQUESTS}
    messages: dict[str, type[Any]] = {**FACTS, **requests}
    references, schemas = msgspec.json.schema_components(list(messages.values()), ref_template=_REFERENCE)
    kinds = sorted({name.split(".", 1)[0] for name in messages})

    def of(kind: str) -> list[str]:
        return [name for name in messages if name.split(".", 1)[0] == kind]

    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hujiao 呼叫",
            "version": version,
            "description": "Residents report, the township calls, the departments report in. Facts are what happened; "
            "requests are what somebody wants to happen.",
        },
        "defaultContentType": "application/json",
        "channels": {
            kind: {
                "address": kind,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in of(kind)},
            }
            for kind in kinds
        },
        "operations": {
            f"{'publish' if name in FACTS else 'decide'}-{name}": {
                "action": "send" if name in FACTS else "receive",
                "channel": {"$ref": f"#/channels/{name.split('.', 1)[0]}"},
                "messages": [{"$ref": f"#/channels/{name.split('.', 1)[0]}/messages/{name}"}],
            }
            for name in messages
        },
        "components": {
            "messages": {
                name: {"name": name, "summary": _summary(struct), "payload": reference}
                for (name, struct), reference in zip(messages.items(), references, strict=True)
            },
            "schemas": schemas,
        },
    }


def _tag(request: type[Any]) -> str:
    tag = msgspec.inspect.type_info(request)
    return str(tag.tag)  # type: ignore[attr-defined]  # a struct's type information has its tag


def _summary(struct: type[Any]) -> str:
    return (struct.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
