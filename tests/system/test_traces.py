"""One trace leads from a report through the services, and the messages between them, to the department's act."""

import json
from typing import Any

from tests.system.edges import HOTLINE, TRACES, Edges, binary, event, fresh, outside, report, structured, until

LEAD = "dept.ld.d21"
ABOVE = "b7ad6b7169203331"


def new_trace() -> tuple[str, str]:
    """The id of a trace that nobody has, and the ``traceparent`` of whoever began it."""
    trace = f"{int(fresh('').removeprefix('-'), 16):032x}"
    return trace, f"00-{trace}-{ABOVE}-01"


def spans(edges: Edges, trace: str) -> dict[str, dict[str, Any]]:
    """The spans of a trace by id, with the name of the service as ``service``."""
    lines = (edges.township.folder / TRACES).read_text(encoding="utf-8").splitlines()
    return {
        span["context"]["span_id"]: {**span, "service": span["resource"]["attributes"]["service.name"]}
        for span in map(json.loads, lines)
        if span["context"]["trace_id"] == f"0x{trace}"
    }


def way_up(known: dict[str, dict[str, Any]], name: str) -> list[str]:
    """The services from the span of this name up to the one that began, and whoever called that."""
    span = next(span for span in known.values() if span["name"] == name)
    way = [span["service"]]
    while (above := known.get(span["parent_id"])) is not None:
        way.append(above["service"])
        span = above
    return [*way, span["parent_id"].removeprefix("0x")]


async def test_one_trace_leads_from_the_report_to_the_departments_act(edges: Edges) -> None:
    trace, parent = new_trace()
    said = event("report.submit.v1", report(fresh()), traceparent=parent)
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline, outside(edges, LEAD) as lead:
        await hotline.ask(binary(said))
        found = edges.report(HOTLINE, said.data["id"], before)
        assert found is not None
        leg = await lead.hear(
            lambda came: (
                came.type == "leg.called.v1" and came.headers["cloudEvents_correlation"] == found.meta.correlation
            )
        )
        act = event(
            "call.acknowledge.v1",
            {"call": leg.data["call"], "by": "张三"},
            traceparent=leg.headers["cloudEvents_traceparent"],
        )
        answer = await lead.ask(structured(act))

    assert answer.data["status"] == "accepted"
    assert answer.headers["cloudEvents_traceparent"].split("-")[1] == trace
    known = await until(lambda: _with(spans(edges, trace), "publish call.acknowledged.v1"), "the relay's span")
    assert way_up(known, "take act") == ["hujiao-departments", "hujiao-platforms", "hujiao-intake", ABOVE]
    assert way_up(known, "publish call.acknowledged.v1")[:2] == ["hujiao-relay", "hujiao-departments"]
    facts = [recorded for recorded in edges.since(before) if recorded.meta.correlation == found.meta.correlation]
    assert {recorded.meta.trace.split("-")[1] for recorded in facts} == {trace}
    assert "call.acknowledged.v1" in {recorded.name for recorded in facts}


async def test_a_trace_that_stands_beside_the_event_in_the_messages_own_header_is_taken_up(edges: Edges) -> None:
    trace, parent = new_trace()
    said = event("report.submit.v1", report(fresh()))
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(structured(said), headers={"traceparent": parent})

    found = edges.report(HOTLINE, said.data["id"], before)
    assert found is not None
    assert found.meta.trace.split("-")[1] == trace
    assert answer.headers["cloudEvents_traceparent"].split("-")[1] == trace


async def test_what_is_no_trace_is_left_out(edges: Edges) -> None:
    said = event("report.submit.v1", report(fresh()))
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline:
        await hotline.ask(structured(said), headers={"traceparent": "00-mine-01"})

    found = edges.report(HOTLINE, said.data["id"], before)
    assert found is not None
    assert "mine" not in found.meta.trace


def _with(known: dict[str, dict[str, Any]], name: str) -> dict[str, dict[str, Any]] | None:
    return known if any(span["name"] == name for span in known.values()) else None
