"""What the window shows of a house, without the web."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from litestar.exceptions import HTTPException
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from events.envelope import Recorded
from events.private import Sealed
from projections.queries import Found, Questions
from projections.view import Row, moment_text
from services.acting import Acting
from services.history import case_as_of, explain, facts_of_case
from services.intake.receipt import read_receipt
from services.people.authority import sights_of
from services.people.user import User
from services.runtime.clock import ScaledClock, SystemClock
from services.runtime.errors import Erased
from services.runtime.front import Front
from services.web.reports import Reports
from services.web.seats import Seats
from services.wiring import House


class Window:
    """What the handlers need of the house."""

    def __init__(self, house: House, front: Front, healthy: Callable[[], bool], demo: bool) -> None:
        self.house, self.front, self.healthy, self.demo = house, front, healthy, demo
        self.questions = Questions(house.views.database)
        self.reports = Reports(house, front)
        self.acting = Acting(house)
        self.seats = Seats(house, self.acting, SystemClock().now)
        self._replies: dict[tuple[str, bytes], str] = {}

    def seen_by(self, user: User) -> Questions:
        """Questions within the sight of a user."""
        return self.questions.within(sights_of(user))

    def status(self) -> dict[str, Any]:
        """How things stand as a whole."""
        position = self.house.log.head()
        return {
            "now": self.house.clock.now().isoformat(),
            "clock": self.clock(),
            "position": position,
            "lag": position - min(self.house.views.positions().values()),
            "parked": self.house.parked(),
            "figures": self.questions.figures(),
        }

    def clock(self) -> dict[str, Any]:
        """How fast time passes here."""
        clock = self.house.clock
        if isinstance(clock, ScaledClock):
            return {"kind": "scaled", "speed": clock.speed}
        return {"kind": "system", "speed": 1.0}

    def catalogue(self) -> dict[str, Any]:
        """The names of everything, for screens."""
        district = self.house.ledger.rules.district
        known = msgspec.to_builtins(district)
        matters = [
            {name: matter[name] for name in ("code", "zh", "en", "class", "lead")} for matter in known["matters"]
        ]
        parts = {name: known[name] for name in ("towns", "villages", "platforms", "departments", "duties")}
        about = {"zh": district.zh, "en": district.en, "note": district.note}
        return {
            "demo": self.demo,
            "now": self.house.clock.now().isoformat(),
            "district": about,
            **parts,
            "matters": matters,
        }

    def case(self, case: str, user: User, position: int = 0) -> dict[str, Any]:
        """Everything about one case, with the reasons, and what ``user`` could do about it now.

        With a ``position`` in the log: as it stood there, when nobody can do anything about it any more.
        """
        found = self.seen_by(user).case(case)
        if found is None:
            raise HTTPException(f"case: expected a known case, found none with id {case!r}", status_code=404)
        log = self.house.log
        facts = facts_of_case(log, case, position or log.head())
        if position:
            now, found, acts = facts[-1].meta.recorded_at if facts else None, _as_it_was(facts, case), []
        else:
            now, acts = self.house.clock.now(), self.acting.possible(user, found)
        if now is None or not found:
            raise HTTPException(f"position: expected one after the case began, found {position}", status_code=404)
        return {"now": now.isoformat(), **found, "explain": explain(log, facts), "acts": acts}

    def inbox(self, user: User) -> list[Found]:
        """What a department owes, the most urgent first, each with what its officer could do now."""
        seen = self.seen_by(user)
        rows = seen.owing(self.house.clock.now(), (), user.unit.department)
        return [row | {"acts": self.acting.possible_of_call(user, row["call"])} for row in rows]

    def receipt(self, text: str) -> dict[str, Any]:
        """What the resident may know: the stage, until when, who holds it, and the reply once it is public."""
        found = self.report_with(text)
        names = ("receipt", "stage", "case", "reported_at", "matter", "result_due", "holders")
        public = {name: found[name] for name in names}
        if found["visibility"] == "confidential":
            public |= {"matter": None, "case": None, "holders": []}
        reply = self._reply(found["reply"]) if found["notice"] == "published" else None
        return {**public, "reply": reply}

    def report_with(self, receipt: str) -> Found:
        """The report with a receipt, and how its case stands.

        Raises:
            HTTPException: when it is no receipt, or none that we gave.
        """
        try:
            found = self.questions.receipt(read_receipt(receipt))
        except ValueError as error:
            raise HTTPException(f"receipt: {error}", status_code=400) from error
        if found is None:
            raise HTTPException("receipt: expected one that we gave, found none such", status_code=404)
        return found

    def notices(self, town: str, limit: int) -> list[Found]:
        """Published notices, newest first: what everybody may read."""
        names = ("matter", "town", "village", "decided_at")
        return [
            {name: row[name] for name in names} | {"reply": self._reply(row["reply"])}
            for row in self.questions.published(town, limit)
        ]

    def _reply(self, stored: bytes | None) -> str | None:
        """A published reply; that the public reads it is recorded once, not each time."""
        if stored is None:
            return None
        box = msgspec.msgpack.decode(stored, type=Sealed)
        key = (box.key, bytes(box.box))
        if self.house.vault.is_erased(box.key):
            self._replies.pop(key, None)
            return None
        if key not in self._replies:
            try:
                self._replies[key] = self.house.vault.open(
                    box, str, "public", "published notice", self.house.clock.now()
                )
            except Erased:
                return None
        return self._replies[key]

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


def _as_it_was(facts: list[Recorded], case: str) -> dict[str, Any]:
    """What `Questions.case` would have found when these facts were all there was; empty before the case began."""
    rows = {view: [_plain(row) for row in found] for view, found in case_as_of(facts).items()}
    own = [row for row in rows["cases"] if row["case"] == case]
    parts = ("reports", "calls", "legs", "files", "board", "timeline")
    return {"case": own[0], **{part: rows[part] for part in parts}} if own else {}


def _plain(row: Row) -> dict[str, Any]:
    return {name: moment_text(value) if isinstance(value, datetime) else value for name, value in row.items()}
