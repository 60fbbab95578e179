"""联合出动: the turn-out's stream, from the order to the write-up: first the people, then the paperwork (先处置后补录).

Who is called, comes or may go is written on their roster in the same transaction, so that nobody is in two places.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, assert_never

from msgspec import Struct, structs

from events.district import Matter
from events.envelope import Fact
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    DropResponder,
    MissMobilisationReview,
    MissMuster,
    MobilisationOrdered,
    MobilisationReviewed,
    MobilisationReviewMissed,
    Muster,
    MusterReached,
    MusterShort,
    OrderMobilisation,
    Responder,
    ResponderDeclined,
    ResponderDropped,
    RespondersCalled,
    RespondersConfirmed,
    RespondersMustered,
    ReviewMobilisation,
    StandDown,
    StoodDown,
)
from events.private import sealed
from events.roster import PeopleFreed, PeopleTaken
from services.command_centre.case import Case
from services.decisions import Append, ClearTimer, Rejected, SetTimer
from services.people.pools import call_up
from services.people.roster import Roster
from services.rules.book import RuleBook

Facts = (
    MobilisationOrdered
    | RespondersCalled
    | RespondersConfirmed
    | ResponderDeclined
    | ResponderDropped
    | RespondersMustered
    | MusterReached
    | MusterShort
    | StoodDown
    | MobilisationReviewed
    | MobilisationReviewMissed
)
OnScene = ConfirmResponders | DeclineResponder | Muster | MissMuster | StandDown
Alone = DropResponder | ReviewMobilisation | MissMobilisationReview

CLOCK = "clock"
"""Who asks when nobody does."""

Phase = Literal["confirming", "short", "mustered", "stood_down", "reviewed"]
"""点名中、集结不足、集结完毕、已收队、已复盘."""

Presence = Literal["called", "confirmed", "declined", "dropped", "present"]
"""已点名、已应召、不能到、退出、已到场."""


class Called(Struct, frozen=True):
    """A person of the turn-out as they stand."""

    responder: Responder
    presence: Presence = "called"


class Mobilisation(Struct, frozen=True):
    """A turn-out as it stands, with everybody by staff number."""

    ordered: MobilisationOrdered
    phase: Phase = "confirming"
    people: dict[str, Called] = {}
    reached: bool = False
    review_by: datetime | None = None

    @property
    def present(self) -> int:
        """How many are on the spot, everybody counted once."""
        return sum(called.presence == "present" for called in self.people.values())

    @property
    def over(self) -> bool:
        """Whether everybody was let go."""
        return self.phase in ("stood_down", "reviewed")

    def held(self) -> list[Responder]:
        """Whom the turn-out still has."""
        return [c.responder for c in self.people.values() if c.presence in ("called", "confirmed", "present")]


def evolve(state: Mobilisation | None, fact: Facts) -> Mobilisation:
    """Fold one fact of a turn-out."""
    if isinstance(fact, MobilisationOrdered):
        return Mobilisation(fact)
    assert state is not None, "a turn-out begins with its order"
    match fact:
        case RespondersCalled():
            new = {responder.number: Called(responder) for responder in fact.responders}
            return structs.replace(state, people={**state.people, **new})
        case RespondersConfirmed():
            return _now(state, fact.numbers, "confirmed")
        case ResponderDeclined():
            return _now(state, (fact.number,), "declined")
        case ResponderDropped():
            return _now(state, (fact.number,), "dropped")
        case RespondersMustered():
            return _now(state, fact.numbers, "present")
        case MusterReached():
            return structs.replace(state, phase="mustered", reached=True)
        case MusterShort():
            return structs.replace(state, phase="short")
        case StoodDown():
            return structs.replace(state, phase="stood_down", review_by=fact.review.by)
        case MobilisationReviewed():
            return structs.replace(state, phase="reviewed")
        case MobilisationReviewMissed():
            return state
        case _:
            assert_never(fact)


def decide_order(
    states: tuple[Mobilisation | None, Case | None, Roster | None, Roster | None],
    request: OrderMobilisation,
    now: datetime,
    rules: RuleBook,
) -> tuple[Append, ...]:
    """Order a turn-out and call people up. A town without a register of people turns out by its departments alone."""
    state, case, *rosters = states
    if state is not None:
        return ()
    if case is None or not case.matter or case.phase == "closed":
        raise Rejected("case: expected one that is open and classified, found another")
    if not any(roster and roster.members for roster in rosters):
        return ()
    matter = rules.matter(case.matter)
    ordered = MobilisationOrdered(
        case=request.case,
        town=case.town,
        platform=rules.departments[matter.lead].platform,
        matter=case.matter,
        village=case.village,
        min_people=request.min_people,
        departments=(matter.lead, *matter.assists),
        muster=rules.muster_due(matter, case.handling_class, now),
        rosters=request.rosters,
        by=request.by,
    )
    standing = dict(zip(request.rosters, rosters, strict=True))
    return (request.mobilisation, ordered), *_call(Mobilisation(ordered), request, standing, matter, now, rules)


def decide(
    states: tuple[Mobilisation | Roster | None, ...], request: OnScene, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """What happens to a turn-out and to those who are with it."""
    if states[0] is None and isinstance(request, StandDown) and request.by == CLOCK:
        return ()
    state = _known(states[0])
    rosters: dict[str, Roster] = {
        stream: roster for stream, roster in zip(request.rosters, states[1:], strict=True) if isinstance(roster, Roster)
    }
    about, stream = _about(state), request.mobilisation
    match request:
        case ConfirmResponders():
            _of_department(state, request.numbers, request.department)
            new = tuple(n for n in dict.fromkeys(request.numbers) if state.people[n].presence in ("called", "declined"))
            gone = [number for number in new if state.people[number].presence == "declined"]
            if gone:
                raise Rejected(f"numbers: expected people who are still called, found {gone[0]} declined")
            return ((stream, RespondersConfirmed(**about, numbers=new, by=request.by)),) if new else ()
        case DeclineResponder():
            _of_department(state, (request.number,), request.department)
            called = state.people[request.number]
            if called.presence == "declined" or state.over:
                return ()
            if called.presence == "present":
                raise Rejected(f"number: expected somebody who has not come, found {request.number} on the spot")
            declined = ResponderDeclined(**about, number=request.number, ground=request.ground, by=request.by)
            freed = PeopleFreed(mobilisation=stream, numbers=(request.number,))
            return (stream, declined), (called.responder.roster, freed)
        case Muster():
            return _muster(state, request, rosters, now)
        case MissMuster():
            return _miss(state, request, rosters, now, rules)
        case StandDown():
            if state.over:
                return ()
            stood_down = StoodDown(**about, by=request.by, count=state.present, review=rules.turn_out_review_due(now))
            return ((stream, stood_down), *_free(stream, state.held()))
        case _:
            assert_never(request)


def decide_alone(state: Mobilisation | None, request: Alone, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """What concerns nobody's roster."""
    state = _known(state)
    about = _about(state)
    match request:
        case DropResponder():
            known = state.people.get(request.number)
            gone = known is None or known.presence in ("declined", "dropped") or state.over
            return () if gone else (ResponderDropped(**about, number=request.number),)
        case ReviewMobilisation():
            if not state.over:
                raise Rejected("expected a turn-out that was stood down, found people still at it")
            late = state.review_by is not None and now > state.review_by
            reviewed = MobilisationReviewed(**about, by=request.by, note=sealed(request.note), late=late)
            return () if state.phase == "reviewed" else (reviewed,)
        case MissMobilisationReview():
            return (MobilisationReviewMissed(**about),) if state.phase == "stood_down" else ()
        case _:
            assert_never(request)


