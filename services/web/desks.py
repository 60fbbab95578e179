"""The desks: what each role looks at, and the one door through which people act."""

import asyncio
import secrets
from datetime import date
from io import BytesIO
from typing import Annotated, Any

import segno
import structlog
from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.params import PathParameter, QueryParameter
from litestar.response import ServerSentEvent
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from events.edge import OpenedReport
from events.ids import is_stream_id
from events.user import DisableUser
from services.acting import ANY_ACT, BadAct
from services.people.authority import sights_of
from services.people.user import User
from services.runtime.errors import Conflict, Erased
from services.runtime.front import Closed, Overloaded
from services.web.gate import body_of, page, personal, read, who
from services.web.live import stream
from services.web.window import Window
from services.written import Written

InPath = Annotated[str, PathParameter()]
Asked = Annotated[str, QueryParameter()]
Limit = Annotated[int, QueryParameter()]

Asking = Request[User, str, Any]

REJECTED = 422
_SVG = "image/svg+xml"
_DRAWING = ResponseSpec(str, media_type=_SVG, generate_examples=False, description="The code as an image")
_DIGITS = 18
_FURTHEST = 10**_DIGITS - 1
_KEY_HEADER = "idempotency-key"
_LONGEST_KEY = 100

logger = structlog.get_logger()


class Done(Struct):
    """An act was taken; ``facts`` says how many facts it made, 0 when all of it had been done before."""

    facts: int
    repeated: bool


def desk_routes(window: Window) -> list[ControllerRouterHandler]:
    """What people see who are logged in."""

    @get("/api/status", sync_to_thread=True, **page("board"))
    def status() -> dict[str, Any]:
        """Clock, position and the key figures."""
        return window.status()

    @get("/api/live", **page("board"))
    async def live(
        request: Asking, after: Annotated[int | None, QueryParameter(ge=0, le=_FURTHEST)] = None
    ) -> ServerSentEvent:
        """实时: what happens in your sight as server-sent events, each ``news`` with the position up to which it tells.

        It begins with now; with a ``last-event-id``, or ``after`` a position, with what has happened since.
        """
        seen = request.headers.get("last-event-id", "")
        heard = int(seen) if seen.isascii() and seen.isdigit() and len(seen) <= _DIGITS else after
        if heard is not None and heard > await asyncio.to_thread(window.house.log.head):
            heard = None  # of another log, which was here before
        return ServerSentEvent(
            stream(window.live, sights_of(request.user), heard, window.time, lambda: _still_there(request))
        )

    def _still_there(request: Asking) -> bool:
        found = who(window.house, request)
        if found is None or found[0] != request.user:
            return False
        window.seats.seen(request.user)
        return True

    @get("/api/board", sync_to_thread=True, **page("board"))
    def board(
        request: Asking,
        town: Asked = "",
        classes: Asked = "",
        overdue: Annotated[bool, QueryParameter()] = False,
        limit: Limit = 60,
    ) -> dict[str, Any]:
        """What is open and who owes what until when: overdue first, at most ``limit`` of each platform."""
        now, wanted = window.house.clock.now(), [name for name in classes.split() if name]
        return {
            "now": now.isoformat(),
            **window.seen_by(request.user).board(now, town, wanted, overdue, at_most(limit)),
        }

    @get("/api/recent", sync_to_thread=True, **page("board"))
    def recent(request: Asking, limit: Limit = 40) -> dict[str, Any]:
        """What happened last."""
        return {"rows": window.seen_by(request.user).recent(at_most(limit))}

    @get("/api/cases", sync_to_thread=True, **page("board"))
    def cases(request: Asking, phase: Asked = "", town: Asked = "", limit: Limit = 100) -> dict[str, Any]:
        """Cases, newest first."""
        return {"rows": window.seen_by(request.user).cases(phase, town, at_most(limit))}

    @get("/api/cases/{case:str}", sync_to_thread=True, **page("board"))
    def case(request: Asking, case: InPath, position: Limit = 0) -> dict[str, Any]:
        """One case with its calls, departments, timeline and reasons, and what you could do about it now.

        With a ``position`` of its timeline: as it stood then.
        """
        return window.case(case, request.user, position)

    @get("/api/triage", sync_to_thread=True, **page("triage"))
    def triage(request: Asking) -> dict[str, Any]:
        """分派台: cases that wait for an operator."""
        return {"now": window.house.clock.now().isoformat(), "rows": window.seen_by(request.user).triage()}

    @get("/api/inbox", sync_to_thread=True, **page("inbox"))
    def inbox(request: Asking) -> dict[str, Any]:
        """部门收件箱: what your department owes, with what you could do now."""
        return {"now": window.house.clock.now().isoformat(), "rows": window.inbox(request.user)}

    @get("/api/review", sync_to_thread=True, **page("review"))
    def review(request: Asking) -> dict[str, Any]:
        """审核: results that wait for a reviewer."""
        return _owing(request, "review")

    @get("/api/follow-ups", sync_to_thread=True, **page("follow_up"))
    def follow_ups(request: Asking) -> dict[str, Any]:
        """回访: cases whose reporters wait to be asked."""
        return _owing(request, "follow_up")

    @get("/api/drafts", sync_to_thread=True, **page("notices"))
    def drafts(request: Asking) -> dict[str, Any]:
        """公开: notices that wait for a second person."""
        return _owing(request, "disclose")

    def _owing(request: Asking, *owes: str) -> dict[str, Any]:
        now = window.house.clock.now()
        return {"now": now.isoformat(), "rows": window.seen_by(request.user).owing(now, owes)}

    @get("/api/workload", sync_to_thread=True, **page("board"))
    def workload(request: Asking) -> dict[str, Any]:
        """How busy each department is, as far as you may see."""
        unit = request.user.unit
        return {"rows": window.questions.workload(unit.town, unit.department)}

    @get("/api/towns/{town:str}/morning", sync_to_thread=True, **page("board"))
    def morning(request: Asking, town: InPath, day: Annotated[date | None, QueryParameter()] = None) -> dict[str, Any]:
        """值班日报: the night's cases of a town, the clocks missed in it, what falls due today, and who is on duty."""
        return window.morning(request.user, town, day)

    @get("/api/cases/{case:str}/qr.svg", sync_to_thread=True, responses={200: _DRAWING}, **page("board"))
    def qr(request: Asking, case: InPath) -> Response[bytes]:
        """The address of a case's page, for the printed call."""
        if not is_stream_id(case):
            raise HTTPException(f"case: expected the id of one, found {case[:40]!r}", status_code=404)
        drawn = BytesIO()
        segno.make(f"{request.base_url}console/#case={case}", error="m").save(drawn, kind="svg", scale=4, border=2)
        return Response(drawn.getvalue(), media_type=_SVG)

    @get("/api/openings", sync_to_thread=True, **page("openings"))
    def openings(limit: Limit = 200) -> dict[str, Any]:
        """查阅记录: who opened whose words, and what for, the newest first."""
        return {"rows": window.house.vault.newest_openings(at_most(limit))}

    return [
        status,
        live,
        board,
        recent,
        cases,
        case,
        triage,
        inbox,
        review,
        follow_ups,
        drafts,
        workload,
        morning,
        qr,
        openings,
    ]


