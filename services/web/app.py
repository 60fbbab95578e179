"""The window: JSON over HTTP with OpenAPI, health, metrics and the console page. It answers on this machine alone.

Log-in and desks for departments have their own place later; until then nothing here acts but a resident's
report, and no words leave the vault but published replies.
"""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import PathParameter, QueryParameter
from litestar.response import Redirect
from litestar.static_files import create_static_files_router
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from events.private import Sealed
from projections.queries import Questions
from projections.store import Unavailable as ViewsUnavailable
from services.history import explain, facts_of_case
from services.intake.receipt import read_receipt
from services.runtime.clock import ScaledClock
from services.runtime.errors import Erased, HujiaoError
from services.runtime.front import Front
from services.runtime.store import Unavailable
from services.web.reports import TAKEN, Outcome, Received, ReportOperation, Reports
from services.wiring import House

CONSOLE = Path(__file__).parent / "console"
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_SPEED = 3600


InPath = Annotated[str, PathParameter()]
Asked = Annotated[str, QueryParameter()]
Limit = Annotated[int, QueryParameter()]


class Speed(Struct):
    """How many seconds of the demo's clock pass in one of ours."""

    speed: float


class Window:
    """What the handlers need of the house, without the web."""

    def __init__(self, house: House, front: Front, healthy: Callable[[], bool], demo: bool) -> None:
        self.house, self.front, self.healthy, self.demo = house, front, healthy, demo
        self.questions = Questions(house.views.database)
        self.reports = Reports(house, front)

    def status(self) -> dict[str, Any]:
        """How things stand as a whole."""
        clock, district = self.house.clock, self.house.ledger.rules.district
        position = self.house.log.head()
        return {
            "now": self.house.clock.now().isoformat(),
            "demo": self.demo,
            "clock": {
                "kind": "scaled" if isinstance(clock, ScaledClock) else "system",
                "speed": clock.speed if isinstance(clock, ScaledClock) else 1.0,
            },
            "position": position,
            "lag": position - min(self.house.views.positions().values()),
            "parked": self.house.parked(),
            "district": {"zh": district.zh, "en": district.en, "note": district.note},
            "figures": self.questions.figures(),
        }

    def catalogue(self) -> dict[str, Any]:
        """The names of everything, for screens."""
        district = self.house.ledger.rules.district
        known = msgspec.to_builtins(district)
        matters = [
            {name: matter[name] for name in ("code", "zh", "en", "class", "lead")} for matter in known["matters"]
        ]
        parts = {name: known[name] for name in ("towns", "villages", "platforms", "departments", "duties")}
        return {**parts, "matters": matters}

    def case(self, case: str) -> dict[str, Any]:
        """Everything about one case, with the reasons."""
        found = self.questions.case(case)
        if found is None:
            raise HTTPException(f"case: expected a known case, found none with id {case!r}", status_code=404)
        log = self.house.log
        reasons = explain(log, facts_of_case(log, case, log.head()))
        return {"now": self.house.clock.now().isoformat(), **found, "explain": reasons}

    def receipt(self, text: str) -> dict[str, Any]:
        """What the resident may know: the stage, and the reply once it is public."""
        try:
            found = self.questions.receipt(read_receipt(text))
        except ValueError as error:
            raise HTTPException(f"receipt: {error}", status_code=400) from error
        if found is None:
            raise HTTPException("receipt: expected one that we gave, found none such", status_code=404)
        public = {name: found[name] for name in ("receipt", "stage", "case", "reported_at", "matter")}
        if found["visibility"] == "confidential":
            public |= {"matter": None, "case": None}
        return {**public, "reply": self._reply(found)}

    def _reply(self, found: dict[str, Any]) -> str | None:
        if found["notice"] != "published" or found["reply"] is None:
            return None
        box = msgspec.msgpack.decode(found["reply"], type=Sealed)
        try:
            return self.house.vault.open(box, str, "public", "published notice", self.house.clock.now())
        except Erased:
            return None

    def metrics(self) -> bytes:
        """The figures as Prometheus reads them."""
        registry = CollectorRegistry()
        status = self.status()
        figures = Gauge("hujiao_figure", "How much there is of each thing that is counted.", ["of"], registry=registry)
        for name, value in status["figures"].items():
            figures.labels(of=name).set(value)
        Gauge("hujiao_log_position", "Position of the newest fact.", registry=registry).set(status["position"])
        Gauge("hujiao_view_lag", "Facts that the slowest view has not seen.", registry=registry).set(status["lag"])
        Gauge("hujiao_parked", "Facts and requests that wait for an operator.", registry=registry).set(status["parked"])
        return generate_latest(registry)


