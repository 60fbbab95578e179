"""Our own language in CloudEvents: facts as everybody outside hears of them, and the messages of the edges."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct, msgpack

from events.attributes import MAX_INTEGER, BadEvent, as_it_was, harmless, quoted, shown
from events.catalog import CATALOG, Catalog
from events.cloudevents import JSON, MSGPACK, CloudEvent, decode_data, is_json
from events.edge import NAMES
from events.envelope import Meta, Recorded

S = TypeVar("S", bound=Struct)

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def fact_event(recorded: Recorded, source: str, catalog: Catalog = CATALOG) -> CloudEvent:
    """A recorded fact for everybody outside; ``source`` says which district's log it comes from.

    Its ``id`` is the fact's, its ``subject`` the stream, its ``time`` when it was recorded; the data is JSON. What a
    fact's origin says beyond that stands in the extensions ``position``, ``causation``, ``correlation``, ``actor``,
    ``configuration`` and ``traceparent``, as far as it says anything. `recorded_of` gives the same fact back.
    """
    meta = recorded.meta
    texts = {
        "causation": harmless(meta.causation),
        "correlation": meta.correlation,
        "actor": harmless(meta.actor),
        "configuration": meta.configuration,
        "traceparent": meta.trace,
    }
    position = recorded.position if recorded.position <= MAX_INTEGER else str(recorded.position)
    return CloudEvent(
        id=recorded.id,
        source=source,
        type=recorded.name,
        subject=recorded.stream,
        time=meta.recorded_at,
        datacontenttype=JSON,
        data=catalog.encode_json(recorded.fact),
        extensions={"position": position, **{name: text for name, text in texts.items() if text}},
    )


def recorded_of(event: CloudEvent, catalog: Catalog = CATALOG) -> Recorded:
    """The recorded fact that an event of `fact_event` carries.

    Raises:
        UnknownFact: for a type that this program does not know: it is older than the log.
        BadEvent: for anything else that does not say what a recorded fact says.
    """
    stream, _, version = event.id.rpartition(":")
    if not stream or not _NUMBER.fullmatch(version):
        raise BadEvent("id", "a fact's id, <stream>:<version>", quoted(event.id), event.id)
    if event.subject != stream:
        raise BadEvent("subject", f"the stream of the id, {shown(stream)}", quoted(event.subject), event.id)
    if event.time is None:
        raise BadEvent("time", "when the fact was recorded", "none", event.id)
    if not is_json(event.datacontenttype):
        raise BadEvent("datacontenttype", JSON, quoted(event.datacontenttype), event.id)
    meta = Meta(
        recorded_at=event.time,
        causation=as_it_was("causation", _text(event, "causation")),
        actor=as_it_was("actor", _text(event, "actor")),
        correlation=_text(event, "correlation"),
        configuration=_text(event, "configuration"),
        trace=_text(event, "traceparent"),
    )
    position = _text(event, "position")
    if not _NUMBER.fullmatch(position):
        raise BadEvent("position", "the fact's position, 1 or more", quoted(position), event.id)
    try:
        name, fact = catalog.decode_json(event.type, event.data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadEvent("data", f"what {event.type} says", shown(error), event.id) from error
    return Recorded(int(position), stream, int(version), name, meta, fact)


def edge_event(
    message: Struct,
    id: str,  # noqa: A002  # the attribute's own name
    source: str,
    at: datetime,
    *,
    subject: str = "",
    content_type: str = JSON,
    extensions: Mapping[str, str | int] | None = None,
) -> CloudEvent:
    """A message of `events.edge` in its event, as JSON or, for a ``content_type`` of `MSGPACK`, as MessagePack.

    ``at`` is when it happened (aware). Whoever sends the same message again gives it the same ``id``.
    """
    write = msgpack.encode if content_type in MSGPACK else msgspec.json.encode
    return CloudEvent(
        id=id,
        source=source,
        type=NAMES[type(message)],
        subject=subject,
        time=at,
        datacontenttype=content_type,
        data=write(message),
        extensions=extensions or {},
    )


def edge_of(event: CloudEvent, accepted: Mapping[str, type[S]]) -> S:
    """The message that an event carries, which must be one of ``accepted`` (`RECEIVED`, `DONE`, `SENT`, `EDGE`).

    Raises:
        BadEvent: for another type, or data that is not of its form.
    """
    form = accepted.get(event.type)
    if form is None:
        raise BadEvent("type", f"one of {', '.join(sorted(accepted))}", quoted(event.type), event.id)
    return decode_data(event, form)


def _text(event: CloudEvent, name: str) -> str:
    return str(event.extensions.get(name, ""))
