"""The window: JSON over HTTP with OpenAPI, health, metrics, the console and the resident's page.

Nobody need log in to hand in a report, to use its receipt and to read public notices; for everything else the gate
asks who it is, and one table says what they may do and see (`services.people.authority`).
"""

import asyncio
import secrets
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar, Request, Response, Router, get, post
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.openapi import ResponseSpec
from litestar.openapi.config import OpenAPIConfig
from litestar.response import Redirect
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler, Message, Scope
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from projections.store import Unavailable as ViewsUnavailable
from services.decisions import Rejected
from services.people.authority import Forbidden
from services.people.user import User
from services.runtime.clock import ScaledClock
from services.runtime.errors import HujiaoError
from services.runtime.store import Unavailable
from services.web.desks import REJECTED, Asked, InPath, Limit, act_routes, at_most, desk_routes
from services.web.files import file_routes
from services.web.gate import PUBLIC, Gate, body_of, page, public, read, session_routes
from services.web.intake_desk import intake_routes
from services.web.levels import level_routes
from services.web.openapi import Described
from services.web.receipts import Heard, Rating, Reopening
from services.web.reports import TAKEN, Outcome, Received, ReportOperation
from services.web.seats import seat_routes
from services.web.staff import staff_routes
from services.web.window import Window

CONSOLE, RESIDENT = (Path(__file__).parent / name for name in ("console", "resident"))
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_SPEED = 3600
GUARDS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; "
    "frame-ancestors 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""What browsers are told of every answer that says nothing stricter: nothing of another site runs here, and no other
site shows us in a frame."""

LOOKUPS_A_MINUTE = 60
"""So often may one address use receipts in any way: a resident needs a few, whoever tries them out needs very many."""


_PASSWORD_BYTES = 12

logger = structlog.get_logger()


class Speed(Struct):
    """How many seconds of the demo's clock pass in one of ours."""

    speed: float


class Given(Struct):
    """A password that was made up for a user."""

    password: str


def create_app(window: Window, lookups_a_minute: int = LOOKUPS_A_MINUTE) -> Litestar:
    """The web application over one house."""
    pages = [
        create_static_files_router(
            path=f"/{folder.name}", directories=[folder], include_in_schema=False, html_mode=True, opt={PUBLIC: True}
        )
        for folder in (CONSOLE, RESIDENT)
    ]
    return Litestar(
        route_handlers=[
            *public_routes(window, lookups_a_minute),
            *session_routes(window.house, window.demo, window.seats.left),
            *desk_routes(window),
            *act_routes(window),
            *level_routes(window),
            *staff_routes(window),
            *intake_routes(window),
            *keeper_routes(window),
            *(seat_routes(window.house, window.front, window.seats) if window.demo else ()),
            *pages,
        ],
        middleware=[DefineMiddleware(Gate, house=window.house, seen=window.seats.seen)],
        openapi_config=OpenAPIConfig(
            title="Hujiao 呼叫",
            version=version("hujiao"),
            render_plugins=[Described()],
            openapi_router=Router(path="/schema", route_handlers=[], opt={PUBLIC: True}, include_in_schema=False),
        ),
        request_max_body_size=MAX_BODY_BYTES,
        before_send=[_guard],
        lifespan=[window.live.looking],
        exception_handlers={
            Forbidden: _explain_refusal(403),
            Rejected: _explain_refusal(REJECTED),
            HujiaoError: _explain_refusal(500),
            Unavailable: _explain_absence,
            ViewsUnavailable: _explain_absence,
        },
    )


