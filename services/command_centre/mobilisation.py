"""联合出动: the turn-out's stream, from the order to the write-up: first the people, then the paperwork (先处置后补录).

Who is called, comes or may go is written on their roster in the same transaction, so that nobody is in two places.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, assert_never

from msgspec import Struct, structs

from events.case import Due
from events.envelope import Fact
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    DropResponder,
    MissMobilisationReview,
    MissMuster,
    MobilisationOrdered,
    MobilisationReviewed,
    MobilisationReviewExtended,
    MobilisationReviewMissed,
    Muster,
    MusterReached,
    MusterShort,
    OrderMobilisation,
    RecountMobilisationReview,
    RecuseResponders,
    Responder,
    ResponderDeclined,
    ResponderDropped,
    RespondersCalled,
    RespondersConfirmed,
    RespondersMustered,
    RespondersRecused,
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
    | RespondersRecused
    | RespondersMustered
    | MusterReached
    | MusterShort
    | StoodDown
    | MobilisationReviewed
    | MobilisationReviewExtended
    | MobilisationReviewMissed
)
OnScene = ConfirmResponders | DeclineResponder | RecuseResponders | Muster | MissMuster | StandDown
Alone = DropResponder | ReviewMobilisation | RecountMobilisationReview | MissMobilisationReview

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
    """A turn-out as it stands, with everybody by staff number, and until when it is written up."""

    ordered: MobilisationOrdered
    phase: Phase = "confirming"
    people: dict[str, Called] = {}
    review: Due | None = None
    review_missed: bool = False
    recused: tuple[str, ...] = ()

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
        return Mobilisation(fact, recused=fact.recused)
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
        case RespondersRecused():
            left = _now(state, fact.numbers, "dropped")
            return structs.replace(left, recused=(*state.recused, fact.department))
        case RespondersMustered():
            return _now(state, fact.numbers, "present")
        case MusterReached():
            return structs.replace(state, phase="mustered")
        case MusterShort():
            return structs.replace(state, phase="short")
        case StoodDown():
            return structs.replace(state, phase="stood_down", review=fact.review)
        case MobilisationReviewed():
            return structs.replace(state, phase="reviewed")
        case MobilisationReviewExtended():
            return structs.replace(state, review=fact.due)
        case MobilisationReviewMissed():
            return structs.replace(state, review_missed=True)
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
        departments=tuple(code for code in (matter.lead, *matter.assists) if code not in case.recused),
        muster=rules.muster_due(matter, case.handling_class, now),
        rosters=request.rosters,
        by=request.by,
        recused=case.recused,
    )
    called = _call_up(evolve(None, ordered), request, rosters, now, rules)
    return (request.mobilisation, ordered), *_call(request.mobilisation, called)


def decide(
    states: tuple[Mobilisation | Roster | None, ...], request: OnScene, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """What happens to a turn-out and to those who are with it."""
    by_itself = isinstance(request, RecuseResponders) or (isinstance(request, StandDown) and request.by == CLOCK)
    if states[0] is None and by_itself:
        return ()  # a case of which nobody turned out
    state = _known(states[0])
    rosters = [roster if isinstance(roster, Roster) else None for roster in states[1:]]
    about, stream = _about(state), request.mobilisation
    match request:
        case ConfirmResponders():
            _under_way(state)
            _of_department(state, request.numbers, request.department)
            numbers = tuple(dict.fromkeys(request.numbers))
            gone = [number for number in numbers if state.people[number].presence in ("declined", "dropped")]
            if gone:
                presence = state.people[gone[0]].presence
                raise Rejected(f"numbers: expected people who are still called, found {gone[0]} {presence}")
            new = tuple(number for number in numbers if state.people[number].presence == "called")
            return ((stream, RespondersConfirmed(**about, numbers=new, by=request.by)),) if new else ()
        case DeclineResponder():
            _of_department(state, (request.number,), request.department)
            called = state.people[request.number]
            if called.presence in ("declined", "dropped") or state.over:
                return ()
            if called.presence == "present":
                raise Rejected(f"number: expected somebody who has not come, found {request.number} on the spot")
            declined = ResponderDeclined(**about, number=request.number, ground=request.ground, by=request.by)
            return (stream, declined), *_on_rosters(PeopleFreed, stream, [called.responder])
        case RecuseResponders():
            if state.over or request.department in state.recused:
                return ()
            leaving = [responder for responder in state.held() if responder.department == request.department]
            numbers = tuple(responder.number for responder in leaving)
            recused = RespondersRecused(
                **about, department=request.department, numbers=numbers, **_without(state, numbers)
            )
            return (stream, recused), *_on_rosters(PeopleFreed, stream, leaving)
        case Muster():
            return _muster(state, request, rosters, now)
        case MissMuster():
            return _miss(state, request, rosters, now, rules)
        case StandDown():
            if state.over:
                return ()
            freed, review = state.held(), rules.turn_out_review_due(now)
            stood_down = StoodDown(**about, by=request.by, count=state.present, review=review, freed=tuple(freed))
            return (stream, stood_down), *_on_rosters(PeopleFreed, stream, freed)
        case _:
            assert_never(request)


def decide_alone(state: Mobilisation | None, request: Alone, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """What concerns nobody's roster."""
    state = _known(state)
    about = _about(state)
    match request:
        case DropResponder():
            known = state.people.get(request.number)
            if known is None or known.presence in ("declined", "dropped") or state.over:
                return ()
            return (ResponderDropped(**about, number=request.number, **_without(state, (request.number,))),)
        case ReviewMobilisation():
            if not state.over:
                raise Rejected("expected a turn-out that was stood down, found people still at it")
            late = state.review is not None and now > state.review.by
            reviewed = MobilisationReviewed(**about, by=request.by, note=sealed(request.note), late=late)
            return () if state.phase == "reviewed" else (reviewed,)
        case RecountMobilisationReview():
            return _extend_review(state, rules)
        case MissMobilisationReview():
            if longer := _extend_review(state, rules):
                return longer
            waits = state.phase == "stood_down" and not state.review_missed
            over = state.review is not None and now >= state.review.by
            return (MobilisationReviewMissed(**about),) if waits and over else ()
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
        case MobilisationReviewExtended():
            return (SetTimer("review", fact.due.by, MissMobilisationReview(mobilisation=stream)),)
        case MobilisationReviewed():
            return (ClearTimer("review"),)
        case _:
            return ()


