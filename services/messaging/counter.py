"""The counter: what every door has in common. Requests of outside users are read, decided and answered, in order."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from events.attributes import BadEvent
from events.cloudevents import CloudEvent
from events.edge import NotTaken, RequestNotTaken
from services.decisions import Rejected
from services.runtime.batch import Answer, Submission
from services.runtime.errors import Conflict, Erased, HujiaoError
from services.runtime.front import Front
from services.runtime.threads import in_thread

AT_ONCE = 2000
"""How many requests wait for the ledger at once: batches together may hold more than it lets wait."""


class Unwelcome(HujiaoError):
    """What this sender may not do, or nobody can read; ``kind`` says which to the sender. The same again is too."""

    def __init__(self, kind: NotTaken, reason: str) -> None:
        super().__init__(reason)
        self.kind: NotTaken = kind


class Asked(NamedTuple):
    """What to do about an event: a request for the ledger, if it needs one, and how to answer after it.

    ``answer`` gets the ledger's; it may raise `Rejected` or `Unwelcome`.
    """

    submission: Submission | None
    answer: Callable[[Answer | None], Struct]


class Clerk(Protocol):
    """Who stands behind a counter."""

    def asked(self, user: str, event: CloudEvent) -> Asked:
        """What ``user`` wants. Called in a thread; nothing happens yet.

        Raises:
            Unwelcome: when it is not to be had.
        """
        ...


class Outcome(NamedTuple):
    """What became of one request. ``refused`` when its sender did something wrong that somebody should look at."""

    event: CloudEvent | None
    reply: Struct
    refused: Unwelcome | None = None


def short(name: str, most: int) -> str:
    """A sender's name for something in at most so many bytes; a longer one is cut, and ends with its own hash."""
    said = name.encode()
    if len(said) <= most:
        return name
    return f"{said[: most - 33].decode(errors='ignore')}~{hashlib.sha256(said).hexdigest()[:32]}"


def carried_on(about: CloudEvent | None) -> dict[str, str | int]:
    """What of a request its answer carries on: the trace."""
    trace = about.extensions.get("traceparent") if about else None
    return {} if trace is None else {"traceparent": trace}


class Counter:
    """Serves the requests of one clerk's customers, many at a time; the ledger decides them in the order given."""

    def __init__(self, clerk: Clerk, front: Front) -> None:
        self._clerk, self._front = clerk, front

    async def serve(self, requests: Sequence[tuple[str, CloudEvent | BadEvent]]) -> list[Outcome]:
        """Answers in the order of the requests, each after its facts are committed.

        Raises:
            Unavailable, Overloaded, Closed: nothing is lost: serve the same again.
        """
        asked = await in_thread(lambda: [self._ask(user, event) for user, event in requests])
        outcomes: list[Outcome] = []
        for step in _steps([user for user, _ in requests], asked):
            decided = await asyncio.gather(*(self._decide(one) for one in asked[step]), return_exceptions=True)
            outcomes += await in_thread(self._outcomes, requests[step], asked[step], decided)
        return outcomes

    def _ask(self, user: str, event: CloudEvent | BadEvent) -> Asked | Unwelcome:
        if isinstance(event, BadEvent):
            return Unwelcome("malformed", str(event))
        try:
            return self._clerk.asked(user, event)
        except Unwelcome as unwelcome:
            return unwelcome
        except BadEvent as error:
            return Unwelcome("malformed", str(error))

    async def _decide(self, asked: Asked | Unwelcome) -> Answer | None:
        if isinstance(asked, Unwelcome) or asked.submission is None:
            return None
        return await self._front.submit(asked.submission)

    def _outcomes(
        self,
        requests: Sequence[tuple[str, CloudEvent | BadEvent]],
        asked: Sequence[Asked | Unwelcome],
        decided: Sequence[Answer | BaseException | None],
    ) -> list[Outcome]:
        for found in decided:
            if isinstance(found, BaseException) and not isinstance(found, Conflict):
                raise found
        return [
            self._outcome(event, one, found) for (_, event), one, found in zip(requests, asked, decided, strict=True)
        ]

    def _outcome(
        self, event: CloudEvent | BadEvent, asked: Asked | Unwelcome, answer: Answer | BaseException | None
    ) -> Outcome:
        known = event if isinstance(event, CloudEvent) else None
        name = event.id if isinstance(event, CloudEvent) else event.event
        if isinstance(asked, Unwelcome):
            return Outcome(known, RequestNotTaken(kind=asked.kind, reason=str(asked), event=name), asked)
        if isinstance(answer, Conflict):
            return Outcome(known, RequestNotTaken(kind="conflict", reason=str(answer), event=name))
        assert not isinstance(answer, BaseException), "other errors were raised before"
        try:
            return Outcome(known, asked.answer(answer))
        except Unwelcome as unwelcome:
            reply = RequestNotTaken(kind=unwelcome.kind, reason=str(unwelcome), event=name)
            return Outcome(known, reply, unwelcome)
        except (Rejected, Erased) as error:
            return Outcome(known, RequestNotTaken(kind="rejected", reason=str(error), event=name))


def _steps(users: Sequence[str], asked: Sequence[Asked | Unwelcome]) -> Iterator[slice]:
    """Which requests go to the ledger together: who only looks has looked before what they ask later is decided."""
    start, looks = 0, set()
    for n, (user, one) in enumerate(zip(users, asked, strict=True)):
        if not isinstance(one, Asked):
            continue
        if one.submission is None:
            looks.add(user)
        elif user in looks or n - start >= AT_ONCE:
            yield slice(start, n)
            start, looks = n, set()
    yield slice(start, len(asked))
