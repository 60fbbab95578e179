"""Reports over HTTP: a plain report line, or CloudEvents that carry one, structured, binary or in a batch."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Parameter, Reference, RequestBody, Schema
from msgspec import Struct

from events.attributes import quoted
from events.cloudevents import (
    BATCH,
    HTTP,
    JSON,
    MSGPACK,
    STRUCTURED,
    BadEvent,
    CloudEvent,
    from_batch,
    from_headers,
    from_structured,
    is_batch,
    is_binary,
    is_structured,
    media_type,
)
from events.edge import ReportLine
from services.intake.line import BadLine, read_event, read_placed_line
from services.messaging.topology import senders_of
from services.runtime.batch import Submission
from services.runtime.errors import Conflict, Erased
from services.runtime.front import Closed, Front, Overloaded
from services.runtime.tracing import trace_of, under
from services.wiring import House

DEFAULT_SOURCE = "web"
TAKEN = 201
REJECTED = 422
UNKNOWN_FORMAT = 415
_MALFORMED = 400
_REFUSALS: dict[type[Exception], int] = {
    BadLine: _MALFORMED,
    BadEvent: _MALFORMED,
    Conflict: 409,
    Erased: 410,
    Overloaded: 503,
    Closed: 503,
}

_IN_EVERY_EVENT = ("specversion", "id", "source", "type")
_REFUSED = tuple(_REFUSALS)

Headers = list[tuple[str, str]]


class Received(Struct):
    """A report was taken. ``repeated`` when it was already known: the receipt is the same."""

    receipt: str
    report: str
    repeated: bool


class Outcome(Struct):
    """What became of one event of a batch: as if it had come alone, with this status.

    ``event`` is its id as far as it could be read. With 201 there is a receipt, with any other status ``detail`` says
    why nothing of it was taken.
    """

    status_code: int
    event: str = ""
    receipt: str = ""
    report: str = ""
    repeated: bool = False
    detail: str = ""


class Reports:
    """The channel of the web. A report's source is the one that its line names, else ``web``."""

    def __init__(self, house: House, front: Front) -> None:
        self._house, self._front = house, front

    async def take(self, headers: Headers, content_type: str, body: bytes) -> Received | list[Outcome]:
        """Take what was posted; answers after the facts are committed. A batch has one outcome per event, in order.

        Raises:
            HTTPException: with the status and the reason why nothing was taken.
        """
        trace = next((value for name, value in headers if name.lower() == "traceparent"), None)
        if is_batch(content_type):
            return await self._batch(body, trace)
        if media_type(content_type).startswith("application/cloudevents") and not is_structured(content_type):
            raise HTTPException(
                f"content-type: expected {STRUCTURED} or {BATCH}, found {quoted(content_type)}",
                status_code=UNKNOWN_FORMAT,
            )
        try:
            if is_structured(content_type):
                submission = await asyncio.to_thread(lambda: self._of_event(under(from_structured(body), trace)))
            elif is_binary(headers, HTTP):
                event = from_headers(headers, content_type, body, HTTP)
                submission = await asyncio.to_thread(self._of_event, under(event, trace))
            else:
                submission = await asyncio.to_thread(lambda: self._of_line(read_placed_line(body)))
            return await self._decided(submission)
        except _REFUSED as error:
            raise HTTPException(str(error), status_code=_status(error)) from error

    async def _batch(self, body: bytes, trace: str | None) -> list[Outcome]:
        try:
            prepared = await asyncio.to_thread(self._prepare, body, trace)
        except BadEvent as error:
            raise HTTPException(str(error), status_code=_MALFORMED) from error
        return await asyncio.gather(*(self._outcome(event, found) for event, found in prepared))

    def _prepare(self, body: bytes, trace: str | None) -> list[tuple[str, Submission | Exception]]:
        """Each event's id with what it asks for, or what is wrong with it."""
        prepared: list[tuple[str, Submission | Exception]] = []
        for event in from_batch(body):
            if isinstance(event, BadEvent):
                prepared.append((event.event, event))
                continue
            try:
                prepared.append((event.id, self._of_event(under(event, trace))))
            except _REFUSED as error:
                prepared.append((event.id, error))
        return prepared

    async def _outcome(self, event: str, found: Submission | Exception) -> Outcome:
        try:
            if isinstance(found, Exception):
                raise found
            received = await self._decided(found)
        except _REFUSED as error:
            return Outcome(_status(error), event, detail=str(error))
        except HTTPException as error:
            return Outcome(error.status_code, event, detail=error.detail)
        return Outcome(TAKEN, event, received.receipt, received.report, received.repeated)

    def _of_event(self, event: CloudEvent) -> Submission:
        return self._of_line(read_event(event), trace_of(event))

    def _of_line(self, line: ReportLine, trace: str = "") -> Submission:
        house, rules = self._house, self._house.ledger.rules
        source, senders = line.source or DEFAULT_SOURCE, senders_of(rules)
        if senders.who(source) or senders.terminal(source):  # here nobody proves who they are
            raise BadLine(f"source: expected the sender's own name, found {source}, who hands in over the broker")
        return house.desk.submission(line, source, rules, house.clock.now(), trace=trace)

    async def decided(self, submission: Submission) -> Received:
        """The receipt of a report once it is committed.

        Raises:
            HTTPException: with the status and the reason why nothing was taken.
        """
        try:
            return await self._decided(submission)
        except _REFUSED as error:
            raise HTTPException(str(error), status_code=_status(error)) from error

    async def _decided(self, submission: Submission) -> Received:
        answer = await self._front.submit(submission)
        if answer.status == "rejected":
            raise HTTPException(answer.reason, status_code=REJECTED)
        request: Any = submission.request
        return Received(request.receipt, request.report, answer.repeated)


