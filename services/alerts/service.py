"""Alerts departments of calls, and of overdue returns: hears the log, sends, and has it know what became of it.

What is under way stands in the log alone: an alert that set out and of which nothing else is known is sent again after
a crash, under the same id. The place in the log is kept before the first such alert: nothing else is to be remembered.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, assert_never

import structlog
from msgspec import Struct

from events.call import (
    AlertDepartment,
    CallAlerted,
    DeliveryFailure,
    DepartmentsCalled,
    NoteDelivery,
    NoteDeliveryFailure,
)
from events.case import CaseClassified
from events.district import Visibility
from events.envelope import Recorded, Request
from events.person import NoteOverdueTold, SecondmentOverdue
from services.alerts.alert import Message, compose, overdue_return
from services.alerts.channels import Channels
from services.alerts.notifier import Delivered, Notifier, Outcome, Refused, TryLater
from services.alerts.pauses import MOST_TRIES, Pause, full_jitter
from services.messaging.retry import PASSING, pauses
from services.messaging.subscription import Subscription
from services.people import person as people
from services.platforms import call as calls
from services.rules.book import RuleBook
from services.runtime.attempts import Attempts
from services.runtime.batch import Answer, Submission
from services.runtime.errors import Conflict
from services.runtime.front import Closed
from services.runtime.log import Log
from services.runtime.parking import Parking
from services.runtime.pulse import Pulse
from services.runtime.threads import in_thread

NAME = "alerts"
"""The subscriber, the actor, and the source of our requests."""

HEARS = ("call.departments-called.v1", "call.alerted.v1", "person.secondment-overdue.v1")

AT_ONCE = 4
"""So many alerts are on their way on one channel at once."""

MOST_UNDER_WAY = 10_000
"""When so many alerts wait for receivers, no more of the log is read."""

logger = structlog.get_logger()


class _Failed(Struct, frozen=True):
    """Nothing more is tried over this channel. ``cause`` is short and names no address."""

    reason: DeliveryFailure
    cause: str


Submit = Callable[[Submission], Awaitable[Answer]]
Sleep = Callable[[float], Awaitable[None]]


class Alerts:
    """Alerts the departments of one log. `handle` is a `Handle` of `services.messaging.subscription`.

    Channels do not wait for each other, nor does an alert for another one that is tried again.
    """

    def __init__(
        self,
        log: Log,
        attempts: Attempts,
        channels: Channels,
        notifiers: Mapping[str, Notifier],
        rules: Callable[[], RuleBook],
        submit: Submit,
        pulse: Pulse | None = None,
        pause: Pause = full_jitter,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._log, self._attempts, self._channels, self._notifiers = log, attempts, channels, notifiers
        self._rules, self._submit = rules, submit
        self._pulse = pulse or Pulse(NAME)
        self._pause, self._sleep = pause, sleep
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._room = asyncio.Semaphore(MOST_UNDER_WAY)
        self._under_way: dict[str, int] = {}
        """The alerts that are being sent, by fact, each with its position."""
        self._tasks = asyncio.TaskGroup()

    async def run(self, subscription: Subscription) -> None:
        """Alert whoever is called until cancelled, over every break."""
        async with self._tasks:
            self._tasks.create_task(subscription.run(self.handle))

    async def handle(self, facts: Sequence[Recorded]) -> None:
        """Have alerts set out for whoever is called, and begin to send those that have."""
        wanted = [
            self._decided(recorded, request, f"{NAME}/{recorded.stream}/{request.department}")
            for recorded in facts
            if isinstance(recorded.fact, DepartmentsCalled)
            for request in self._wanted(recorded.stream, recorded.fact)
        ]
        await asyncio.gather(*wanted)
        for recorded in facts:
            once = self._sending(recorded) if recorded.id not in self._under_way else None
            if once is not None:
                await self._room.acquire()
                self._under_way[recorded.id] = recorded.position
                self._tasks.create_task(self._send(recorded, once), name=f"alert {recorded.id}")

    def _sending(self, recorded: Recorded) -> Callable[[], Awaitable[float | None]] | None:
        """How to try once to tell what a fact wants told, if it wants anything."""
        match recorded.fact:
            case CallAlerted() as alerted:
                return lambda: self._call(recorded, alerted)
            case SecondmentOverdue() as overdue if left := list(self._overdue_channels(overdue)):
                return lambda: self._tell_overdue(recorded, overdue, left)
            case _:
                return None

    def _overdue_channels(self, fact: SecondmentOverdue) -> tuple[str, ...]:
        town = self._rules().units.get(fact.town)
        return self._channels.of_secondments(fact.town, town.alias if town else "")

    def settled(self, position: int) -> int:
        """Up to where nothing is under way any more, of what was heard up to ``position``."""
        return min((before - 1 for before in self._under_way.values()), default=position)

    def _wanted(self, call: str, fact: DepartmentsCalled) -> list[AlertDepartment]:
        town = self._rules().units.get(fact.town)
        routes = [
            (leg.department, self._channels.of(fact.town, town.alias if town else "", fact.platform, leg.department))
            for leg in fact.legs
        ]
        return [AlertDepartment(call=call, department=code, channels=channels) for code, channels in routes if channels]

    async def _send(self, recorded: Recorded, once: Callable[[], Awaitable[float | None]]) -> None:
        """Try until it is known what becomes of an alert; only then is it under way no more."""
        breaks = pauses()
        while True:
            try:
                rest_s = await once()
            except PASSING as error:
                rest_s = next(breaks)
                logger.warning("alert_waits", id=recorded.id, error=str(error), pause_s=rest_s)
            if rest_s is None:
                break
            await self._sleep(rest_s)
        del self._under_way[recorded.id]
        self._room.release()

    async def _call(self, recorded: Recorded, fact: CallAlerted) -> float | None:
        """Try once more; gives how many seconds to rest before the next time, ``None`` when there shall be none."""
        tried = f"{recorded.id}/tries"
        found = await self._once(recorded, fact.channel, tried, lambda: self._still_wanted(recorded, fact))
        match found:
            case float():
                return found
            case Delivered():
                request = NoteDelivery(call=recorded.stream, department=fact.department, channel=fact.channel)
                await self._decided(recorded, request, _source_id(recorded, fact))
            case _Failed(reason=reason, cause=cause):
                await self._fail(recorded, fact, reason, cause)
        await in_thread(self._attempts.forget, tried)
        return None

    async def _tell_overdue(self, recorded: Recorded, fact: SecondmentOverdue, left: list[str]) -> float | None:
        """The same for an overdue return, over the first of the channels that are ``left``; the last says that none."""
        channel = left[0]
        found = await self._once(
            recorded, channel, f"{recorded.id}/{channel}/tries", lambda: self._still_overdue(recorded, fact)
        )
        if isinstance(found, float):
            return found
        if isinstance(found, _Failed):
            self._pulse.count("dead_alerts")
            told = {"town": fact.town, "channel": channel, "reason": found.reason, "cause": found.cause}
            logger.error("alert_dead", id=f"position {recorded.position}", **told)
            if len(left) > 1:
                del left[0]
                return 0.0
        if found is not None:
            arrived = channel if isinstance(found, Delivered) else None
            request = NoteOverdueTold(person=recorded.stream, channel=arrived)
            await self._decided(recorded, request, f"{NAME}/{recorded.id}/told")
        for tried in self._overdue_channels(fact):
            await in_thread(self._attempts.forget, f"{recorded.id}/{tried}/tries")
        return None

    async def _once(
        self, recorded: Recorded, channel: str, tried: str, wanted: Callable[[], Message | None]
    ) -> "float | Delivered | _Failed | None":
        """Try once: how many seconds to rest before the next time, what became of it for good, or nothing unwanted."""
        notifier = self._notifiers.get(channel)
        async with self._slots[channel]:
            alert = await in_thread(wanted)
            if alert is None:
                return None
            if notifier is None:
                return _Failed("unknown_channel", "it is not configured")
            tries = await in_thread(self._attempts.count, tried)
            ended = TryLater("the process ended whenever it was sent")
            outcome = await self._deliver(notifier, alert) if tries <= MOST_TRIES else ended
        match outcome:
            case Delivered():
                self._pulse.count("delivered")
                return outcome
            case Refused(cause=cause):
                return _Failed("refused", cause)
            case TryLater(cause=cause) if tries >= MOST_TRIES:
                return _Failed("dead_letter", cause)
            case TryLater(cause=cause, after_s=after_s):
                rest_s = max(after_s, self._pause(tries))
                self._pulse.count("alerts_again")
                logger.warning("alert_again", id=alert.id, channel=channel, cause=cause, pause_s=rest_s)
                return rest_s
            case _:
                assert_never(outcome)

    async def _deliver(self, notifier: Notifier, alert: Message) -> Outcome:
        try:
            return await notifier.deliver(alert)
        except Exception as error:
            logger.exception("failed", what=alert.id, subscriber=NAME)
            return TryLater(type(error).__name__)

    async def _fail(self, recorded: Recorded, fact: CallAlerted, reason: DeliveryFailure, cause: str) -> None:
        self._pulse.count("dead_alerts")
        logger.error(
            "alert_dead", id=recorded.id, department=fact.department, channel=fact.channel, reason=reason, cause=cause
        )
        request = NoteDeliveryFailure(
            call=recorded.stream, department=fact.department, channel=fact.channel, reason=reason
        )
        await self._decided(recorded, request, _source_id(recorded, fact))

    async def _decided(self, recorded: Recorded, request: Request, source_id: str) -> None:
        """Have a request decided, however long it takes; one that was decided before stays as it was."""
        submission = Submission(source_id, request, NAME, trace=recorded.meta.trace)
        for pause_s in pauses():
            try:
                answer = await self._submit(submission)
            except Conflict as error:
                logger.info("alert_known", source_id=source_id, reason=str(error))
                return
            except (*PASSING, Closed) as error:
                logger.warning("alert_waits", id=recorded.id, error=str(error), pause_s=pause_s)
                await self._sleep(pause_s)
                continue
            if answer.status == "rejected":
                logger.error("alert_rejected", source_id=source_id, reason=answer.reason)
            return

    def _still_wanted(self, recorded: Recorded, fact: CallAlerted) -> Message | None:
        """What to send; nothing once the department has acknowledged, is alerted, or what became of it is known."""
        state: Any = None
        for known in self._log.stream(recorded.stream):
            state = calls.evolve(state, known.fact)  # type: ignore[arg-type]  # a call's stream holds its facts
        part = state.parts[fact.department]
        if part.progress != "called" or part.alerting.delivered or not part.alerting.undecided(fact.channel):
            return None
        return compose(
            recorded.id,
            fact,
            recorded.meta.recorded_at,
            (recorded.stream, state),
            self._visibility(fact.case),
            self._rules(),
            self._channels.console_url,
        )

    def _still_overdue(self, recorded: Recorded, fact: SecondmentOverdue) -> Message | None:
        """What to send; nothing once the person is back, or it is known what became of the alert."""
        state: Any = None
        newest = 0
        for known in self._log.stream(recorded.stream):
            state = people.evolve(state, known.fact)  # type: ignore[arg-type]  # a person's stream holds their facts
            newest = known.version if isinstance(known.fact, SecondmentOverdue) else newest
        lent = state.secondment
        if lent is None or lent.stage != "overdue" or lent.told or newest != recorded.version:
            return None
        at = recorded.meta.recorded_at
        return overdue_return(recorded.position, fact, at, self._rules(), self._channels.console_url)

    def _visibility(self, case: str) -> Visibility:
        """As it was classified last; of what is not known nothing is told."""
        facts = (recorded.fact for recorded in self._log.stream(case))
        classified = [fact.visibility for fact in facts if isinstance(fact, CaseClassified)]
        return classified[-1] if classified else "confidential"


def begin_now(log: Log) -> None:
    """Who never was alerted is alerted from now on: what was called before alerts were first switched on is not."""
    parking = Parking(NAME)
    with log.store.writing() as cursor:
        if not parking.position(cursor):
            parking.move(cursor, log.head())


def _source_id(recorded: Recorded, fact: CallAlerted) -> str:
    return f"{NAME}/{recorded.stream}/{fact.department}/{fact.channel}"
