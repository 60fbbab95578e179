"""What is sent to whom of a fact: its routing keys, and each called department's own part of it. Pure.

A platform hears of a call's facts under its own key; a department hears of what concerns its own part or its own people
and of nothing else. Nobody outside hears which reports belong to one pseudonym.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, structs

from events.approval import (
    ApprovalRoundOpened,
    MaterialRequested,
    MaterialSupplied,
    OpinionFiled,
    OpinionMissed,
)
from events.call import CallCompleted, CallIssued, CallReleased, DepartmentsCalled, Leg
from events.carried import edge_event, fact_event
from events.cloudevents import CloudEvent
from events.edge import NAMES, LegCalled, TurnOutCalled, TurnOutReleased
from events.envelope import Fact, Recorded, kind_of
from events.mobilisation import MobilisationOrdered, Responder, RespondersCalled, RespondersRecused, StoodDown
from events.report import ReportAccepted, ReportSubmitted
from events.schema import NEVER_TOLD
from services.messaging.topology import fact_key
from services.rules.book import RuleBook


class Letter(Struct, frozen=True):
    """One message to be published. ``owed`` when somebody must get it: then a queue has to want it."""

    key: str
    message_id: str
    event: CloudEvent
    owed: bool


class Addresses:
    """Writes the letters of facts as one district's configuration wants them.

    ``heard_by_platforms`` are the wire names that some platform must hear of. ``link`` is where cases are shown; with
    none, legs carry no link.
    """

    def __init__(self, rules: RuleBook, heard_by_platforms: Iterable[str], link: str = "") -> None:
        self._rules, self._heard, self._link = rules, frozenset(heard_by_platforms), link
        self._source = f"/hujiao/{rules.district.code}"

    def letters(self, recorded: Recorded, first: Recorded) -> Iterator[Letter]:
        """The letters of a fact; ``first`` is the fact with which its stream begins, which names the town."""
        if isinstance(first.fact, MobilisationOrdered):
            yield from self._to_those_who_turn_out(recorded, first.fact)
        if kind_of(recorded.name) in NEVER_TOLD:
            return
        town = self._town(first)
        platform = getattr(recorded.fact, "platform", None)
        whole = fact_event(_without_pseudonym(recorded), self._source)
        owed = recorded.name in self._heard
        yield Letter(fact_key(town, platform, None, recorded.name), recorded.id, whole, owed)
        if isinstance(first.fact, CallIssued):
            parts = self._to_departments(recorded, first.fact, whole)
        else:
            parts = self._to_asked(recorded, whole)  # only an approval's facts are for somebody
        for department, event in parts:
            key = fact_key(town, platform, department, recorded.name)
            yield Letter(key, f"{recorded.id}.{department}", event, owed=True)

    def _to_asked(self, recorded: Recorded, whole: CloudEvent) -> Iterator[tuple[str, CloudEvent]]:
        """A department that is asked for an opinion hears of its own items, and of nobody else's."""
        match recorded.fact:
            case ApprovalRoundOpened(items=items) as fact:
                for department in dict.fromkeys(item.department for item in items):
                    own = tuple(item for item in items if item.department == department)
                    cut = structs.replace(fact, items=own, remedied=None, by="")
                    yield department, self._cut(recorded, department, cut, whole)
            case MaterialSupplied() as fact:
                yield fact.department, self._cut(recorded, fact.department, structs.replace(fact, by=""), whole)
            case OpinionFiled() | MaterialRequested() | OpinionMissed() as fact:
                yield fact.department, self._cut(recorded, fact.department, fact, whole)

    def _to_departments(
        self, recorded: Recorded, issued: CallIssued, whole: CloudEvent
    ) -> Iterator[tuple[str, CloudEvent]]:
        match recorded.fact:
            case DepartmentsCalled(legs=legs):
                for leg in legs:
                    message = self._leg(recorded.stream, recorded.fact, issued, leg)
                    yield leg.department, self._part(recorded, leg.department, message, whole)
            case CallCompleted(released=departments) as fact:
                for department in departments:
                    own: Fact = structs.replace(fact, handlers=(), released=(department,), reply=None)
                    yield department, self._cut(recorded, department, own, whole)
            case CallReleased(departments=departments) as fact:
                for department in departments:
                    own = structs.replace(fact, departments=(department,))
                    yield department, self._cut(recorded, department, own, whole)
            case fact:
                named: str | None = getattr(fact, "department", None)
                if named is not None:
                    yield named, whole

    def _to_those_who_turn_out(self, recorded: Recorded, ordered: MobilisationOrdered) -> Iterator[Letter]:
        """A department hears which of its own people are called, and may go; of the others nobody hears."""
        about: dict[str, Any] = {"mobilisation": recorded.stream, "case": ordered.case, "town": ordered.town}
        match recorded.fact:
            case RespondersCalled(responders=responders, muster=muster) if muster is not None:
                matter = self._rules.matter(ordered.matter)
                called = TurnOutCalled(
                    **about,
                    village=ordered.village,
                    platform=ordered.platform,
                    department="",
                    matter=matter.code,
                    matter_zh=matter.zh,
                    numbers=(),
                    min_people=ordered.min_people,
                    called_at=recorded.meta.recorded_at,
                    muster=muster,
                    link=f"{self._link}#case={ordered.case}" if self._link else "",
                )
                yield from self._to_each(recorded, ordered, called, responders)
            case StoodDown(freed=freed):
                over = TurnOutReleased(**about, department="", numbers=(), why="stood_down")
                yield from self._to_each(recorded, ordered, over, freed)
            case RespondersRecused(department=department, numbers=numbers) if numbers:
                gone = TurnOutReleased(**about, department="", numbers=(), why="recused")
                yield from self._to_each(recorded, ordered, gone, [Responder(n, department, "") for n in numbers])

    def _to_each(
        self,
        recorded: Recorded,
        ordered: MobilisationOrdered,
        message: TurnOutCalled | TurnOutReleased,
        people: Iterable[Responder],
    ) -> Iterator[Letter]:
        """A message to the department of each of these, with its own people alone."""
        whole = fact_event(recorded, self._source)
        own: dict[str, list[str]] = {}
        for responder in people:
            own.setdefault(responder.department, []).append(responder.number)
        for department, numbers in own.items():
            town = self._rules.district.alias if self._rules.bureau(department) else self._alias(ordered.town)
            part = structs.replace(message, department=department, numbers=tuple(numbers))
            key = fact_key(town, ordered.platform, department, NAMES[type(message)])
            yield Letter(key, f"{recorded.id}.{department}", self._part(recorded, department, part, whole), owed=True)

    def _part(self, recorded: Recorded, department: str, message: Struct, whole: CloudEvent) -> CloudEvent:
        """What is written to one department alone, in an event of its own."""
        name, at = f"{recorded.id}.{department}", recorded.meta.recorded_at
        return edge_event(message, name, self._source, at, subject=recorded.stream, extensions=_kept(whole))

    def _cut(self, recorded: Recorded, department: str, own: Fact, whole: CloudEvent) -> CloudEvent:
        """A fact about several departments as one of them may hear it, in an event of its own."""
        event = fact_event(structs.replace(recorded, fact=own), self._source)
        return structs.replace(event, id=f"{recorded.id}.{department}", extensions=_kept(whole))

    def _leg(self, call: str, called: DepartmentsCalled, issued: CallIssued, leg: Leg) -> LegCalled:
        matter = self._rules.matter(issued.matter)
        return LegCalled(
            call=call,
            case=called.case,
            town=called.town,
            village=issued.village,
            platform=called.platform,
            department=leg.department,
            role=leg.role,
            required=leg.required,
            matter=matter.code,
            matter_zh=matter.zh,
            handling_class=called.handling_class,
            level=issued.level,
            attempt=issued.attempt,
            called_at=called.called_at,
            acknowledge=leg.acknowledge,
            result=leg.result,
            arrive=leg.arrive,
            contact=leg.contact,
            link=f"{self._link}#case={called.case}" if self._link else "",
        )

    def _town(self, first: Recorded) -> str:
        return self._alias(getattr(first.fact, "town", ""))

    def _alias(self, code: str) -> str:
        town = self._rules.units.get(code)
        return town.alias if town else self._rules.district.alias


def _without_pseudonym(recorded: Recorded) -> Recorded:
    """A report's fact as everybody may hear it."""
    if isinstance(recorded.fact, ReportSubmitted | ReportAccepted):
        return structs.replace(recorded, fact=structs.replace(recorded.fact, reporter=""))
    return recorded


def _kept(whole: CloudEvent) -> dict[str, str | int]:
    """Where a fact comes from, without who caused it: that may be another department's officer."""
    return {name: whole.extensions[name] for name in _KEPT if name in whole.extensions}


_KEPT = ("position", "correlation", "configuration", "traceparent")