def public_routes(window: Window, lookups_a_minute: int) -> list[ControllerRouterHandler]:
    """What anybody may do."""
    limited = RateLimitConfig(rate_limit=("minute", lookups_a_minute)).middleware

    @get("/api/catalogue", sync_to_thread=True, **public())
    def catalogue() -> dict[str, Any]:
        """Towns, villages, platforms, departments and matters."""
        return window.catalogue()

    @post(
        "/api/reports",
        operation_class=ReportOperation,
        responses={200: ResponseSpec(list[Outcome], description="One outcome for each event of a batch, in order")},
        **public(),
    )
    async def report(request: Request[Any, Any, Any]) -> Response[Received | list[Outcome]]:
        """Hand in a report, or several as a batch of CloudEvents."""
        headers = request.headers
        content_type = headers.get("content-type", "")
        taken = await window.reports.take(list(headers.multi_items()), content_type, await request.body())
        return Response(taken, status_code=200 if isinstance(taken, list) else TAKEN)

    @get("/api/receipts/{receipt:str}", sync_to_thread=True, middleware=[limited], **public())
    def receipt(receipt: InPath) -> dict[str, Any]:
        """How far the report with this receipt has come, until when it is promised, and who holds it now.

        ``may`` says what its reporter can do now (``rate``, ``reopen``), ``rated`` what was answered about this result.
        """
        return window.receipts.look_up(receipt)

    @post("/api/receipts/{receipt:str}/rating", status_code=200, middleware=[limited], **public(takes=Rating))
    async def rating(request: Request[Any, Any, Any], receipt: InPath) -> Heard:
        """群众评价: while the case waits for its reporters' answers, say whether it is solved and you are satisfied."""
        return await window.receipts.rate(receipt, read(await body_of(request), Rating))

    @post("/api/receipts/{receipt:str}/reopening", status_code=200, middleware=[limited], **public(takes=Reopening))
    async def reopening(request: Request[Any, Any, Any], receipt: InPath) -> Heard:
        """重新办理: within 30 days of the end ask, with a reason, to have the case taken up again."""
        return await window.receipts.reopen(receipt, read(await body_of(request), Reopening))

    @get("/api/notices", sync_to_thread=True, **public())
    def notices(town: Asked = "", limit: Limit = 50) -> dict[str, Any]:
        """结果公开: published outcomes, the newest first."""
        return {"rows": window.notices(town, at_most(limit))}

    @get("/health", sync_to_thread=True, **public())
    def health() -> Response[dict[str, Any]]:
        """Whether the engine runs."""
        healthy = window.healthy()
        return Response({"healthy": healthy}, status_code=200 if healthy else 503)

    @get("/", sync_to_thread=False, include_in_schema=False, **public())
    def console() -> Redirect:
        """To the resident's page; in a demo, to the console."""
        return Redirect("/console/index.html" if window.demo else "/resident/")

    own = [receipt, rating, reopening, *file_routes(window, limited)]
    return [catalogue, report, *own, notices, health, console]


def keeper_routes(window: Window) -> list[ControllerRouterHandler]:
    """What those do who keep the whole running."""

    @post("/api/clock", **page("clock", takes=Speed))
    async def clock(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Change the speed of the demo's clock."""
        if not isinstance(window.house.clock, ScaledClock):
            raise HTTPException("clock: expected the demo, whose clock can be set, found a real one", status_code=409)
        speed = read(await body_of(request), Speed).speed
        if not 0 < speed <= MAX_SPEED:
            raise HTTPException(f"speed: expected above 0 and at most {MAX_SPEED}, found {speed}", status_code=400)
        window.house.clock.run_at(speed)
        return {"kind": "scaled", "speed": speed}

    figures = ResponseSpec(str, media_type="text/plain", generate_examples=False, description="Prometheus' text")

    @get("/metrics", sync_to_thread=True, responses={200: figures}, **page("figures"))
    def metrics() -> Response[bytes]:
        """Figures for Prometheus, which brings an analyst's token."""
        return Response(window.metrics(), headers={"content-type": CONTENT_TYPE_LATEST})

    @get("/api/users", sync_to_thread=True, **page("users"))
    def users() -> list[User]:
        """Every user there ever was, with roles and unit."""
        return window.house.users()

    @post("/api/users/{name:str}/password", status_code=200, **page("users"))
    async def password(request: Request[User, str, Any], name: InPath) -> Given:
        """Give a user a new password, which can be seen here and never again; all their sessions end."""
        user = await asyncio.to_thread(window.house.user, name)
        if user is None or user.disabled:
            raise HTTPException(f"name: expected a user who is not disabled, found {name[:40]!r}", status_code=404)
        given = Given(secrets.token_urlsafe(_PASSWORD_BYTES))
        await asyncio.to_thread(window.house.accounts.set_password, name, given.password)
        logger.info("password_given", user=name, by=request.user.name)
        return given

    return [clock, metrics, users, password]


async def _guard(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in GUARDS.items():
            headers.setdefault(name, value)


def _explain_refusal(status: int) -> Any:
    def explain(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
        return Response({"status_code": status, "detail": str(error)}, status_code=status)

    return explain


def _explain_absence(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    return Response({"status_code": 503, "detail": str(error)}, status_code=503, headers={"retry-after": "1"})
