"""CloudEvents 1.0.2: the envelope of everything that passes our doors, read strictly and written for each transport.

The functions know the formats (binary, structured, batch) and what attributes are called on AMQP, MQTT and HTTP; they
know neither brokers nor our own language, which `events.carried` puts into such envelopes.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, msgpack

from events.attributes import (
    CORE,
    NAME,
    BadEvent,
    as_text,
    check_extension,
    check_text,
    extension_of,
    in_utc,
    percent_decoded,
    percent_encoded,
    quoted,
    rfc3339,
    shown,
    text_of,
    time_of,
)

__all__ = [
    "AMQP",
    "BATCH",
    "HTTP",
    "JSON",
    "MAX_BYTES",
    "MAX_EVENTS",
    "MQTT",
    "MSGPACK",
    "STRUCTURED",
    "BadEvent",
    "CloudEvent",
    "decode_data",
    "from_batch",
    "from_headers",
    "from_structured",
    "is_batch",
    "is_binary",
    "is_json",
    "is_structured",
    "media_type",
    "to_batch",
    "to_headers",
    "to_structured",
]

AMQP = ("cloudEvents_", "cloudEvents:")
"""In front of attributes in AMQP's headers; we write the first, which every client library can read."""

HTTP = ("ce-",)
"""In front of attributes in HTTP's headers, whose values are percent-encoded."""

MQTT = ("",)
"""MQTT 5: a user property has the attribute's own name."""

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MSGPACK = ("application/vnd.msgpack", "application/msgpack", "application/x-msgpack")
"""What senders call MessagePack; the first is its registered name, which we write."""

MAX_BYTES = 32 * 1024 * 1024
MAX_EVENTS = 1000
MAX_EXTENSIONS = 64

Headers = Mapping[str, Any] | Sequence[tuple[str, Any]]

T = TypeVar("T")

_VERSION = "1.0"
_IN_EVERY_EVENT = frozenset({"specversion", "id", "source", "type"})
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # the grammar's word for a name, no secret
_MEDIA_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}[ \t]*(;.*)?")

_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_batches = msgspec.json.Decoder(list[msgspec.Raw])
_raws = msgspec.json.Decoder(msgspec.Raw)


class CloudEvent(Struct, frozen=True):
    """One event. An empty ``subject`` or ``datacontenttype`` is not there; without the latter the data is JSON.

    ``time`` is aware. ``extensions`` are all attributes beyond the standard's core, ``dataschema`` among them. Their
    integers and booleans become text on HTTP and MQTT, which know nothing else.

    Raises:
        BadEvent: when it could not be written as the standard wants it.
    """

    id: str
    source: str
    type: str
    subject: str = ""
    time: datetime | None = None
    datacontenttype: str = ""
    data: bytes = b""
    extensions: Mapping[str, str | int] = {}

    def __post_init__(self) -> None:
        """Check everything that the standard asks of attributes."""
        with _faults_of(self.id):
            for name in ("id", "source", "type"):
                if not getattr(self, name):
                    raise BadEvent(name, "some text", "none")
            for name in ("id", "source", "type", "subject", "datacontenttype"):
                check_text(name, getattr(self, name))
            if self.time is not None:
                in_utc("time", self.time)
            if self.datacontenttype:
                _check_content_type(self.datacontenttype)
            if len(self.extensions) > MAX_EXTENSIONS:
                raise BadEvent("extensions", f"at most {MAX_EXTENSIONS}", f"{len(self.extensions)}")
            for name, value in self.extensions.items():
                check_extension(name, value)


def media_type(content_type: str | None) -> str:
    """A content type in lower case and without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_structured(content_type: str | None) -> bool:
    """Whether a body of this type is one whole event in JSON."""
    return media_type(content_type) == STRUCTURED


def is_batch(content_type: str | None) -> bool:
    """Whether a body of this type is a list of events in JSON."""
    return media_type(content_type) == BATCH


def is_binary(headers: Headers, prefixes: tuple[str, ...]) -> bool:
    """Whether headers hold one of the attributes that every event has: then the message's body is the data."""
    return any(_attribute(key, prefixes) in _IN_EVERY_EVENT for key, _ in _pairs(headers))


def is_json(content_type: str | None) -> bool:
    """Whether data of this type is JSON; data without a type is."""
    found = media_type(content_type)
    return not found or found.endswith(("/json", "+json"))


