"""话务登记: what a clerk needs while the caller talks: their earlier reports, what it is about, and a receipt."""

import asyncio

import structlog
from litestar import post
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from events.edge import ReportLine
from events.report import Suggestion
from services.acting import Told
from services.intake.line import BadLine, read_placed_line
from services.web.desks import Asking
from services.web.gate import body_of, page, personal, read
from services.web.reports import TAKEN, Received
from services.web.window import Window

_LONGEST = 20_000

logger = structlog.get_logger()


class Caller(Struct, forbid_unknown_fields=True):
    """Who is on the telephone."""

    phone: str


class Said(Struct, forbid_unknown_fields=True):
    """What the caller has said so far; nothing of it is kept."""

    title: str = ""
    text: str = ""


def intake_routes(window: Window) -> list[ControllerRouterHandler]:
    """What a clerk asks for while taking down a report."""

    @post("/api/desk/callers", status_code=200, **page("intake", takes=Caller))
    async def caller(request: Asking) -> list[Told]:
        """What the caller with this telephone number told our clerks this month and last, the newest first."""
        found = read(await body_of(request), Caller)
        try:
            told = await asyncio.to_thread(window.acting.told_by, request.user, found.phone)
        except BadLine as error:
            raise HTTPException(str(error), status_code=400) from error
        logger.info("caller_looked_up", user=request.user.name, found=len(told))
        return told

    @post("/api/desk/suggestions", status_code=200, **page("intake", takes=Said))
    async def suggestions(request: Asking) -> list[Suggestion]:
        """Which matters the words speak for, the best first, each with its score and the words that decided."""
        said = read(await body_of(request), Said)
        rules = window.house.ledger.rules
        title, text = said.title[:_LONGEST], said.text[:_LONGEST]
        return list(await asyncio.to_thread(window.house.desk.suggestions, title, text, rules))

    @post("/api/desk/reports", status_code=TAKEN, **personal(takes=ReportLine))
    async def take_down(request: Asking) -> Received:
        """Take down a report for a resident, as a report line, in your own name."""
        try:
            line = read_placed_line(await body_of(request))
            submission = await asyncio.to_thread(window.acting.report, request.user, line)
        except BadLine as error:
            raise HTTPException(str(error), status_code=400) from error
        return await window.reports.decided(submission)

    return [caller, suggestions, take_down]
