"""Offering: what a logged-in person could do now, tried on the decisions themselves before it is shown."""

from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import structs

from events.envelope import Request
from events.mobilisation import StandDown
from events.private import Sealed
from services.acting import Acting, Asked, BadAct
from services.decisions import Rejected
from services.people.authority import ACTS
from services.people.user import User
from services.rules.book import CATCH_ALL, MILESTONES
from services.rules.calendar import SHANGHAI
from services.wiring import House

_ABOUT_CASES: dict[str, Asked] = {
    "case.classify.v1": {"matter": CATCH_ALL},
    "report.refuse.v1": {"ground": "out_of_area", "advice": "-"},
    "case.approve-result.v1": {},
    "case.send-back-result.v1": {"reason": "-"},
    "case.explain.v1": {},
    "case.resolve-in-village.v1": {"solved": "yes", "account": "-", "reply": "-"},
    "case.escalate.v1": {"reason": "beyond_village"},
    "case.call-district.v1": {"condition": "beyond_competence", "evidence": "-"},
    "case.hand-down.v1": {"reason": "-"},
    "case.consent-to-hand-down.v1": {},
    "outcome.publish.v1": {},
    "outcome.withhold.v1": {"ground": "personal_data"},
}
_ABOUT_CALLS: dict[str, Asked] = {
    "call.acknowledge.v1": {},
    "call.report-in.v1": {"people": 1},
    "call.contact-reporter.v1": {},
    "call.note.v1": {"note": "-"},
    "call.attach-proof.v1": {"media_type": "image/jpeg", "size": 1},
    "call.file-result.v1": {"solved": "yes", "account": "-", "reply": "-"},
}
_ABOUT_ITEMS: dict[str, Asked] = {
    "approval.file-opinion.v1": {"opinion": "agree"},
    "approval.request-material.v1": {"pieces": "-"},
    "approval.supply-material.v1": {},
}
_ABOUT_APPROVALS: tuple[Asked, ...] = (
    {"request": "approval.open-next-round.v1", "remedied": "-"},
    {"request": "approval.decide.v1", "decision": "granted"},
    {"request": "approval.decide.v1", "decision": "refused", "reason": "-"},
)
_ABOUT_PEOPLE: dict[str, Asked] = {
    "person.consent-to-secondment.v1": {},
    "person.approve-secondment.v1": {},
    "person.end-secondment.v1": {},
    "person.refuse-secondment.v1": {"ground": "other"},
}
_RECUSE = "case.recuse-department.v1"
"""Which department, is for whoever asks to say."""
_KNOWN = ("request", "case", "call", "department", "report", "number", "item", "decision", "milestone")
_NOTHING = Sealed("", b"")


