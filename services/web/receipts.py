"""Receipts over HTTP: see how far a report has come, say whether it is solved, ask to have it taken up again.

Whoever holds a receipt is its reporter. A receipt is 3 + 10 characters; the town's two letters are public and the last
is a check, so ten of 31 characters are secret: 31^10, 49.5 bits that only the key gives. A district with a million
receipts has one in 8 * 10^8 of what can be tried, and an address may try 60 a minute: it finds one in 26 years.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from litestar.exceptions import HTTPException
from msgspec import Meta, Struct

from projections.queries import Found, Questions
from services.decisions import Rejected
from services.intake.receipt import read_receipt
from services.runtime.batch import Submission
from services.runtime.errors import Conflict, Erased
from services.runtime.front import Closed, Front, Overloaded
from services.voice import Held, May, Rated, Standing, Voice
from services.wiring import House

_REJECTED = 422
_REFUSALS: dict[type[Exception], int] = {Conflict: 409, Erased: 410, Overloaded: 503, Closed: 503}


class Rating(Struct, forbid_unknown_fields=True):
    """群众评价: is it solved, and are you satisfied?"""

    solved: bool
    satisfied: bool


class Reopening(Struct, forbid_unknown_fields=True):
    """重新办理: why it should be taken up again, in the reporter's words."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]


class Heard(Struct):
    """It was taken. ``repeated`` when it was known already; the rest as in the look-up, as things stand now."""

    repeated: bool
    may: tuple[May, ...]
    rated: Rated | None


class Receipts:
    """What the web offers to whoever holds a receipt. ``reply`` opens a reply that is public."""

    def __init__(
        self, house: House, front: Front, questions: Questions, reply: Callable[[bytes | None], str | None]
    ) -> None:
        self._front, self._questions, self._reply = front, questions, reply
        self._voice = Voice(house)

    def look_up(self, text: str) -> dict[str, Any]:
        """What the resident may know: the stage, until when, who holds it, and the reply once it is public.

        Of a confidential matter only the stage, and what can be done.

        Raises:
            HTTPException: 400 for what is no receipt, 404 for one that we never gave.
        """
        found = self.report_with(text)
        names = ("receipt", "stage", "case", "reported_at", "matter", "result_due", "holders")
        public = {name: found[name] for name in names}
        if found["visibility"] == "confidential":
            public |= {"matter": None, "case": None, "holders": []}
        reply = self._reply(found["reply"]) if found["notice"] == "published" else None
        standing = self._voice.standing(_held(found)) if found["case"] else Standing()
        return {**public, "reply": reply, "may": standing.may, "rated": standing.rated}

    async def rate(self, text: str, rating: Rating) -> Heard:
        """Take a reporter's answer.

        Raises:
            HTTPException: 400 and 404 as `look_up`; 409 when the reporter answered otherwise before; 422 when it is
                not the time for it.
        """

        def rated(held: Held) -> Submission:
            return self._voice.rating(held, solved=rating.solved, satisfied=rating.satisfied)

        return await self._taken(text, rated)

    async def reopen(self, text: str, reopening: Reopening) -> Heard:
        """Take a reporter's wish to have the case taken up again.

        Raises:
            HTTPException: 400 and 404 as `look_up`; 409 when the reporter gave another reason before; 422 when it is
                not the time for it, or the reporter was erased.
        """
        return await self._taken(text, lambda held: self._voice.reopening(held, reopening.reason))

    async def _taken(self, text: str, prepare: Callable[[Held], Submission]) -> Heard:
        held = _held(await asyncio.to_thread(self.report_with, text))
        if not held.case:
            raise HTTPException("expected a report with a case, found one without", status_code=_REJECTED)
        try:
            answer = await self._front.submit(await asyncio.to_thread(prepare, held))
        except Rejected as error:
            raise HTTPException(str(error), status_code=_REJECTED) from error
        except tuple(_REFUSALS) as error:
            raise HTTPException(str(error), status_code=_REFUSALS[type(error)]) from error
        if answer.status == "rejected":
            raise HTTPException(answer.reason, status_code=_REJECTED)
        standing = await asyncio.to_thread(self._voice.standing, held)
        return Heard(answer.repeated, standing.may, standing.rated)

    def report_with(self, text: str) -> Found:
        """The report with a receipt, and how its case stands.

        Raises:
            HTTPException: 400 for what is no receipt, 404 for one that we never gave.
        """
        try:
            found = self._questions.receipt(read_receipt(text))
        except ValueError as error:
            raise HTTPException(f"receipt: {error}", status_code=400) from error
        if found is None:
            raise HTTPException("receipt: expected one that we gave, found none such", status_code=404)
        return found


def _held(found: Found) -> Held:
    return Held(found["receipt"], found["report"], found["case"] or "")