def _call_up(
    state: Mobilisation,
    request: OrderMobilisation | MissMuster,
    rosters: Sequence[Roster | None],
    now: datetime,
    rules: RuleBook,
) -> RespondersCalled:
    """Who is called now: as many people as are lacking, as far as anybody is left."""
    matter, lacking = rules.matter(state.ordered.matter), state.ordered.min_people - state.present
    found = call_up(matter, lacking, list(zip(request.rosters, rosters, strict=True)), state.recused, now, rules)
    return RespondersCalled(
        **_about(state),
        responders=tuple(responder for _, responder in found),
        pools=tuple(dict.fromkeys(pool for pool, _ in found)),
        lacking=max(0, lacking - len(found)),
        muster=state.ordered.muster if isinstance(request, OrderMobilisation) else rules.muster_again_due(now),
    )


def _call(mobilisation: str, called: RespondersCalled) -> tuple[Append, ...]:
    """Whoever is called is taken on their roster."""
    return (mobilisation, called), *_on_rosters(PeopleTaken, mobilisation, called.responders)


def _muster(
    state: Mobilisation, request: Muster, rosters: Sequence[Roster | None], now: datetime
) -> tuple[Append, ...]:
    _under_way(state)
    known = state.people
    new = [n for n in dict.fromkeys(request.numbers) if n not in known or known[n].presence != "present"]
    came = tuple(_responder(number, request, rosters, now) for number in new)
    if not came:
        return ()
    about = _about(state)
    recused = [responder.number for responder in came if responder.department in state.recused]
    if recused:
        raise Rejected(f"numbers: expected people of departments that are not recused, found {recused[0]}")
    count = state.present + len(came)
    late = now > state.ordered.muster.by
    joined = tuple(responder for responder in came if responder not in state.held())
    facts: list[Fact] = [RespondersMustered(**about, numbers=tuple(new), by=request.by, count=count, late=late)]
    if count >= state.ordered.min_people and state.phase != "mustered":
        facts.append(MusterReached(**about, count=count, min_people=state.ordered.min_people, late=late))
    uncalled = RespondersCalled(**about, responders=joined, pools=())
    return (
        *(_call(request.mobilisation, uncalled) if joined else ()),
        *((request.mobilisation, fact) for fact in facts),
    )


