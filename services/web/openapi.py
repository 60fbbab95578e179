"""The API's description: what each route takes and in which ways it says no, added to what the library finds itself.

Bodies are read by hand, so that a form of another site is never read: a route names the struct under the option
``takes``.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, get_args

import msgspec
from litestar import Litestar, Request
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute
from msgspec import Struct

from services.web.gate import PUBLIC, TAKES

_COMPONENTS = "#/components/schemas/{name}"
_SAYS_NO = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
_TO_NOBODY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_TO_WHAT_IS_SENT = (
    HTTPStatus.CONFLICT,
    HTTPStatus.GONE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
)


class Refusal(Struct):
    """Why not: the status once more, and what was expected and what was found."""

    status_code: int
    detail: str
    extra: Any = None


class Described(JsonRenderPlugin):
    """Serves the description as JSON."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The library's description with our additions."""
        return super().render(request, described(openapi_schema, request.app))


def described(found: dict[str, Any], app: Litestar) -> dict[str, Any]:
    """A description of the API with every route's body and refusals."""
    paths = {path: dict(item) for path, item in found["paths"].items()}
    components = dict(found.get("components", {}).get("schemas", {}))
    refusal = _reference(Refusal, components)
    for path, method, opt in _operations(app):
        operation = paths.get(path, {}).get(method)
        if operation is None:
            continue
        asks = method == "get"
        statuses = (*_SAYS_NO, *(() if asks and opt.get(PUBLIC) else _TO_NOBODY), *(() if asks else _TO_WHAT_IS_SENT))
        if opt.get(PUBLIC) and "receipts" in path:
            statuses = (*statuses, HTTPStatus.TOO_MANY_REQUESTS)
        said = {str(status.value): _refused(status, refusal) for status in statuses}
        more: dict[str, Any] = {"responses": {**said, **_but_for(operation["responses"], said)}}
        if TAKES in opt:
            body = {"application/json": {"schema": _any_of(opt[TAKES], components)}}
            more["requestBody"] = {"required": True, "content": body}
        paths[path][method] = {**operation, **more}
    return {**found, "paths": paths, "components": {**found.get("components", {}), "schemas": components}}


def _operations(app: Litestar) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    yield route.path_format, method.lower(), dict(handler.opt)


def _refused(status: HTTPStatus, refusal: dict[str, Any]) -> dict[str, Any]:
    return {"description": status.phrase, "content": {"application/json": {"schema": refusal}}}


def _but_for(known: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """What the library found itself, but for the refusals that it words otherwise than we do."""
    return {status: answer for status, answer in known.items() if status not in ours or status == "201"}


def _any_of(form: Any, components: dict[str, Any]) -> dict[str, Any]:
    """A schema of a struct, or of any struct of a union, of which whoever asks need give only what is not known yet."""
    forms = get_args(form) or (form,)
    if len(forms) == 1:
        return _reference(form, components)
    for one in forms:
        _reference(one, components)
        components[one.__name__] = {**components[one.__name__], "required": [one.__struct_config__.tag_field]}
    return {"oneOf": [{"$ref": _COMPONENTS.format(name=one.__name__)} for one in forms]}


def _reference(form: Any, components: dict[str, Any]) -> dict[str, Any]:
    (schema,), found = msgspec.json.schema_components((form,), ref_template=_COMPONENTS)
    components.update(found)
    return schema
