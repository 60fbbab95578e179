"""What the desks of people show: who serves where and is lent, a town's roster, and who turns out."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from events.person import RequestSecondment
from services.people.authority import ACTS
from services.people.user import User
from services.web.gate import page
from services.web.window import Window

Asking = Request[User, str, Any]


def staff_routes(window: Window) -> list[ControllerRouterHandler]:
    """The register and the rosters, for those whose desks they are."""

    @get("/api/people", sync_to_thread=True, **page("people"))
    def people(request: Asking) -> dict[str, Any]:
        """人员: who works where since when, the steps of who is lent, what you could do; and the Party organisations.

        ``may_request`` says whether you may ask for somebody.
        """
        user, now = request.user, window.house.clock.now().isoformat()
        may_request = any(role in ACTS[RequestSecondment] for role in user.roles)
        people, party = window.people(user), window.party_organisations(user)
        return {"now": now, "may_request": may_request, "rows": people, "party": party}

    @get("/api/roster", sync_to_thread=True, **page("roster"))
    def roster(request: Asking, town: Annotated[str, QueryParameter()] = "") -> dict[str, Any]:
        """值班表: who of a town is there, on duty and free, and the hours without cover."""
        return window.roster(request.user, town)

    @get("/api/turn-outs", sync_to_thread=True, **page("muster"))
    def turn_outs(request: Asking) -> dict[str, Any]:
        """集结板: turn-outs under way in your sight, by department how many were called, are coming and are there.

        Who they are is told to those who command or send people; ``people`` is the roster of your town, if you may look
        at it.
        """
        return {"now": window.house.clock.now().isoformat(), **window.turn_outs(request.user)}

    return [people, roster, turn_outs]
