"""A served house with its gate, and what people with roles do there: log in, look, act, and read words."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient

from events.district import District
from services.intake.receipt import read_receipt
from services.runtime.clock import SystemClock
from services.runtime.district import find_district, load_district
from services.runtime.engine import EVERYTHING
from services.runtime.front import Front
from services.runtime.parking import Parking
from services.runtime.seal import verify
from services.serving import EngineThread
from services.web.app import create_app
from services.web.window import Window
from services.wiring import SERVICES, House
from tests.system.users import add_user

DISTRICT = load_district(find_district("yunan"))
VILLAGE = DISTRICT.villages[0]
OTHER_VILLAGE = next(village for village in DISTRICT.villages if village.town != VILLAGE.town)
ROADS = next(matter for matter in DISTRICT.matters if matter.code == "602")
VIOLENCE = next(matter for matter in DISTRICT.matters if matter.code == "104")
PATIENCE_S = 30.0

_number = count(1)


class Gated:
    """One served house; people are known by the names of their users."""

    def __init__(self, window: Window, app: Litestar, client: TestClient[Litestar]) -> None:
        self.window, self.house, self.app, self.client = window, window.house, app, client
        self._tokens: dict[str, str] = {}

    def user(self, *roles: str, person: str = "", **unit: str) -> str:
        """A new user, of the village where reports come from unless another unit is named; gives the name."""
        name = f"user-{next(_number)}"
        add_user(self.house, name, roles, person or f"人{name}", **unit)
        self._tokens[name] = self.house.accounts.give_token(name, "test")
        return name

    def person(self, name: str) -> str:
        """Whose user this is."""
        user = self.house.user(name)
        assert user is not None
        return user.person

    def as_user(self, name: str) -> dict[str, str]:
        """The headers with which a program of the user's comes."""
        return {"authorization": f"Bearer {self._tokens[name]}"} if name else {}

    def get(self, name: str, path: str, **query: Any) -> Response:
        """Look at a path; nobody's name is empty. Of a stream: what there is now."""
        self.window.live.ended = path == "/api/live"
        try:
            return self.client.get(path, params=query or None, headers=self.as_user(name))
        finally:
            self.window.live.ended = False

    def act(self, user: str, request: str, /, key: str = "", **fields: Any) -> Response:
        """Ask for an act, and let everybody react."""
        headers = self.as_user(user) | ({"idempotency-key": key} if key else {})
        answer = self.client.post("/api/acts", json={"request": request, **fields}, headers=headers)
        self.settled()
        return answer

    def words(self, name: str, case: str) -> Response:
        """Open what residents said."""
        return self.client.post(f"/api/cases/{case}/words", headers=self.as_user(name))

    def report(self, **fields: Any) -> tuple[str, str]:
        """Hand in a report on a road, unless on something else; gives its case and its receipt."""
        n = next(_number)
        report = {
            "id": str(n),
            "time": datetime.now(UTC).isoformat(),
            "title": "路面破损",
            "text": "村口路面塌了一块。",
            "reporter": f"resident-{n}",
            "village": VILLAGE.code,
            "matter": ROADS.code,
        }
        answer = self.client.post("/api/reports", json=report | fields)
        assert answer.status_code == 201, answer.text
        self.settled()
        receipt = read_receipt(answer.json()["receipt"])
        found = self.window.questions.receipt(receipt)
        assert found is not None
        return found["case"], receipt

    def call(self, case: str, department: str) -> str:
        """The newest call of a case in which a department takes part."""
        found = self.window.questions.case(case)
        assert found is not None
        legs = [leg for leg in found["legs"] if leg["department"] == department]
        assert legs, f"expected {department} to be called, found {[leg['department'] for leg in found['legs']]}"
        return str(legs[-1]["call"])

    def phase(self, case: str) -> str:
        """How far a case has come."""
        found = self.window.questions.case(case)
        assert found is not None
        return str(found["case"]["phase"])

    def to_review(self, case: str, officers: dict[str, str]) -> None:
        """Everything that the departments of ``officers``, the lead first, must do before a result is reviewed."""
        for department, name in officers.items():
            known = {"call": self.call(case, department), "department": department}
            lead = {"reply": "路面已修复。"} if department == next(iter(officers)) else {}
            for request, more in (
                ("call.acknowledge.v1", {}),
                ("call.report-in.v1", {"people": 20}),
                ("call.file-result.v1", {"solved": "yes", "account": "已修好。", **lead}),
            ):
                answer = self.act(name, request, **known, **more)
                assert answer.status_code == 200, answer.text
        assert self.phase(case) == "in_review"

    def settled(self) -> None:
        """Everybody has reacted to every fact, and every fact is in every view."""
        self.until(lambda: self._reacted_to() >= self.house.log.head() == min(self.house.views.positions().values()))

    def until(self, found: Callable[[], bool]) -> None:
        """Wait until something is so."""
        give_up = time.monotonic() + PATIENCE_S
        while not found():
            assert time.monotonic() < give_up, "expected this to come true in time, found that it did not"

    def _reacted_to(self) -> int:
        with self.house.log.reading() as cursor:
            return Parking(EVERYTHING).position(cursor)


@contextmanager
def gated(
    folder: Path,
    *,
    demo: bool = False,
    services: Any = SERVICES,
    lookups: int = 1_000_000,
    district: District = DISTRICT,
) -> Iterator[Gated]:
    """Serve a house in a new folder, or one that was left there."""
    with House(folder / "data", SystemClock(), services) as house:
        house.configure(district)
        house.lock()
        front = Front()
        engine = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
        engine.start()
        try:
            window = Window(house, front, engine.is_alive, demo=demo)
            app = create_app(window, lookups_a_minute=lookups)
            with TestClient(app, raise_server_exceptions=False) as client:
                yield Gated(window, app, client)
        finally:
            engine.stop()
        assert engine.failure is None
        assert verify(house.log).fault is None
