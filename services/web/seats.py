"""入座: in the demo anybody may take a role. The simulation then leaves to them whatever they could do themselves."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Literal

from litestar import Request, Response, post
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from events.person import RegisterPerson
from events.user import AddUser, Unit
from services.acting import Acting
from services.people.authority import ABOUT
from services.people.user import User, user_id
from services.runtime.batch import Submission
from services.runtime.front import Closed, Front, Overloaded
from services.simulation.service import NAME
from services.web.gate import Here, body_of, let_in, public, read
from services.wiring import House

EMPTY_AFTER = timedelta(minutes=5)
"""A seat from which nobody has asked for anything for so long is empty; the simulation plays what comes from then on.

What it left to whoever sat there stays undone, and its clocks run out.
"""

SeatRole = Literal[
    "department_officer",
    "command_centre",
    "platform_head",
    "village_clerk",
    "reviewer",
    "follow_up_clerk",
    "district_command",
    "district_leader",
    "town_committee",
    "personnel",
]
"""Which roles can be played: nobody who could lock the others out of the demo."""

_PREFIX = "seat."


class Seats:
    """Who sits where. Seats are users of the demo that need no password; ``now`` is the machine's clock."""

    def __init__(self, house: House, acting: Acting, now: Callable[[], datetime]) -> None:
        self._house, self._acting, self._now = house, acting, now
        self._seen: dict[str, tuple[User, datetime]] = {}
        self._lock = Lock()

    def seen(self, user: User) -> None:
        """Somebody has asked for something from this seat."""
        if user.name.startswith(_PREFIX):
            with self._lock:
                self._seen[user.name] = (user, self._now())

    def left(self, user: User) -> None:
        """Somebody has stood up."""
        with self._lock:
            self._seen.pop(user.name, None)

    def plays(self, submission: Submission) -> bool:
        """Whether somebody who sits here could do what the simulation was about to do."""
        if not submission.source_id.startswith(f"reaction:{NAME}:") or isinstance(submission.request, RegisterPerson):
            return False  # whoever sits for personnel finds the people that there are
        earliest = self._now() - EMPTY_AFTER
        with self._lock:
            seated = [user for user, at in self._seen.values() if at >= earliest]
        return any(self._acting.may(user, submission.request) for user in seated)


class Seat(Struct, forbid_unknown_fields=True):
    """The role that somebody wants to play, and for which unit, in the district's codes."""

    role: SeatRole
    unit: Unit = Unit()


def seat_routes(house: House, front: Front, seats: Seats) -> list[ControllerRouterHandler]:
    """Sitting down."""

    @post("/api/seats", **public(takes=Seat))
    async def sit(request: Request[object, object, object]) -> Response[Here]:  # type: ignore[type-var]  # any state
        """入座: in the demo, take a role without a password."""
        wanted = read(await body_of(request), Seat)
        unit = Unit(**{part: getattr(wanted.unit, part) for part in ABOUT[wanted.role]})
        parts = (wanted.role, unit.village or unit.town, unit.platform, unit.department)
        name = _PREFIX + "-".join(part.lower().replace("_", "-") for part in parts if part)
        user = User(name, f"入座 {wanted.role}", (wanted.role,), unit)
        add = AddUser(user=user_id(name), name=name, person=user.person, roles=user.roles, unit=unit)
        try:
            answer = await front.submit(Submission(f"act/{name}/{secrets.token_hex(16)}", add, "demo"))
        except (Overloaded, Closed) as error:
            raise HTTPException(str(error), status_code=503) from error
        if answer.status == "rejected":
            raise HTTPException(answer.reason, status_code=422)
        seats.seen(user)
        return await asyncio.to_thread(let_in, request, house, user, demo=True)

    return [sit]