def from_headers(headers: Headers, content_type: str | None, body: bytes, prefixes: tuple[str, ...]) -> CloudEvent:
    """The event of a message in binary mode: attributes in ``headers``, one of `AMQP`, `HTTP` or `MQTT` before them.

    Other headers are not looked at. Values may be text, bytes in UTF-8, integers, booleans or times, as AMQP's
    clients write them.

    Raises:
        BadEvent: naming the attribute, what was expected and what was found.
    """
    attributes: dict[str, Any] = {}
    for key, value in _pairs(headers):
        name = _attribute(key, prefixes)
        if name is None or value is None:
            continue
        if name in attributes:
            raise BadEvent(name, "it once", "it more than once")
        attributes[name] = percent_decoded(name, text_of(name, value)) if prefixes == HTTP else value
    with _faults_of(attributes.get("id")):
        _check_size("data", body)
        declared = (content_type or "").strip()
        named = text_of("datacontenttype", attributes.pop("datacontenttype", declared))
        if declared and named != declared:
            raise BadEvent("datacontenttype", f"the message's own content type {quoted(declared)}", quoted(named))
        return _event(attributes, named, body)


def from_structured(body: bytes) -> CloudEvent:
    """The event in a body of type `STRUCTURED`.

    Raises:
        BadEvent: naming the attribute, what was expected and what was found.
    """
    fields = _object(body)
    bare, encoded = fields.pop("data", None), fields.pop("data_base64", None)
    with _faults_of(_readable(fields.get("id"))):
        attributes = {name: value for name, raw in fields.items() if (value := _json_value(name, raw)) is not None}
        content_type = attributes.pop("datacontenttype", "")
        if bare is not None and encoded is not None:
            raise BadEvent("data", "it once", "data and data_base64")
        data = _bare_data(bare, content_type) if encoded is None else _decode_base64(encoded)
        return _event(attributes, content_type, data)


def from_batch(body: bytes) -> tuple[CloudEvent | BadEvent, ...]:
    """The events in a body of type `BATCH`, in order; in the place of one that is none, what is wrong with it.

    Raises:
        BadEvent: when the body as a whole is no batch, or one of too many events.
    """
    _check_size("batch", body)
    try:
        raws = _batches.decode(body)
    except RecursionError as error:
        raise BadEvent("batch", "a list of events in JSON", "brackets nested too deeply") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadEvent("batch", "a list of events in JSON", shown(error)) from error
    if len(raws) > MAX_EVENTS:
        raise BadEvent("batch", f"at most {MAX_EVENTS} events", f"{len(raws)}")
    return tuple(_event_or_fault(bytes(raw)) for raw in raws)


def to_headers(event: CloudEvent, prefix: str) -> dict[str, str | int]:
    """An event's attributes for a message in binary mode, the first of `AMQP`, `HTTP` or `MQTT` before each.

    The message's content type is ``event.datacontenttype``, its body ``event.data``. Only AMQP's values may be
    other than text.
    """
    attributes = _attributes(event)
    if prefix in AMQP:
        return {prefix + name: value for name, value in attributes.items()}
    texts = {prefix + name: as_text(value) for name, value in attributes.items()}
    return {name: percent_encoded(text) if prefix in HTTP else text for name, text in texts.items()}


def to_structured(event: CloudEvent) -> bytes:
    """An event as a body of type `STRUCTURED`: JSON stands in it as it is, everything else in Base64."""
    fields: dict[str, Any] = {**_attributes(event)}
    if event.datacontenttype:
        fields["datacontenttype"] = event.datacontenttype
    if event.data and is_json(event.datacontenttype) and _may_stand_bare(event.data):
        fields["data"] = msgspec.Raw(event.data)
    elif event.data:
        fields["data_base64"] = event.data
    return msgspec.json.encode(fields)


def to_batch(events: Iterable[CloudEvent]) -> bytes:
    """Events as a body of type `BATCH`."""
    return b"[" + b",".join(to_structured(event) for event in events) + b"]"


def decode_data(event: CloudEvent, form: type[T]) -> T:
    """What an event says, as ``form`` describes it: JSON, or MessagePack if its content type is one of `MSGPACK`.

    Raises:
        BadEvent: for another content type, or data that is not of that form.
    """
    any_form: Any = form  # a type is hashable, which the checker doubts
    as_json, as_msgpack = _decoders(any_form)
    kind = media_type(event.datacontenttype) or JSON
    with _faults_of(event.id):
        if not is_json(kind) and kind not in MSGPACK:
            raise BadEvent("datacontenttype", f"{JSON} or {MSGPACK[0]}", quoted(event.datacontenttype))
        charset = _charset(event.datacontenttype)
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise BadEvent("datacontenttype", "charset=utf-8", quoted(charset))
        try:
            decoded: T = (as_msgpack if kind in MSGPACK else as_json).decode(event.data)
        except msgspec.ValidationError as error:
            raise BadEvent("data", f"what {event.type} says", f"{error}") from error
        except msgspec.DecodeError as error:
            raise BadEvent("data", kind, f"something else: {error}") from error
        except UnicodeError as error:
            raise BadEvent("data", "text in UTF-8", f"other bytes: {error}") from error
        except RecursionError as error:
            raise BadEvent("data", kind, "brackets nested too deeply") from error
    return decoded