def create_app(window: Window) -> Litestar:
    """The web application over one house."""

    @get("/api/status", sync_to_thread=True)
    def status() -> dict[str, Any]:
        """Clock, position and the key figures."""
        return window.status()

    @get("/api/catalogue", sync_to_thread=True)
    def catalogue() -> dict[str, Any]:
        """Towns, villages, platforms, departments and matters."""
        return window.catalogue()

    @get("/api/board", sync_to_thread=True)
    def board(
        town: Asked = "", classes: Asked = "", overdue: Annotated[bool, QueryParameter()] = False, limit: Limit = 60
    ) -> dict[str, Any]:
        """What is open and who owes what until when: overdue first, at most ``limit`` of each platform."""
        now = window.house.clock.now()
        found = window.questions.board(now, town, [name for name in classes.split() if name], overdue, _at_most(limit))
        return {"now": now.isoformat(), **found}

    @get("/api/recent", sync_to_thread=True)
    def recent(limit: Limit = 40) -> dict[str, Any]:
        """What happened last."""
        return {"rows": window.questions.recent(_at_most(limit))}

    @get("/api/cases", sync_to_thread=True)
    def cases(phase: Asked = "", town: Asked = "", limit: Limit = 100) -> dict[str, Any]:
        """Cases, newest first."""
        return {"rows": window.questions.cases(phase, town, _at_most(limit))}

    @get("/api/cases/{case:str}", sync_to_thread=True)
    def case(case: InPath) -> dict[str, Any]:
        """One case with its calls, departments, timeline and reasons."""
        return window.case(case)

    @get("/api/triage", sync_to_thread=True)
    def triage() -> dict[str, Any]:
        """Cases that wait for an operator."""
        return {"rows": window.questions.table("triage", 'queued_at, "case"')}

    @get("/api/workload", sync_to_thread=True)
    def workload() -> dict[str, Any]:
        """How busy each department is."""
        return {"rows": window.questions.table("workload", "town, department")}

    @post(
        "/api/reports",
        operation_class=ReportOperation,
        responses={200: ResponseSpec(list[Outcome], description="One outcome for each event of a batch, in order")},
    )
    async def report(request: Request[Any, Any, Any]) -> Response[Received | list[Outcome]]:
        """Hand in a report, or several as a batch of CloudEvents."""
        headers = request.headers
        content_type = headers.get("content-type", "")
        taken = await window.reports.take(list(headers.multi_items()), content_type, await request.body())
        return Response(taken, status_code=200 if isinstance(taken, list) else TAKEN)

    @get("/api/receipts/{receipt:str}", sync_to_thread=True)
    def receipt(receipt: InPath) -> dict[str, Any]:
        """How far the report with this receipt has come."""
        return window.receipt(receipt)

    @post("/api/clock")
    async def clock(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Change the speed of the demo's clock."""
        if not isinstance(window.house.clock, ScaledClock):
            raise HTTPException("clock: expected the demo, whose clock can be set, found a real one", status_code=409)
        try:
            speed = msgspec.json.decode(await request.body(), type=Speed).speed
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise HTTPException(f'speed: expected {{"speed": 60}}, found: {error}', status_code=400) from error
        if not 0 < speed <= MAX_SPEED:
            raise HTTPException(f"speed: expected above 0 and at most {MAX_SPEED}, found {speed}", status_code=400)
        window.house.clock.run_at(speed)
        return {"kind": "scaled", "speed": speed}

    @get("/health", sync_to_thread=True)
    def health() -> Response[dict[str, Any]]:
        """Whether the engine runs."""
        healthy = window.healthy()
        return Response({"healthy": healthy}, status_code=200 if healthy else 503)

    @get("/metrics", sync_to_thread=True)
    def metrics() -> Response[bytes]:
        """Figures for Prometheus."""
        return Response(window.metrics(), headers={"content-type": CONTENT_TYPE_LATEST})

    @get("/", sync_to_thread=False, include_in_schema=False)
    def console() -> Redirect:
        """The console page."""
        return Redirect("/console/index.html")

    return Litestar(
        route_handlers=[
            status,
            catalogue,
            board,
            recent,
            cases,
            case,
            triage,
            workload,
            report,
            receipt,
            clock,
            health,
            metrics,
            console,
            create_static_files_router(path="/console", directories=[CONSOLE], include_in_schema=False),
        ],
        openapi_config=OpenAPIConfig(
            title="Hujiao 呼叫", version=version("hujiao"), path="/schema", render_plugins=[JsonRenderPlugin()]
        ),
        request_max_body_size=MAX_BODY_BYTES,
        exception_handlers={
            HujiaoError: _explain_error,
            Unavailable: _explain_absence,
            ViewsUnavailable: _explain_absence,
        },
    )


def _explain_error(request: Request[Any, Any, Any], error: HujiaoError) -> Response[dict[str, Any]]:
    return Response({"status_code": 500, "detail": str(error)}, status_code=500)


def _explain_absence(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    return Response({"status_code": 503, "detail": str(error)}, status_code=503, headers={"retry-after": "1"})


def _at_most(limit: int) -> int:
    return max(1, min(limit, 1000))