def timers(stream: str, fact: Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """The muster has a due time, each calling of more people a new one; so has the write-up."""
    match fact:
        case MobilisationOrdered():
            return (SetTimer("muster", fact.muster.by, MissMuster(mobilisation=stream, rosters=fact.rosters)),)
        case MusterShort():
            again = MissMuster(mobilisation=stream, rosters=fact.rosters)
            return (SetTimer("muster", fact.again.by, again),) if fact.again else ()
        case MusterReached():
            return (ClearTimer("muster"),)
        case StoodDown():
            missed = MissMobilisationReview(mobilisation=stream)
            return ClearTimer("muster"), SetTimer("review", fact.review.by, missed)
        case MobilisationReviewed():
            return (ClearTimer("review"),)
        case _:
            return ()


def _call(
    state: Mobilisation,
    request: OrderMobilisation | MissMuster,
    rosters: dict[str, Roster | None],
    matter: Matter,
    now: datetime,
    rules: RuleBook,
) -> tuple[Append, ...]:
    """Call as many people as are lacking, and take them on their rosters."""
    lacking = state.ordered.min_people - state.present
    found = call_up(matter, lacking, [(stream, rosters.get(stream)) for stream in request.rosters], now, rules)
    responders = tuple(responder for _, responder in found)
    called = RespondersCalled(
        **_about(state),
        responders=responders,
        pools=tuple(dict.fromkeys(pool for pool, _ in found)),
        lacking=max(0, lacking - len(found)),
    )
    return (request.mobilisation, called), *_take(request.mobilisation, responders)


def _muster(state: Mobilisation, request: Muster, rosters: dict[str, Roster], now: datetime) -> tuple[Append, ...]:
    if state.over:
        raise Rejected("expected a turn-out that is under way, found it stood down")
    known = state.people
    new = [n for n in dict.fromkeys(request.numbers) if n not in known or known[n].presence != "present"]
    came = tuple(_responder(number, request.mobilisation, rosters, now) for number in new)
    if not came:
        return ()
    about = _about(state)
    others = [responder.number for responder in came if request.department not in ("", responder.department)]
    if others:
        raise Rejected(f"numbers: expected people of {request.department}, found {others[0]} of another department")
    count = state.present + len(came)
    late = now > state.ordered.muster.by
    joined = tuple(responder for responder in came if responder not in state.held())
    facts: list[Fact] = []
    if joined:
        facts.append(RespondersCalled(**about, responders=joined, pools=()))
    facts.append(RespondersMustered(**about, numbers=tuple(new), by=request.by, count=count, late=late))
    if count >= state.ordered.min_people and not state.reached:
        facts.append(MusterReached(**about, count=count, min_people=state.ordered.min_people, late=late))
    return (*((request.mobilisation, fact) for fact in facts), *_take(request.mobilisation, joined))


def _responder(number: str, mobilisation: str, rosters: dict[str, Roster], now: datetime) -> Responder:
    """Somebody who has come, if they may be counted here."""
    for stream, roster in rosters.items():
        member = roster.members.get(number)
        if member is None:
            continue
        if member.taken_by != mobilisation and not member.free(now):
            raise Rejected(f"numbers: expected people who are free, found {number} {member.why_not(now)}")
        if not member.there(now):
            raise Rejected(f"numbers: expected people who are there, found {number} {member.why_not(now)}")
        return Responder(number, member.department, stream)
    raise Rejected(f"numbers: expected people of the town's roster, found {number!r}")


def _miss(
    state: Mobilisation, request: MissMuster, rosters: dict[str, Roster], now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Too few have come by the due time: call more, and give them a due time of their own."""
    if state.over or state.reached:
        return ()
    more = _call(state, request, dict(rosters), rules.matter(state.ordered.matter), now, rules)
    (_, called), *_ = more
    some = isinstance(called, RespondersCalled) and bool(called.responders)
    short = MusterShort(
        **_about(state),
        count=state.present,
        min_people=state.ordered.min_people,
        rosters=request.rosters,
        again=rules.muster_again_due(now) if some else None,
    )
    return (request.mobilisation, short), *(more if some else ())


def _take(mobilisation: str, responders: tuple[Responder, ...]) -> tuple[Append, ...]:
    return tuple(
        (roster, PeopleTaken(mobilisation=mobilisation, numbers=numbers)) for roster, numbers in _by_roster(responders)
    )


def _free(mobilisation: str, responders: list[Responder]) -> tuple[Append, ...]:
    return tuple(
        (roster, PeopleFreed(mobilisation=mobilisation, numbers=numbers)) for roster, numbers in _by_roster(responders)
    )


def _by_roster(responders: Iterable[Responder]) -> Iterator[tuple[str, tuple[str, ...]]]:
    found: dict[str, list[str]] = {}
    for responder in responders:
        found.setdefault(responder.roster, []).append(responder.number)
    return ((roster, tuple(numbers)) for roster, numbers in found.items())


def _of_department(state: Mobilisation, numbers: Iterable[str], department: str) -> None:
    for number in numbers:
        called = state.people.get(number)
        if called is None or called.responder.department != department:
            raise Rejected(f"number: expected somebody of {department} who is called, found {number}")


def _known(state: object) -> Mobilisation:
    if not isinstance(state, Mobilisation):
        raise Rejected("expected a turn-out that was ordered, found none with this id")
    return state


def _about(state: Mobilisation) -> dict[str, Any]:
    return {"case": state.ordered.case, "town": state.ordered.town, "platform": state.ordered.platform}


def _now(state: Mobilisation, numbers: Iterable[str], presence: Presence) -> Mobilisation:
    changed = {number: structs.replace(state.people[number], presence=presence) for number in numbers}
    return structs.replace(state, people={**state.people, **changed})