class Offering:
    """What there is to do in one house, for whoever asks."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._handlers = {act: handler for service in house.services for act, handler in service.handlers.items()}

    def possible(self, user: User, found: dict[str, Any]) -> list[Asked]:
        """What ``user`` could do now about a case as `Questions.case` found it: acts that are allowed and would matter.

        Each has the fields that are known already, as `Acting.submission` wants them. With a ``turn_out``, that of the
        case or ``None``, also what could be done about it.
        """
        case = found["case"]["case"]
        of_case: list[Asked] = [{"request": tag, "case": case, **filler} for tag, filler in _ABOUT_CASES.items()]
        asking = {"request": "case.follow-up.v1", "case": case, "contacted": True, "solved": True}
        of_case += [{**asking, "report": report["report"]} for report in found["reports"]]
        departments = self._house.ledger.rules.departments
        of_case.append({"request": _RECUSE, "case": case, "department": [*departments][-1]})
        bureaus = [one.code for one in departments.values() if one.kind == "district_bureau"]
        waiver = {"request": "case.grant-launch-waiver.v1", "case": case, "reason": "-"}
        of_case += [waiver | {"bureau": bureaus[0]}] if bureaus else []
        if found.get("approval_rounds"):
            of_case += self._of_approval(found)
        if "turn_out" in found:
            of_case += _of_turn_out(user, case, found["turn_out"])
        mine = [leg["call"] for leg in found["legs"] if leg["department"] == user.unit.department]
        return self._those_possible(user, of_case) + [act for call in mine for act in self.possible_of_call(user, call)]

    def _of_approval(self, found: dict[str, Any]) -> list[Asked]:
        """What there is to do about an approval: by item, by the whole, and the milestone that comes next."""
        case, today = found["case"]["case"], self._house.clock.now().astimezone(SHANGHAI).date().isoformat()
        items = dict.fromkeys(row["item"] for row in found["approvals"])
        of_items = [
            {"request": tag, "case": case, "item": item, **filler}
            for tag, filler in _ABOUT_ITEMS.items()
            for item in items
        ]
        reached = {row["milestone"] for row in found["milestones"] if row["reached_on"]}
        reaching = {"request": "approval.reach-milestone.v1", "case": case, "on": today}
        coming = [{**reaching, "milestone": one} for one in MILESTONES if one not in reached][:1]
        return [*of_items, *({"case": case, **act} for act in _ABOUT_APPROVALS), *coming]

    def possible_of_call(self, user: User, call: str) -> list[Asked]:
        """What an officer could do now about one call of the department."""
        known = {"call": call, "department": user.unit.department}
        return self._those_possible(user, [{"request": tag, **known, **filler} for tag, filler in _ABOUT_CALLS.items()])

    def possible_of_person(self, user: User, number: str) -> list[Asked]:
        """What ``user`` could do now about the secondment of a person of the register."""
        asked = [{"request": tag, "number": number, **filler} for tag, filler in _ABOUT_PEOPLE.items()]
        return self._those_possible(user, asked)

    def _those_possible(self, user: User, asked: list[Asked]) -> list[Asked]:
        state = cache(self._house.state)  # all of them look at the same few streams
        acting = Acting(self._house, state)
        return [
            {name: act[name] for name in act if name in _KNOWN and (name, act["request"]) != ("department", _RECUSE)}
            for act in asked
            if self._possible(acting, user, act, state)
        ]

    def _possible(self, acting: Acting, user: User, asked: Asked, state: Callable[[str], Any]) -> bool:
        try:
            request = acting.submission(user, asked, "").request
            handler = self._handlers[type(request)]
            states = tuple(state(stream) for stream in handler.streams(request))
            return bool(handler.decide(states, _encrypted(request), self._house.clock.now(), self._house.ledger.rules))
        except Rejected as rejected:
            return bool(rejected.record)
        except BadAct:
            return False


def _of_turn_out(user: User, case: str, turn_out: dict[str, Any] | None) -> list[Asked]:
    """What there is to do about a turn-out: order it, count people in, say who comes, let everybody go, write it up."""
    about = {"case": case}
    if turn_out is None:
        return [{"request": "mobilisation.order.v1", **about, "min_people": 1}]
    everywhere = bool(set(user.roles) & set(ACTS[StandDown]))
    own = {**about, "department": user.unit.department}
    asked: list[Asked] = [{"request": "mobilisation.stand-down.v1", **about}]
    asked += [{"request": "mobilisation.review.v1", **about, "note": "-"}]
    waiting = [one for one in turn_out.get("responders", ()) if one["presence"] in ("called", "confirmed")]
    mine = [one for one in waiting if one["department"] == user.unit.department]
    for one in (waiting if everywhere else mine)[:1]:
        place = about if everywhere else own
        asked.append({"request": "mobilisation.muster.v1", **place, "numbers": [one["number"]]})
    for one in mine[:1]:
        asked.append({"request": "mobilisation.decline.v1", **own, "number": one["number"], "ground": "other"})
    for one in [one for one in mine if one["presence"] == "called"][:1]:
        asked.append({"request": "mobilisation.confirm.v1", **own, "numbers": [one["number"]]})
    return asked


def _encrypted(request: Request) -> Request:
    """A request as the ledger decides it, with nothing in its words."""
    words = [field for field in request.PRIVATE if getattr(request, field) is not None]
    return structs.replace(request, **dict.fromkeys(words, _NOTHING))
