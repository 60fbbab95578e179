"""送达: how a department is alerted of its part of a call, on one channel after another until an alert arrives.

No clock of the call waits for any of this, and none is changed by it. A department that has acknowledged, or need not
go on, is not alerted any further; what arrives all the same is still recorded.
"""

from datetime import datetime, timedelta
from typing import Literal, assert_never

from msgspec import Struct

from events.call import (
    AlertDepartment,
    CallAlerted,
    CallDelivered,
    CallDeliveryFailed,
    DeliveryFailure,
    MissDelivery,
    NoteDelivery,
    NoteDeliveryFailure,
)
from events.district import HandlingClass
from events.envelope import Fact
from services.decisions import ClearTimer, Rejected, SetTimer

Facts = CallAlerted | CallDelivered | CallDeliveryFailed
Requests = AlertDepartment | NoteDelivery | NoteDeliveryFailure | MissDelivery

IN_TIME: frozenset[HandlingClass] = frozenset({"U1"})
"""紧急: the handling classes of which an alert must arrive in time."""

TIME_TO_ARRIVE = timedelta(minutes=2)
"""How long an alert that must arrive in time has on one channel before the next one is taken."""

Outcome = Literal["under_way", "delivered", "not_in_time"] | DeliveryFailure
"""What became of an alert on one channel, as far as it is known."""


class Alerting(Struct, frozen=True):
    """How one department was alerted: the outcome on each channel, the newest last, and the channels left."""

    outcomes: dict[str, Outcome] = {}
    then: tuple[str, ...] = ()

    @property
    def newest(self) -> str:
        """The channel taken last; empty before the first."""
        return next(reversed(self.outcomes), "")

    @property
    def delivered(self) -> bool:
        """Whether an alert has arrived, on whatever channel."""
        return "delivered" in self.outcomes.values()

    def undecided(self, channel: str) -> bool:
        """Whether an alert that set out on this channel may still arrive there."""
        return self.outcomes.get(channel) in ("under_way", "not_in_time")


def evolve(state: Alerting, fact: Facts) -> Alerting:
    """Fold one fact about a department's alerts."""
    match fact:
        case CallAlerted():
            return Alerting({**state.outcomes, fact.channel: "under_way"}, fact.then)
        case CallDelivered():
            return Alerting({**state.outcomes, fact.channel: "delivered"}, state.then)
        case CallDeliveryFailed():
            return Alerting({**state.outcomes, fact.channel: fact.reason}, state.then)
        case _:
            assert_never(fact)


def decide(
    state: Alerting, request: Requests, now: datetime, about: dict[str, str], waiting: bool, in_time: bool
) -> tuple[Fact, ...]:
    """What follows for one department of the call ``about``.

    ``waiting`` is whether it has still to acknowledge, ``in_time`` whether an alert must arrive in time.
    """
    goes_on = waiting and not state.delivered

    def next_of(channels: tuple[str, ...]) -> tuple[Fact, ...]:
        if not goes_on or not channels:
            return ()
        alerted = CallAlerted(
            **about,
            department=request.department,
            channel=channels[0],
            nth=len(state.outcomes) + 1,
            then=channels[1:],
            deliver_by=now + TIME_TO_ARRIVE if in_time else None,
        )
        return (alerted,)

    def failed(channel: str, reason: DeliveryFailure | Literal["not_in_time"]) -> tuple[Fact, ...]:
        fact = CallDeliveryFailed(**about, department=request.department, channel=channel, reason=reason)
        return (fact, *(next_of(state.then) if channel == state.newest else ()))

    match request:
        case AlertDepartment():
            return () if state.outcomes else next_of(tuple(dict.fromkeys(request.channels)))
        case NoteDelivery():
            _set_out(state, request)
            delivered = CallDelivered(**about, department=request.department, channel=request.channel)
            return () if state.outcomes[request.channel] == "delivered" else (delivered,)
        case NoteDeliveryFailure():
            _set_out(state, request)
            return failed(request.channel, request.reason) if state.undecided(request.channel) else ()
        case MissDelivery():
            late = goes_on and state.outcomes.get(request.channel) == "under_way"
            return failed(request.channel, "not_in_time") if late else ()
        case _:
            assert_never(request)


def timers(stream: str, fact: Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """Each channel has a timer where alerts must arrive in time; it goes with that of the acknowledgement."""
    every = f"{fact.department}.acknowledge.alert"
    match fact:
        case CallAlerted():
            if fact.deliver_by is None:
                return ()
            missed = MissDelivery(call=stream, department=fact.department, channel=fact.channel)
            return (SetTimer(f"{every}.{fact.channel}", fact.deliver_by, missed),)
        case CallDelivered():
            return (ClearTimer(every),)
        case CallDeliveryFailed():
            return (ClearTimer(f"{every}.{fact.channel}"),)
        case _:
            assert_never(fact)


def _set_out(state: Alerting, request: NoteDelivery | NoteDeliveryFailure) -> None:
    if request.channel not in state.outcomes:
        known = ", ".join(state.outcomes) or "none"
        raise Rejected(
            f"channel: expected one on which {request.department} was alerted ({known}), found {request.channel}"
        )
