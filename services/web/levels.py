"""The desks above and below the town: 村级工作台, 区级工作台, the launch list, and who tried to call the district."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from services.people.user import User
from services.web.desks import at_most
from services.web.gate import page
from services.web.window import Window

Asking = Request[User, str, Any]


def level_routes(window: Window) -> list[ControllerRouterHandler]:
    """What village and district see who are logged in."""

    @get("/api/village", sync_to_thread=True, **page("village"))
    def village(request: Asking) -> dict[str, Any]:
        """村级工作台: what your village handles, with what you could do now."""
        return {"now": window.house.clock.now().isoformat(), "rows": window.in_village(request.user)}

    @get("/api/district", sync_to_thread=True, **page("district"))
    def district(request: Asking) -> dict[str, Any]:
        """区级工作台: calls that the launch list refused and that wait for a waiver, then the cases at the district."""
        return {"now": window.house.clock.now().isoformat(), "rows": window.at_district(request.user)}

    @get("/api/launch-list", sync_to_thread=True, **page("launch"))
    def launch_list(request: Asking) -> dict[str, Any]:
        """启动清单: the list in force, the newest that waits for its day, and how often which matter was refused.

        ``version`` is the newest, ``earliest`` the first day from which the next may hold.
        """
        return window.launch_list(request.user)

    @get("/api/launch-attempts", sync_to_thread=True, **page("figures"))
    def launch_attempts(
        request: Asking,
        town: Annotated[str, QueryParameter()] = "",
        limit: Annotated[int, QueryParameter()] = 200,
    ) -> dict[str, Any]:
        """启动清单: who tried to call the district, and what the launch list said; the newest first."""
        return {"rows": window.seen_by(request.user).launch_attempts(town, at_most(limit))}

    return [village, district, launch_list, launch_attempts]