def act_routes(window: Window) -> list[ControllerRouterHandler]:
    """What people do who are logged in: opening words, and every act."""

    @post("/api/cases/{case:str}/words", status_code=200, **page("board"))
    async def words(request: Asking, case: InPath) -> list[OpenedReport]:
        """Open what residents said of a case; that you did is recorded."""
        return await asyncio.to_thread(window.opening.words, request.user, case)

    @post("/api/cases/{case:str}/written", status_code=200, **page("board"))
    async def written(request: Asking, case: InPath) -> list[Written]:
        """Open what departments, reviewers and reporters wrote about a case; that you did is recorded."""
        return await asyncio.to_thread(window.opening.written, request.user, case)

    @post("/api/acts", status_code=200, **personal(takes=ANY_ACT))
    async def act(request: Asking) -> Response[Done]:
        """Do something: an act's wire name under ``request``, and its fields. Who acts is who is logged in.

        With an ``idempotency-key`` header the same act sent again is done once.
        """
        asked = read(await body_of(request), dict[str, Any])
        key = request.headers.get(_KEY_HEADER) or secrets.token_hex(16)
        if len(key) > _LONGEST_KEY or not key.isprintable():
            raise HTTPException(f"{_KEY_HEADER}: expected at most {_LONGEST_KEY} printable characters", status_code=400)
        try:
            submission = await asyncio.to_thread(window.acting.submission, request.user, asked, key)
            answer = await window.front.submit(submission)
        except BadAct as error:
            raise HTTPException(str(error), status_code=400) from error
        except Conflict as error:
            raise HTTPException(str(error), status_code=409) from error
        except Erased as error:
            raise HTTPException(str(error), status_code=410) from error
        except (Overloaded, Closed) as error:
            raise HTTPException(str(error), status_code=503) from error
        logger.info("acted", user=request.user.name, act=asked.get("request"), status=answer.status)
        if answer.status == "rejected":
            raise HTTPException(answer.reason, status_code=REJECTED)
        if isinstance(submission.request, DisableUser) and not answer.repeated:
            await asyncio.to_thread(window.house.accounts.forget, str(asked["name"]))
        return Response(Done(answer.facts, answer.repeated))

    return [words, written, act]


def at_most(limit: int) -> int:
    """How many rows somebody gets who asks for so many."""
    return max(1, min(limit, 1000))
