"""Traces: one from a report over the brokers to the department's acknowledgement, as OpenTelemetry knows them.

The W3C ``traceparent`` of whoever asked first is stored with every fact that follows and goes out with every message,
so a trace outlives queues, restarts and the nights between.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import structs
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from events.cloudevents import CloudEvent

_FORM = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CONTEXT = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("hujiao")


def set_up(service: str) -> None:
    """Send this process's spans to ``OTEL_EXPORTER_OTLP_ENDPOINT`` and, as lines of JSON, to ``HUJIAO_TRACE_FILE``.

    With neither, traces are carried on and nothing is recorded.
    """
    file, endpoint = os.environ.get("HUJIAO_TRACE_FILE"), os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not file and not endpoint:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": f"hujiao-{service}"}))
    if file:
        lines = Path(file).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115  # open as long as the process
        writes = ConsoleSpanExporter(out=lines, formatter=lambda span: span.to_json(indent=None) + "\n")
        provider.add_span_processor(SimpleSpanProcessor(writes))
    if endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # a third of a second

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@contextmanager
def span(name: str, parent: str, kind: SpanKind = SpanKind.INTERNAL, **about: str) -> Iterator[str]:
    """Something that takes time, under a ``traceparent``; gives the one to carry on.

    Without tracing the parent itself is carried on, so that others who do trace find each other.
    """
    context = _CONTEXT.extract({"traceparent": parent}) if parent else None
    with _TRACER.start_as_current_span(name, context=context, kind=kind, attributes=about) as current:
        if not current.get_span_context().is_valid:
            yield parent
            return
        carrier: dict[str, str] = {}
        _CONTEXT.inject(carrier)
        yield carrier.get("traceparent", parent)


@contextmanager
def followed(name: str, parent: str, kind: SpanKind = SpanKind.INTERNAL, **about: str) -> Iterator[str]:
    """A `span` of what somebody traces already; without a parent there is none."""
    if not parent:
        yield ""
        return
    with span(name, parent, kind, **about) as carried:
        yield carried


def under(event: CloudEvent, traceparent: object) -> CloudEvent:
    """The event under the ``traceparent`` of the message that brought it, unless it says one itself.

    That is where a sender's own instrumentation puts it, which knows nothing of what is inside.
    """
    if "traceparent" in event.extensions or not isinstance(traceparent, str) or not _FORM.fullmatch(traceparent):
        return event
    return structs.replace(event, extensions={**event.extensions, "traceparent": traceparent})


def trace_of(event: CloudEvent) -> str:
    """The ``traceparent`` under which an event was sent; empty if there is none, or none of W3C's form."""
    said = str(event.extensions.get("traceparent", ""))
    return said if _FORM.fullmatch(said) else ""
