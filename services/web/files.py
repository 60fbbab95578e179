"""Files over HTTP: a resident's for a report, a department's for its part of a call, and reading them back.

A file is the body of a request and nothing else. Its name is never asked for, and what it is we see for ourselves.
"""

import asyncio
import re
import secrets
from dataclasses import dataclass
from typing import Any, get_args

import structlog
from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody
from litestar.types import ControllerRouterHandler, Middleware
from msgspec import Struct, field, structs

from events.file import FILE_PATTERN, IMAGES, MAX_FILE_BYTES, MediaType
from events.report import AttachFile, ReportAccepted, ReportLinked
from services.acting import BadAct
from services.intake.attachments import BadFile, CleanFile, TooLarge, UnknownKind, clean
from services.opening import NoFile
from services.people.user import User
from services.runtime.batch import Submission
from services.runtime.errors import Erased
from services.runtime.front import Closed, Overloaded
from services.web.desks import REJECTED, Asked, Asking, InPath
from services.web.gate import personal, public
from services.web.reports import TAKEN
from services.web.window import Window

SOURCE = "files"
GUARDS = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""What browsers are told of a file: it is nothing that runs, and no copy of it is kept."""

_REFUSALS: dict[type[Exception], int] = {
    TooLarge: 413,
    UnknownKind: 415,
    BadFile: 422,
    BadAct: 400,
    Erased: 410,
    NoFile: 404,
    Overloaded: 503,
    Closed: 503,
}
_REFUSED = tuple(_REFUSALS)

logger = structlog.get_logger()


class Attached(Struct):
    """A file was taken, or known already (``repeated``). ``media_type`` and ``bytes`` are those of what is kept."""

    file: str
    media_type: MediaType
    size: int = field(name="bytes")
    repeated: bool


class Files:
    """The way of files into the ledger and out of the vault."""

    def __init__(self, window: Window) -> None:
        self._window, self._house = window, window.house
        self._decoding = asyncio.Semaphore(1)
        """One image at a time: each may take a quarter of a gigabyte while it is decoded."""

    async def attach(self, report: str, request: Request[Any, Any, Any]) -> Attached:
        """A resident's file for a report.

        Raises:
            HTTPException: with the status and the reason why it was not taken.
        """
        file = await self._cleaned(request)
        case = await asyncio.to_thread(self._case_of, report)
        asked = AttachFile(report=report, case=case, media_type=file.media_type, size=len(file.content))
        name = f"{SOURCE}/{report}/{secrets.token_hex(16)}"
        return await self._taken(Submission(name, asked, SOURCE), report, file)

    async def prove(self, call: str, department: str, request: Asking) -> Attached:
        """A department's file for its part of a call; whether it may is seen before anything is read.

        Raises:
            HTTPException: with the status and the reason why it was not taken.
            Forbidden: when the user may not act for this department.
        """
        known = {"request": "call.attach-proof.v1", "call": call, "department": department}
        about = {**known, "media_type": "application/pdf", "size": 1}  # what it is we know once it is read
        try:
            acting = self._window.acting.submission
            submission = await asyncio.to_thread(acting, request.user, about, secrets.token_hex(16))
        except BadAct as error:
            raise HTTPException(str(error), status_code=_status(error)) from error
        file = await self._cleaned(request)
        asked: Any = structs.replace(submission.request, media_type=file.media_type, size=len(file.content))
        return await self._taken(structs.replace(submission, request=asked), asked.case, file)

    def read(self, user: User, case: str, file: str) -> Response[bytes]:
        """A file of a case as a browser may have it; that the user opened it is recorded.

        Raises:
            HTTPException: when there is no such file, or none any more.
            Rejected: when the user may not open what belongs to the case now.
        """
        if re.match(FILE_PATTERN, file) is None:
            raise HTTPException(f"file: expected 64 hexadecimal digits, found {file[:80]!r}", status_code=400)
        try:
            media_type, content = self._window.opening.file(user, case, file)
        except (NoFile, Erased) as error:
            raise HTTPException(str(error), status_code=_status(error)) from error
        shown = "inline" if media_type in IMAGES else "attachment"
        headers = {**GUARDS, "content-disposition": f'{shown}; filename="{file[:12]}"'}
        return Response(content, media_type=media_type, headers=headers)

    async def _cleaned(self, request: Request[Any, Any, Any]) -> CleanFile:
        try:
            sent = await _body(request)
            async with self._decoding:
                return await asyncio.to_thread(clean, sent)
        except BadFile as error:
            logger.info("file_refused", path=request.url.path, reason=str(error))
            raise HTTPException(str(error), status_code=_status(error)) from error

    async def _taken(self, submission: Submission, stream: str, file: CleanFile) -> Attached:
        """Answers once it is committed, with the id under the key of ``stream``: by it the file is known again."""
        sent = structs.replace(submission, attachments=(file.content,))
        try:
            answer = await self._window.front.submit(sent)
            if answer.status == "rejected":
                raise HTTPException(answer.reason, status_code=REJECTED)
            name = await asyncio.to_thread(self._house.vault.file_id, stream, file.content)
        except _REFUSED as error:
            raise HTTPException(str(error), status_code=_status(error)) from error
        return Attached(name, file.media_type, len(file.content), answer.facts == 0)

    def _case_of(self, report: str) -> str:
        """The case of a report, by the log: views may lag."""
        facts = [recorded.fact for recorded in self._house.log.stream(report)]
        return [fact.case for fact in facts if isinstance(fact, ReportAccepted | ReportLinked)][-1]


def file_routes(window: Window, limited: Middleware) -> list[ControllerRouterHandler]:
    """Sending and reading files; ``limited`` is how often one address may try out receipts."""
    files = Files(window)

    @post(
        "/api/receipts/{receipt:str}/files",
        status_code=TAKEN,
        middleware=[limited],
        operation_class=FileOperation,
        **public(),
    )
    async def attach(request: Request[Any, Any, Any], receipt: InPath) -> Attached:
        """Send a photo, recording or PDF after a report, to which its receipt is the key, until its case is closed."""
        report = await asyncio.to_thread(window.receipts.report_with, receipt)
        return await files.attach(report["report"], request)

    @post("/api/calls/{call:str}/proof", status_code=TAKEN, operation_class=FileOperation, **personal())
    async def prove(request: Asking, call: InPath, department: Asked = "") -> Attached:
        """办结证明: attach a photo, recording or PDF to your department's part of a call."""
        return await files.prove(call, department, request)

    @get("/api/files/{file:str}", **personal())
    async def read(request: Asking, file: InPath, case: Asked = "") -> Response[bytes]:
        """Open a file of a case, as whoever may open its words now; that you did is recorded."""
        return await asyncio.to_thread(files.read, request.user, case, file)

    return [attach, prove, read]


async def _body(request: Request[Any, Any, Any]) -> bytes:
    """The body, as soon as it is known not to be too large.

    Raises:
        TooLarge: for more than `MAX_FILE_BYTES`; no more than that is read.
    """
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > MAX_FILE_BYTES:
        raise TooLarge(f"file: expected at most {MAX_FILE_BYTES} bytes, found {told}")
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MAX_FILE_BYTES:
            raise TooLarge(f"file: expected at most {MAX_FILE_BYTES} bytes, found more than {len(read) - 1}")
    return bytes(read)


def _status(refusal: Exception) -> int:
    return next(status for kind, status in _REFUSALS.items() if isinstance(refusal, kind))


@dataclass
class FileOperation(Operation):
    """Documents what may be sent: any of the kinds that are kept, which are known by their content."""

    def __post_init__(self) -> None:
        """Name the bodies."""
        content = {kind: OpenAPIMediaType() for kind in _every(MediaType)}
        self.request_body = RequestBody(required=True, content=content, description=f"At most {MAX_FILE_BYTES} bytes.")


def _every(literal: Any) -> list[str]:
    return [value for part in get_args(literal) for value in ([part] if isinstance(part, str) else _every(part))]