def _responder(number: str, request: Muster, rosters: Sequence[Roster | None], now: datetime) -> Responder:
    """Somebody who has come, if they may be counted here."""
    for stream, roster in zip(request.rosters, rosters, strict=True):
        member = roster.members.get(number) if roster is not None else None
        if member is None or request.department not in ("", member.department):
            continue
        if member.taken_by != request.mobilisation and not member.free(now):
            raise Rejected(f"numbers: expected people who are free, found {number} {member.why_not(now)}")
        if not member.there(now):
            raise Rejected(f"numbers: expected people who are there, found {number} {member.why_not(now)}")
        return Responder(number, member.department, stream)
    whose = request.department or "the town's roster"
    raise Rejected(f"numbers: expected people of {whose}, found {number}")


def _miss(
    state: Mobilisation, request: MissMuster, rosters: Sequence[Roster | None], now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Too few are there: call more, and give them a due time of their own."""
    if state.over or state.present >= state.ordered.min_people:
        return ()
    called = _call_up(state, request, rosters, now, rules)
    some = bool(called.responders)
    short = MusterShort(
        **_about(state),
        count=state.present,
        min_people=state.ordered.min_people,
        rosters=request.rosters,
        again=called.muster if some else None,
    )
    return (request.mobilisation, short), *(_call(request.mobilisation, called) if some else ())


def _extend_review(state: Mobilisation, rules: RuleBook) -> tuple[MobilisationReviewExtended, ...]:
    """What a changed calendar makes of the write-up's due time, until it is written up or missed."""
    was = state.review
    if was is None or state.phase != "stood_down" or state.review_missed:
        return ()
    due = rules.recounted(None, was)
    return () if due == was else (MobilisationReviewExtended(**_about(state), was=was, due=due),)


def _on_rosters(
    fact: type[PeopleTaken | PeopleFreed], mobilisation: str, responders: Iterable[Responder]
) -> Iterator[Append]:
    """What becomes of people, on the roster of each."""
    numbers: dict[str, list[str]] = {}
    for responder in responders:
        numbers.setdefault(responder.roster, []).append(responder.number)
    return ((roster, fact(mobilisation=mobilisation, numbers=tuple(found))) for roster, found in numbers.items())


def _of_department(state: Mobilisation, numbers: Iterable[str], department: str) -> None:
    for number in numbers:
        called = state.people.get(number)
        if called is None or called.responder.department != department:
            raise Rejected(f"number: expected somebody of {department} who is called, found {number}")


def _without(state: Mobilisation, numbers: Iterable[str]) -> dict[str, Any]:
    """How many are on the spot without these, and whether there were enough until now."""
    count, least = _now(state, numbers, "dropped").present, state.ordered.min_people
    return {"count": count, "short": state.phase == "mustered" and count < least <= state.present}


def _known(state: object) -> Mobilisation:
    if not isinstance(state, Mobilisation):
        raise Rejected("expected a turn-out that was ordered, found none with this id")
    return state


def _under_way(state: Mobilisation) -> None:
    if state.over:
        raise Rejected("expected a turn-out that is under way, found it stood down")


def _about(state: Mobilisation) -> dict[str, Any]:
    return {"case": state.ordered.case, "town": state.ordered.town, "platform": state.ordered.platform}


def _now(state: Mobilisation, numbers: Iterable[str], presence: Presence) -> Mobilisation:
    changed = {number: structs.replace(state.people[number], presence=presence) for number in numbers}
    return structs.replace(state, people={**state.people, **changed})
