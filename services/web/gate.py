"""The gate: who is asking, by a browser's session or a program's token, and what they may look at.

Every route is public, or names the page that it belongs to, or is for everybody who is logged in and decides by itself
what each may do there; there is no other kind.
"""

import asyncio
import hmac
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import structlog
from litestar import Request, Response, delete, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp, ControllerRouterHandler
from msgspec import Struct

from events.user import Unit, UserRole
from services.people.accounts import SESSION, Locked, csrf_of
from services.people.authority import PAGES, Page, may_look
from services.people.user import User
from services.wiring import House

COOKIE = "hujiao_session"
CSRF_HEADER = "x-csrf-token"
PUBLIC = "public"
"""The option of a route that says that nobody need log in for it."""

_CHANGES_NOTHING = ("GET", "HEAD", "OPTIONS")
_BEARER = "bearer "

Connection = ASGIConnection[Any, Any, Any, Any]

T = TypeVar("T")

logger = structlog.get_logger()


TAKES = "takes"
"""The option of a route that says as which struct its JSON body is read; a union stands for any of them."""


def public(**more: Any) -> dict[str, Any]:
    """What a route says for which nobody need log in; ``more`` are further options, as of the next two."""
    return {"opt": {PUBLIC: True, **more}}


def page(name: Page, **more: Any) -> dict[str, Any]:
    """What a route says that belongs to a page: only users who may look at it get further."""

    def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        may_look(connection.user, name)

    return {"opt": {"page": name, **more}, "guards": [guard]}


def personal(**more: Any) -> dict[str, Any]:
    """What a route says that decides by itself what each user may do there."""
    return {"opt": {"page": "", **more}}


class Gate(AbstractAuthenticationMiddleware):
    """Finds the user behind a request, and tells ``seen``; without one, only public routes answer."""

    def __init__(self, app: ASGIApp, house: House, seen: Callable[[User], None]) -> None:
        super().__init__(app, exclude_from_auth_key=PUBLIC)
        self._house, self._seen = house, seen

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """The user and the session they came by, if it was one.

        Raises:
            HTTPException: 401 without a user, 403 when another site may have sent this.
        """
        found = await asyncio.to_thread(who, self._house, connection)
        if found is None:
            raise HTTPException("expected a user who is logged in, found none: POST /api/session", status_code=401)
        user, session = found
        if session and connection.scope.get("method") not in _CHANGES_NOTHING:
            sent = connection.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(sent.encode(), csrf_of(session).encode()):
                raise HTTPException(f"{CSRF_HEADER}: expected what came with the log-in", status_code=403)
        self._seen(user)
        return AuthenticationResult(user=user, auth=session)


def who(house: House, connection: Connection) -> tuple[User, str] | None:
    """The user, and their session unless they came with a token."""
    given = connection.headers.get("authorization", "")
    if given.lower().startswith(_BEARER):
        session, name = "", house.accounts.token(given[len(_BEARER) :].strip())
    else:
        session = connection.cookies.get(COOKIE, "")
        name = house.accounts.session(session) if session else None
    user = house.user(name) if name else None
    return None if user is None or user.disabled else (user, session)


class LogIn(Struct, forbid_unknown_fields=True):
    """登录."""

    name: str
    password: str


class Person(Struct):
    """Who is logged in, and what they may look at; ``csrf`` goes into a header of whatever changes something."""

    name: str
    person: str
    roles: tuple[UserRole, ...]
    unit: Unit
    pages: tuple[str, ...]
    csrf: str = ""


class Here(Struct):
    """Who is there, if anybody, and whether this is a demo, where everybody may take a seat."""

    demo: bool
    user: Person | None = None


def let_in(request: Request[Any, Any, Any], house: House, user: User, demo: bool) -> Response[Here]:
    """A session for a user who has proved who they are."""
    session = house.accounts.open_session(user.name)
    return Response(Here(demo, _person(user, session.csrf)), cookies=[_cookie(request, session.secret)])


def session_routes(house: House, demo: bool, left: Callable[[User], None]) -> list[ControllerRouterHandler]:
    """Logging in and out."""

    @get("/api/session", **public())  # three handlers of one path: the library wraps a sync one once for each
    async def here(request: Request[Any, Any, Any]) -> Here:
        """Who is logged in."""
        found = await asyncio.to_thread(who, house, request)
        return Here(demo, _person(found[0], csrf_of(found[1]) if found[1] else "") if found else None)

    @post("/api/session", **public(takes=LogIn))
    async def enter(request: Request[Any, Any, Any]) -> Response[Here]:
        """Log in with name and password; five wrong ones, and nobody is listened to for a quarter of an hour."""
        told = read(await body_of(request), LogIn)
        address = request.client.host if request.client else ""
        try:
            right = await asyncio.to_thread(house.accounts.check, told.name, told.password, address)
        except Locked as locked:
            logger.warning("log_in_locked", user=told.name, address=address)
            raise HTTPException(str(locked), status_code=429) from locked
        user = await asyncio.to_thread(house.user, told.name) if right else None
        if user is None or user.disabled:
            logger.warning("log_in_refused", user=told.name, address=address)
            raise HTTPException("expected a user's name and password, found others", status_code=401)
        logger.info("logged_in", user=user.name, address=address)
        return await asyncio.to_thread(let_in, request, house, user, demo)

    @delete("/api/session", status_code=200, **personal())
    async def leave(request: Request[User, str, Any]) -> Response[Here]:
        """Log out."""
        await asyncio.to_thread(house.accounts.end_session, request.auth)
        left(request.user)
        return Response(Here(demo), cookies=[_cookie(request, "", ended=True)])

    return [here, enter, leave]


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """The body of a request that says it is JSON, which no form of another site can.

    Raises:
        HTTPException: 415 when it says something else.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(f"content-type: expected application/json, found {kind[:60]!r}", status_code=415)
    return await request.body()


def read(body: bytes, form: type[T]) -> T:
    """The body as ``form``.

    Raises:
        HTTPException: 400, naming what was expected and found.
    """
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise HTTPException(
            f"expected {form.__name__} as JSON, found something else: {error}", status_code=400
        ) from error


def _person(user: User, csrf: str) -> Person:
    pages = tuple(name for name, roles in PAGES.items() if any(role in roles for role in user.roles))
    return Person(user.name, user.person, user.roles, user.unit, pages, csrf)


def _cookie(request: Request[Any, Any, Any], secret: str, *, ended: bool = False) -> Cookie:
    life = 0 if ended else int(SESSION.total_seconds())
    secure = request.url.scheme == "https"
    return Cookie(key=COOKIE, value=secret, max_age=life, httponly=True, secure=secure, samesite="strict", path="/")
