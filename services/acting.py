"""Acting: what a logged-in person asks for becomes a request in their own name, if their role and unit allow it.

The one way from a person to the ledger, for the console, the API and the command line alike. Departments that write
to their own exchange are known by it instead (`services.departments.door`).
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import structlog
from msgspec import Struct, structs

from events.approval import FileOpinion, RequestMaterial
from events.call import CallIssued, ProofAttached
from events.case import CallDistrict, CaseOpened, JoinReport
from events.catalog import union_of
from events.district import Post
from events.edge import OpenedReport, ReportLine
from events.envelope import Request, kind_of
from events.ids import approval_of, is_stream_id, mobilisation_of, outcome_of
from events.launch import PublishLaunchList
from events.mobilisation import MobilisationOrdered, StandDown
from events.outcome import PublishOutcome
from events.person import RegisterPerson
from events.private import Sealed
from events.report import FileAttached, RefuseReport, ReportSubmitted, SubmitReport, Text
from events.reporter import ReporterReported
from events.user import AddUser, DisableUser, Unit
from projections.queries import Questions
from services.command_centre import launch
from services.command_centre.approval import Approval
from services.command_centre.case import Case
from services.command_centre.launch import Lists
from services.decisions import Rejected
from services.disclosure.outcome import Outcome
from services.history import facts_of_case
from services.intake.line import BadLine, placed
from services.intake.report import Report
from services.intake.words import open_case
from services.people.authority import (
    ACTS,
    WORDS,
    Forbidden,
    answers_for_district,
    may_act,
    may_read_words,
    sights_of,
)
from services.people.person import Employee, person_id
from services.people.roster import Roster, answers, roster_of, rosters_of
from services.people.user import User, user_id
from services.platforms.words import may_open
from services.rules.book import CATCH_ALL, MILESTONES
from services.rules.calendar import SHANGHAI
from services.runtime.batch import Submission
from services.runtime.errors import HujiaoError
from services.wiring import House
from services.written import DRAFTS, TO_THE_DISTRICT, Written, open_written

Asked = dict[str, Any]

CLERKS = "clerks"
"""The source of what clerks take down."""

_OTHER_WAYS = ("report.submit.v1", "district.configure.v1", "report.erase.v1")
"""What people do ask for, but not as an act: reports come as lines, configurations as files, and whoever erases must
see to it that the keys are destroyed too (`House.erase`)."""

PERSONAL: dict[str, type[Request]] = {
    tag: act for act in ACTS if (tag := str(act.__struct_config__.tag)) not in _OTHER_WAYS
}
"""The acts by their wire names."""

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
_KNOWN = ("request", "case", "call", "department", "report", "number", "item", "decision", "milestone")
_NOTHING = Sealed("", b"")
_TWO_MONTHS = timedelta(days=31)
_NAMES = ("name", "number")
"""By what people call users and persons, where the act itself has only the stream; a turn-out is that of a case."""
_SHORTEST_PHONE, _LONGEST_PHONE = 3, 20

ANY_ACT = union_of(tuple(PERSONAL.values()))
"""Any act, told apart by its wire name."""

logger = structlog.get_logger()


class Told(Struct, frozen=True):
    """A report that a caller made before, and how its case stands."""

    receipt: str
    case: str
    matter: str | None
    village: str
    phase: str
    reported_at: datetime


class BadAct(HujiaoError):
    """Something that is no act. The text names the field, what was expected and what was found."""


class NoFile(HujiaoError):
    """There is no such file of the case."""


class Acting:
    """What people ask of one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._handlers = {act: handler for service in house.services for act, handler in service.handlers.items()}
        self._streams = {kind: stream for service in house.services for kind, stream in service.streams.items()}

    def submission(self, user: User, asked: Asked, record: str) -> Submission:
        """The request of ``user`` for an act: its wire name under ``request``, and its fields.

        Who acts, and what follows from the call or case that it is about, is filled in here. The same ``record`` is the
        same act again.

        Raises:
            BadAct: when it is no act.
            Forbidden: when the user may not ask for this.
        """
        act = PERSONAL.get(str(asked.get("request")))
        if act is None:
            raise BadAct(f"request: expected one of {', '.join(sorted(PERSONAL))}, found {asked.get('request')!r}")
        fields = set(act.__struct_fields__)
        if "by" in asked and asked["by"] != user.person:
            raise Forbidden(f"by: expected {user.person}, who is logged in, found {asked['by']!r}")
        about, known = self._about(act, asked)
        may_act(user, act, about)
        filled = {name: value for name, value in {**known, "by": user.person}.items() if name in fields}
        names = (*_NAMES, "case") if "mobilisation" in fields else _NAMES
        given = {name: value for name, value in asked.items() if name in fields or name not in names}
        _check_words(act, given)
        try:
            request = msgspec.convert({**given, **filled}, ANY_ACT)
        except msgspec.ValidationError as error:
            raise BadAct(f"{error}") from error
        return Submission(f"act/{user.name}/{record}", request, user.name)

    def report(self, user: User, line: ReportLine) -> Submission:
        """话务登记: a report that a clerk takes down for a resident, in the clerk's own name.

        Raises:
            BadLine: for a report that cannot be taken as it is.
            Forbidden: when the user takes down no reports, or none from there.
        """
        house = self._house
        reporter = None
        if line.contact is not None and line.contact.phone and not line.anonymous:
            with suppress(BadLine):  # what cannot be dialled is kept as it was said, and recognises nobody
                reporter = caller(line.contact.phone)
        line = structs.replace(placed(line), id=f"{user.name}:{line.id}", source=None, reporter=reporter)
        rules = house.ledger.rules
        submission = house.desk.submission(line, CLERKS, rules, house.clock.now())
        request: Any = submission.request
        may_act(user, SubmitReport, Unit(request.town, request.village))
        return structs.replace(submission, actor=user.name)

    def told_by(self, user: User, phone: str) -> list[Told]:
        """What a caller told our clerks this month and last, as far as ``user`` may see the cases; the newest first.

        Raises:
            BadLine: when this is no telephone number.
        """
        house = self._house
        streams = house.desk.pseudonyms(CLERKS, caller(phone), house.clock.now(), _TWO_MONTHS)
        questions = Questions(house.views.database, sights_of(user))
        facts = [recorded.fact for stream in streams for recorded in house.log.stream(stream)]
        told = []
        for fact in sorted((f for f in facts if isinstance(f, ReporterReported)), key=lambda f: f.reported_at):
            found = questions.case(fact.case) or {"reports": ()}
            for receipt in (report["receipt"] for report in found["reports"] if _is(report, fact)):
                case = found["case"]
                told.append(Told(receipt, fact.case, case["matter"], fact.village, case["phase"], fact.reported_at))
        return told[::-1]

    def _about(self, act: type[Request], asked: Asked) -> tuple[Unit, Asked]:
        """Which unit an act is about, and the fields of it that we know."""
        if act in (AddUser, DisableUser):
            return Unit(), {"user": user_id(str(asked.get("name", "")))}
        if act is PublishLaunchList:
            return Unit(), {"launch": launch.STREAM}
        if "roster" in act.__struct_fields__:
            return self._about_roster(act, asked)
        if "mobilisation" in act.__struct_fields__:
            return self._about_mobilisation(asked)
        if "person" in act.__struct_fields__:
            return self._about_person(act, asked)
        if "approval" in act.__struct_fields__:
            return self._about_approval(act, asked)
        if "call" in act.__struct_fields__:
            issued = self._first(asked, "call", CallIssued)
            department = str(asked.get("department", ""))
            return Unit(issued.town, issued.village, issued.platform, department), {"case": issued.case}
        if "case" in act.__struct_fields__:
            opened = self._first(asked, "case", CaseOpened)
            known: Asked = {"outcome": outcome_of(asked["case"])}
            if act is RefuseReport:
                known["report"] = opened.report
            if act is CallDistrict:
                known["nth"] = self.next_district_call(asked["case"])
            if act is JoinReport:
                self._first(asked, "report", ReportSubmitted)
                report: Report = self._state(asked["report"])
                known["opened"] = report.case
            return Unit(opened.town, opened.village), known
        submitted = self._first(asked, "report", ReportSubmitted)
        return Unit(submitted.town, submitted.village), {}

    def next_district_call(self, case: str) -> int:
        """Which call of the case to the district would be the next, from 1."""
        state: Case = self._state(case)
        return state.district_calls + 1

    def _about_roster(self, act: type[Request], asked: Asked) -> tuple[Unit, Asked]:
        """A platform's head deploys the people of the platform's own departments."""
        town = str(asked.get("town", ""))
        rules = self._house.ledger.rules
        if town not in rules.units:
            raise BadAct(f"town: expected one of {', '.join(sorted(rules.units))}, found {town[:40]!r}")
        roster: Roster | None = self._state(roster_of(town))
        member = (roster or Roster()).members.get(str(asked.get("number", "")))
        home = rules.departments.get(member.department) if member is not None else None
        return Unit(town, platform=home.platform if home is not None else ""), {"roster": roster_of(town)}

    def _about_mobilisation(self, asked: Asked) -> tuple[Unit, Asked]:
        if "case" not in asked:
            asked = {**asked, "case": self._first(asked, "mobilisation", MobilisationOrdered).case}
        opened = self._first(asked, "case", CaseOpened)
        rules = self._house.ledger.rules
        case: Case = self._state(asked["case"])
        known = {"mobilisation": mobilisation_of(asked["case"]), "rosters": rosters_of(opened.town, rules)}
        platform = rules.departments[rules.matter(case.matter).lead].platform
        return Unit(opened.town, opened.village, platform, str(asked.get("department", ""))), known

    def _about_approval(self, act: type[Request], asked: Asked) -> tuple[Unit, Asked]:
        """An opinion is of the department whose item it is about, all else of the one that leads the matter."""
        opened = self._first(asked, "case", CaseOpened)
        stream = approval_of(asked["case"])
        approval: Approval | None = self._state(stream)
        if approval is None:
            raise BadAct("case: expected one whose departments were asked for opinions, found none such")
        department = approval.opened.lead
        if act in (FileOpinion, RequestMaterial):
            item = approval.items.get(str(asked.get("item", "")))
            if item is None:
                raise BadAct(
                    f"item: expected one of {', '.join(approval.items)}, found {str(asked.get('item'))[:40]!r}"
                )
            department = item.asked.department
        return Unit(opened.town, opened.village, department=department), {"approval": stream}

    def _about_person(self, act: type[Request], asked: Asked) -> tuple[Unit, Asked]:
        stream = person_id(str(asked["number"])) if "number" in asked else str(asked.get("person", ""))
        if act is RegisterPerson:
            return Unit(str(asked.get("town", "")), department=str(asked.get("department", ""))), {"person": stream}
        employee: Employee | None = self._state(stream) if is_stream_id(stream) else None
        if employee is None:
            raise BadAct(f"number: expected one of the register, found none such: {asked.get('number')!r}")
        return Unit(employee.town, department=employee.department), {"person": stream}

    def _first(self, asked: Asked, field: str, form: type[Any]) -> Any:
        named = str(asked.get(field, ""))
        found = self._house.log.first(named) if is_stream_id(named) else None
        if found is None or not isinstance(found.fact, form):
            raise BadAct(f"{field}: expected the id of one, found none such: {named[:40]!r}")
        return found.fact

    def may(self, user: User, request: Request) -> bool:
        """Whether the user may ask for a request as it is, whoever asks for it now."""
        try:
            about, _ = self._about(type(request), structs.asdict(request))
            may_act(user, type(request), about)
        except (Forbidden, BadAct):
            return False
        return True

    def possible(self, user: User, found: dict[str, Any]) -> list[Asked]:
        """What ``user`` could do now about a case as `Questions.case` found it: acts that are allowed and would matter.

        Each has the fields that are known already, as `submission` wants them. With a ``turn_out``, that of the case
        or ``None``, also what could be done about it.
        """
        case = found["case"]["case"]
        of_case: list[Asked] = [{"request": tag, "case": case, **filler} for tag, filler in _ABOUT_CASES.items()]
        asking = {"request": "case.follow-up.v1", "case": case, "contacted": True, "solved": True}
        of_case += [{**asking, "report": report["report"]} for report in found["reports"]]
        bureaus = [one.code for one in self._house.ledger.rules.departments.values() if one.kind == "district_bureau"]
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

    def launch_lists(self) -> Lists | None:
        """启动清单: every list that was published; ``None`` before the first."""
        state: Lists | None = self._state(launch.STREAM)
        return state

    def _those_possible(self, user: User, asked: list[Asked]) -> list[Asked]:
        state = cache(self._state)  # all of them look at the same few streams
        return [
            {name: act[name] for name in act if name in _KNOWN} for act in asked if self._possible(user, act, state)
        ]

    def _possible(self, user: User, asked: Asked, state: Callable[[str], Any]) -> bool:
        try:
            request = self.submission(user, asked, "").request
            handler = self._handlers[type(request)]
            states = tuple(state(stream) for stream in handler.streams(request))
            return bool(handler.decide(states, _encrypted(request), self._house.clock.now(), self._house.ledger.rules))
        except Rejected as rejected:
            return bool(rejected.record)
        except BadAct:
            return False

    def on_duty(self, town: str, at: datetime) -> list[str]:
        """Who answers for a town's command centre and for each of its platforms at a moment, where somebody does."""
        rules, roster = self._house.ledger.rules, self._state(roster_of(town))
        posts: list[tuple[Post, str]] = [("command_centre", "")]
        posts += [("platform_head", platform) for platform in rules.platforms]
        return [who for post, platform in posts if (who := answers(roster, post, town, platform, at, rules))]

    def _state(self, stream: str) -> Any:
        state: Any = None
        for recorded in self._house.log.stream(stream):
            state = self._streams[kind_of(recorded.name)].evolve(state, recorded.fact)
        return state

    def open_words(self, user: User, case: str) -> list[OpenedReport]:
        """What residents said of a case, oldest first; that the user opened it is recorded.

        Raises:
            Rejected: when the user may not now, or never; also when there is no such case in their sight.
        """
        self._check_opening(user, case)
        house = self._house
        return list(open_case(house.log, house.vault, case, _opener(user), f"case {case}", house.clock.now()))

    def open_file(self, user: User, case: str, file: str) -> tuple[str, bytes]:
        """A file that a resident or a department attached, with what it is; that the user opened it is recorded.

        Whoever may open the words of the case may open its files.

        Raises:
            Rejected: as `open_words`.
            NoFile: when the case has no such file.
            Erased: when the person behind it was erased.
        """
        self._check_opening(user, case)
        house = self._house
        for recorded in facts_of_case(house.log, case, house.log.head()):
            fact = recorded.fact
            if isinstance(fact, FileAttached | ProofAttached) and fact.file == file:
                key = recorded.stream if isinstance(fact, FileAttached) else case
                purpose, now = f"file {file[:12]} of case {case}", house.clock.now()
                with suppress(KeyError):  # the vault is a backup's, older than the file
                    return fact.media_type, house.vault.open_attachment(key, file, _opener(user), purpose, now)
        raise NoFile(f"file: expected one of the case, found none such: {file[:12]}")

    def open_written(self, user: User, case: str) -> list[Written]:
        """What departments, reviewers and reporters wrote about a case, in order; that the user opened it is recorded.

        Whoever may open the words of the case may; whoever may publish its notice sees what waits to be published, and
        whoever answers for the district what town and district wrote to each other.

        Raises:
            Rejected: as `open_words`.
        """
        only: tuple[type[Any], ...] = (object,)
        try:
            self._check_opening(user, case)
        except Rejected:
            only = DRAFTS if self._may_publish(user, case) else ()
            only += TO_THE_DISTRICT if self._is_asked(user, case) else ()
            if not only:
                raise
        house = self._house
        facts, now = facts_of_case(house.log, case, house.log.head()), house.clock.now()
        return open_written(facts, house.vault, _opener(user), f"case {case}", now, only)

    def _is_asked(self, user: User, case: str) -> bool:
        """Whether the user decides for the district about a case for which a town wanted to call it."""
        seen = Questions(self._house.views.database, sights_of(user)).case(case)
        return seen is not None and seen["case"]["district"] is not None and answers_for_district(user)

    def _may_publish(self, user: User, case: str) -> bool:
        outcome: Outcome | None = self._state(outcome_of(case)) if is_stream_id(case) else None
        seen = Questions(self._house.views.database, sights_of(user)).case(case)
        if seen is None or outcome is None or outcome.phase != "drafted":
            return False
        state: Case = self._state(case)
        try:
            may_act(user, PublishOutcome, Unit(state.town, state.village))
        except Forbidden:
            return False
        return True

    def _check_opening(self, user: User, case: str) -> None:
        found = Questions(self._house.views.database, sights_of(user)).case(case)
        if found is None:
            raise Forbidden("case: expected one that the user may see, found none")
        try:
            self._may_open(user, found)
        except Rejected as refused:
            logger.warning("words_refused", user=user.name, case=case, reason=str(refused))
            raise

    def _may_open(self, user: User, found: dict[str, Any]) -> None:
        """By the log, not by the view in which the case was found: it may lag."""
        case: Case = self._state(found["case"]["case"])
        unit = user.unit
        mine = [
            leg["call"] for leg in found["legs"] if (leg["town"], leg["department"]) == (unit.town, unit.department)
        ]
        if "department_officer" in user.roles and mine:
            try:
                may_open(self._state(mine[-1]), user.unit.department, user.person, case.visibility)
            except Rejected:
                if not set(user.roles) & WORDS.keys():
                    raise
            else:
                return
        about = Unit(case.town, case.village)
        may_read_words(user, case.phase, about, confidential=case.visibility == "confidential")


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


