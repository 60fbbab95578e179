"""Acting: what a logged-in person asks for becomes a request in their own name, if their role and unit allow it.

The one way from a person to the ledger, for the console, the API and the command line alike. What there is to do is
offered by `services.offering`. Departments that write to their own exchange are known by it instead
(`services.departments.door`).
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from msgspec import Struct, structs

from events.approval import FileOpinion, RequestMaterial
from events.call import CallIssued
from events.case import CallDistrict, CaseOpened, JoinReport
from events.catalog import union_of
from events.district import Post
from events.edge import ReportLine
from events.envelope import Request
from events.ids import approval_of, is_stream_id, mobilisation_of, outcome_of
from events.launch import PublishLaunchList
from events.mobilisation import MobilisationOrdered
from events.person import RegisterPerson
from events.report import RefuseReport, ReportSubmitted, SubmitReport, Text
from events.reporter import ReporterReported
from events.user import AddUser, DisableUser, Unit
from projections.queries import Questions
from services.command_centre import launch
from services.command_centre.approval import Approval
from services.command_centre.case import Case
from services.intake.line import BadLine, placed
from services.intake.report import Report
from services.people.authority import (
    ACTS,
    Forbidden,
    may_act,
    sights_of,
)
from services.people.person import Employee, person_id
from services.people.roster import Roster, answers, roster_of, rosters_of
from services.people.user import User, user_id
from services.runtime.batch import Submission
from services.runtime.errors import HujiaoError
from services.wiring import House

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


class Acting:
    """What people ask of one house. ``state`` gives what a stream comes to, where somebody remembers that meanwhile."""

    def __init__(self, house: House, state: Callable[[str], Any] | None = None) -> None:
        self._house, self._state = house, state or house.state

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
        for case in (known.get("case", asked.get("case", "")), known.get("opened", "")):
            self._expect_not_kept_out(user, str(case))
        filled = {name: value for name, value in {**known, "by": user.person}.items() if name in fields}
        names = (*_NAMES, "case") if "mobilisation" in fields else _NAMES
        given = {name: value for name, value in asked.items() if name in fields or name not in names}
        _check_words(act, given)
        try:
            request = msgspec.convert({**given, **filled}, ANY_ACT)
        except msgspec.ValidationError as error:
            raise BadAct(f"{error}") from error
        return Submission(f"act/{user.name}/{record}", request, user.name)

    def _expect_not_kept_out(self, user: User, case: str) -> None:
        """Who is of a department that has no part in a case does nothing about it, whatever the role."""
        state: Case | None = self._state(case) if user.unit.department and is_stream_id(case) else None
        if state is not None and state.kept_from(user.unit.department):
            raise Forbidden("case: expected one that the user may see, found none")

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
        known["case"] = asked["case"]
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

    def on_duty(self, town: str, at: datetime) -> list[str]:
        """Who answers for a town's command centre and for each of its platforms at a moment, where somebody does."""
        rules, roster = self._house.ledger.rules, self._state(roster_of(town))
        posts: list[tuple[Post, str]] = [("command_centre", "")]
        posts += [("platform_head", platform) for platform in rules.platforms]
        return [who for post, platform in posts if (who := answers(roster, post, town, platform, at, rules))]


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