@contextmanager
def _faults_of(event: Any) -> Iterator[None]:
    """Every fault found inside names the event, if its id could be read."""
    try:
        yield
    except BadEvent as error:
        error.event = shown(event) if isinstance(event, str) else ""
        raise


def _event(attributes: dict[str, Any], content_type: str, data: bytes) -> CloudEvent:
    """The event of attributes as some transport had them."""
    version = text_of("specversion", attributes.pop("specversion", ""))
    if version != _VERSION:
        raise BadEvent("specversion", _VERSION, quoted(version) if version else "none")
    core = {name: text_of(name, attributes.pop(name, "")) for name in ("id", "source", "type")}
    subject, time = attributes.pop("subject", None), attributes.pop("time", None)
    if subject is not None and not (subject := text_of("subject", subject)):
        raise BadEvent("subject", "some text or no subject at all", "an empty one")
    return CloudEvent(
        **core,
        subject=subject or "",
        time=None if time is None else time_of(text_of("time", time)),
        datacontenttype=content_type,
        data=data,
        extensions={name: extension_of(name, value) for name, value in attributes.items()},
    )


def _event_or_fault(body: bytes) -> CloudEvent | BadEvent:
    try:
        return from_structured(body)
    except BadEvent as error:
        return error


def _attributes(event: CloudEvent) -> dict[str, str | int]:
    core = {"specversion": _VERSION, "id": event.id, "source": event.source, "type": event.type}
    if event.subject:
        core["subject"] = event.subject
    if event.time is not None:
        core["time"] = rfc3339(event.time)
    return {**core, **event.extensions}


def _pairs(headers: Headers) -> Iterable[tuple[str, Any]]:
    return headers.items() if isinstance(headers, Mapping) else headers


def _attribute(key: str, prefixes: tuple[str, ...]) -> str | None:
    """The name of the attribute that a header holds; ``None`` for a header that is none of CloudEvents'."""
    name = key.lower() if prefixes == HTTP else key
    for prefix in prefixes:
        if name.startswith(prefix):
            # every user property of MQTT has the empty prefix: what can be no attribute is somebody else's
            return name.removeprefix(prefix) if prefix or NAME.fullmatch(name) else None
    return None


def _check_size(what: str, body: bytes) -> None:
    if len(body) > MAX_BYTES:
        raise BadEvent(what, f"at most {MAX_BYTES} bytes", f"{len(body)}")


def _check_content_type(content_type: str) -> None:
    if not _MEDIA_TYPE.fullmatch(content_type):
        raise BadEvent("datacontenttype", f"a media type such as {JSON}", quoted(content_type))
    if media_type(content_type).startswith("application/cloudevents"):
        raise BadEvent("datacontenttype", "the media type of the data alone", quoted(content_type))


def _object(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, each as it was written. The same name twice is a fault, whichever is meant."""
    _check_size("event", body)
    try:
        fields = _objects.decode(body)  # takes the last of two equal names
        pairs = json.loads(body.decode(), object_pairs_hook=list, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise BadEvent("event", "one JSON object", "brackets nested too deeply") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadEvent("event", "one JSON object in UTF-8", shown(error)) from error
    if len(pairs) != len(fields):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise BadEvent(name, "it once", f"it {times} times")
    return fields


def _json_value(name: str, raw: msgspec.Raw) -> Any:
    """The value of an attribute in JSON; ``None`` when it is not set."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadEvent(name, "an attribute's value", shown(error)) from error
    if value is None or isinstance(value, str) or (isinstance(value, int) and name not in CORE):
        return value
    expected = "text" if name in CORE else "text, an integer or a boolean"
    raise BadEvent(name, expected, f"a value of type {type(value).__name__}")


def _readable(raw: msgspec.Raw | None) -> str:
    try:
        return "" if raw is None else msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, ValueError):
        return ""


def _bare_data(raw: msgspec.Raw | None, content_type: str) -> bytes:
    if raw is None:
        return b""
    if is_json(content_type):
        return bytes(raw)
    try:
        return msgspec.json.decode(raw, type=str).encode()
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadEvent("data", f"text, or data_base64, for {quoted(content_type)}", shown(error)) from error


def _decode_base64(raw: msgspec.Raw) -> bytes:
    try:
        return base64.b64decode(msgspec.json.decode(raw, type=str), validate=True)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadEvent("data_base64", "Base64", shown(error)) from error


def _may_stand_bare(data: bytes) -> bool:
    """Whether data is JSON that comes back byte for byte when it stands in an event as it is."""
    try:
        data.decode()
        return bytes(_raws.decode(data)) == data
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


@cache
def _decoders(form: Any) -> tuple[msgspec.json.Decoder[Any], msgpack.Decoder[Any]]:
    return msgspec.json.Decoder(form), msgpack.Decoder(form)


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""