def _is(report: dict[str, Any], fact: ReporterReported) -> bool:
    """Whether this is the report of a fact, and nobody has asked that its reporter be forgotten."""
    return report["report"] == fact.report and report["erased_at"] is None


def caller(phone: str) -> str:
    """By what a caller is recognised: the digits of the telephone number.

    Raises:
        BadLine: when this is no telephone number.
    """
    digits = "".join(sign for sign in phone if sign.isascii() and sign.isdigit())
    if not _SHORTEST_PHONE <= len(digits) <= _LONGEST_PHONE:
        raise BadLine(f"phone: expected {_SHORTEST_PHONE} to {_LONGEST_PHONE} digits, found {len(digits)}")
    return f"tel:{digits}"


def _check_words(act: type[Request], given: Asked) -> None:
    """Words come in clear and bounded: whoever could send encrypted ones could have others' words opened as their own.

    Raises:
        BadAct: naming the field.
    """
    for field in act.PRIVATE:
        try:
            msgspec.convert(given.get(field), Text | None)
        except msgspec.ValidationError as error:
            raise BadAct(f"{field}: {error}") from error


def _opener(user: User) -> str:
    return f"{user.person} ({user.name})"


def _encrypted(request: Request) -> Request:
    """A request as the ledger decides it, with nothing in its words."""
    words = [field for field in request.PRIVATE if getattr(request, field) is not None]
    return structs.replace(request, **dict.fromkeys(words, _NOTHING))
