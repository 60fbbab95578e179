"""What the desks of people show: who serves where and is lent, and a town's roster."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from services.people.user import User
from services.web.gate import page
from services.web.window import Window

Asking = Request[User, str, Any]


def staff_routes(window: Window) -> list[ControllerRouterHandler]:
    """The register and the rosters, for those whose desks they are."""

    @get("/api/people", sync_to_thread=True, **page("people"))
    def people(request: Asking) -> dict[str, Any]:
        """人员: who works where since when, who is lent, what you could do about that; and the Party organisations."""
        now, user = window.house.clock.now().isoformat(), request.user
        return {"now": now, "rows": window.people(user), "party": window.party_organisations(user)}

    @get("/api/roster", sync_to_thread=True, **page("roster"))
    def roster(request: Asking, town: Annotated[str, QueryParameter()] = "") -> dict[str, Any]:
        """值班表: who of a town is there, on duty and free, and the hours without cover."""
        return window.roster(request.user, town)

    return [people, roster]