def _status(refusal: Exception) -> int:
    return next(status for kind, status in _REFUSALS.items() if isinstance(refusal, kind))


@dataclass
class ReportOperation(Operation):
    """Documents what may be posted, which is read by the same code as every other channel's."""

    def __post_init__(self) -> None:
        """Name the bodies, the fields of a report, and the headers of binary mode."""
        line = _described(ReportLine)
        event = _event_of(line)
        events = Schema(title="Batch", description="At most 1000 events.", type=OpenAPIType.ARRAY, items=event)
        bodies = {JSON: line, STRUCTURED: event, BATCH: events, MSGPACK[0]: line}
        self.request_body = RequestBody(
            required=True,
            content={kind: OpenAPIMediaType(schema=schema) for kind, schema in bodies.items()},
            description="A report line; or CloudEvents 1.0 of type report.submit.v1 whose data is one. In binary mode "
            f"the attributes stand in ce- headers and the line may be {MSGPACK[0]}. The events' own id and source are "
            "not the report's: these stand in the line.",
        )
        self.parameters = [*(self.parameters or []), *(_header(name) for name in _IN_EVERY_EVENT)]


def _described(struct: type[Struct]) -> Schema:
    schema = msgspec.json.schema(struct)["$defs"][struct.__name__]
    fields: dict[str, Reference | Schema] = {
        name: Schema(description=str(field.get("type", ""))) for name, field in schema["properties"].items()
    }
    return Schema(
        title=struct.__name__, description=schema["description"], properties=fields, required=schema["required"]
    )


def _event_of(line: Schema) -> Schema:
    texts = (*_IN_EVERY_EVENT, "time", "datacontenttype", "data_base64", "traceparent")
    fields: dict[str, Reference | Schema] = {name: Schema(type=OpenAPIType.STRING) for name in texts}
    return Schema(
        title="CloudEvent",
        description="CloudEvents 1.0 in JSON; the report line is its data, or its data_base64 with a content type.",
        type=OpenAPIType.OBJECT,
        properties={**fields, "data": line},
        required=[*_IN_EVERY_EVENT],
    )


def _header(name: str) -> Parameter:
    return Parameter(
        name=f"ce-{name}",
        param_in="header",
        required=False,
        description="Binary mode of CloudEvents: with this header the body is the event's data.",
        schema=Schema(type=OpenAPIType.STRING),
    )
