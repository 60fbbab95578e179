"""What operators, departments, reviewers and clerks do, each as one command, in the name of a user who may."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import App, Parameter

from events.call import AcknowledgeCall, ContactReporter, FileResult, NoteProgress, ReportIn, Solved
from events.case import (
    ApproveResult,
    CallDistrict,
    ClassifyCase,
    ConsentToHandDown,
    EscalateCase,
    ExplainCase,
    FollowUp,
    GrantLaunchWaiver,
    HandDown,
    JoinReport,
    RecusalGround,
    RecuseDepartment,
    ResolveInVillage,
    SendBackResult,
)
from events.envelope import Request
from events.ids import outcome_of
from events.launch import Condition
from events.outcome import PublishOutcome, WithheldGround, WithholdOutcome
from events.report import RefusalGround, RefuseReport
from projections.queries import Questions
from services.acting import Acting
from services.cli.houses import DEFAULT_DATA, Data, Json, checked, drain, existing_house, find_case, known_user
from services.cli.screen import Exit, out, print_json
from services.decisions import Rejected
from services.runtime.batch import Answer, Submission
from services.runtime.errors import HujiaoError
from services.wiring import House

By = Annotated[str, Parameter(name="--by", help="Who does it: a user; a named person, as long as there is none.")]
Id = Annotated[str | None, Parameter(name="--id", help="Your own number for this act; the same again does nothing.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What every act is asked for."""

    by: By
    record: Id = None
    data: Data = DEFAULT_DATA
    as_json: Json = False


act = App(
    name="act",
    help="What operators, departments, reviewers and clerks do. CASE is a receipt or a case's id.",
)


def _decide(case: str, options: Options, make: Callable[[House, str], Request]) -> Exit:
    """Decide one act, let the services react, and say what became of it."""
    with existing_house(options.data) as house:
        found = find_case(house, case)
        answer = decide(house, make(house, found), options)
        phase = (Questions(house.views.database).case(found) or {})["case"]["phase"]
    return tell(answer, options, {"case": found, "phase": phase}, f" Case {found} is now {phase}.")


def decide(house: House, request: Request, options: Options) -> Answer:
    """Decide an act, and let the services react."""
    answer = house.ledger.decide(_submission(house, checked(house, request), options))
    drain(house)
    return answer


def tell(answer: Answer, options: Options, known: Mapping[str, str] = MappingProxyType({}), and_so: str = "") -> Exit:
    """Say what became of an act, with what else is ``known`` of it.

    Raises:
        Rejected: when it was.
    """
    if options.as_json:
        print_json({"status": answer.status, "reason": answer.reason, "facts": answer.facts, **known})
    if answer.status == "rejected":
        raise Rejected(answer.reason)
    if not options.as_json:
        new = answer.facts and not answer.repeated
        out.print(f"Done: {f'{answer.facts} facts recorded' if new else 'it was done already'}.{and_so}")
    return Exit.DONE


def _submission(house: House, request: Request, options: Options) -> Submission:
    """The act in the name of ``--by``: of a user, once there are any, and then only what that user may do."""
    record = options.record or secrets.token_hex(8)
    if not house.users():
        return Submission(f"act/{record}", request, options.by)
    asked = msgspec.to_builtins(request)
    del asked["by"]
    return Acting(house).submission(known_user(house, options.by), asked, record)


def _call_of(house: House, case: str, department: str) -> str:
    """The newest call of a case in which a department takes part."""
    found = Questions(house.views.database).case(case) or {"legs": []}
    calls = [leg["call"] for leg in found["legs"] if leg["department"] == department]
    if not calls:
        called = ", ".join(sorted({leg["department"] for leg in found["legs"]})) or "none yet"
        raise HujiaoError(f"department: expected one that is called ({called}), found {department}")
    return str(calls[-1])


@act.command
def classify(case: str, matter: str, *, options: Options) -> Exit:
    """待分类: decide what a waiting case is about."""
    return _decide(case, options, lambda house, found: ClassifyCase(case=found, matter=matter, by=options.by))


@act.command
def join(case: str, into: str, *, options: Options) -> Exit:
    """并案: the report of a case that waits in triage tells of the case INTO; it keeps its own receipt."""

    def make(house: House, found: str) -> Request:
        first = house.log.first(found)
        assert first is not None, "a case that was found begins somewhere"
        return JoinReport(case=find_case(house, into), opened=found, report=first.fact.report, by=options.by)  # type: ignore[attr-defined]  # a case begins with its opening

    return _decide(case, options, make)


@act.command
def recuse(case: str, department: str, *, options: Options, ground: RecusalGround = "complained_of") -> Exit:
    """回避: a department that is complained of, or has an interest, has no part in the case and sees nothing of it."""

    def make(house: House, found: str) -> Request:
        return RecuseDepartment(case=found, department=department, by=options.by, ground=ground)

    return _decide(case, options, make)


@act.command
def refuse(
    case: str,
    ground: RefusalGround,
    advice: str,
    *,
    options: Options,
) -> Exit:
    """不予受理: refuse the report of a case that waits in triage; say where to go instead."""

    def make(house: House, found: str) -> Request:
        reports = (Questions(house.views.database).case(found) or {})["reports"]
        return RefuseReport(report=reports[0]["report"], case=found, ground=ground, advice=advice, by=options.by)

    return _decide(case, options, make)


@act.command
def village_resolve(case: str, account: str, reply: str, *, options: Options, solved: Solved = "yes") -> Exit:
    """村级办结: what the village did, and the public reply that it proposes."""

    def make(house: House, found: str) -> Request:
        return ResolveInVillage(case=found, by=options.by, solved=solved, account=account, reply=reply)

    return _decide(case, options, make)


@act.command
def escalate(case: str, reason: Literal["beyond_village", "asked"], *, options: Options) -> Exit:
    """上提: the village hands the case up to the town."""
    return _decide(case, options, lambda house, found: EscalateCase(case=found, reason=reason, by=options.by))


@act.command
def call_district(
    case: str,
    *,
    options: Options,
    condition: Condition | None = None,
    evidence: str | None = None,
) -> Exit:
    """向区呼叫: the town calls the district, by the launch list or a waiver; what is refused is recorded.

    Parameters
    ----------
    condition
        Which condition of the launch list is met, where it wants one.
    evidence
        What shows that it is met; only those who handle the case can read it.
    """

    def make(house: House, found: str) -> Request:
        nth = Acting(house).next_district_call(found)
        return CallDistrict(case=found, by=options.by, condition=condition or "", evidence=evidence, nth=nth)

    return _decide(case, options, make)


@act.command
def waive(case: str, reason: str, *, options: Options, bureau: str = "") -> Exit:
    """特批: the district's duty leader lets the town call once against the launch list.

    Parameters
    ----------
    bureau
        Which bureau may be called; without it, the list's or the catalogue's own.
    """

    def make(house: House, found: str) -> Request:
        return GrantLaunchWaiver(case=found, by=options.by, reason=reason, bureau=bureau)

    return _decide(case, options, make)


@act.command
def hand_down(case: str, reason: str, *, options: Options) -> Exit:
    """交办下派: the district gives the case back to the town; a second time only with the town's consent."""
    return _decide(case, options, lambda house, found: HandDown(case=found, by=options.by, reason=reason))


@act.command
def consent_to_hand_down(case: str, *, options: Options) -> Exit:
    """同意下派: the town agrees to have the same case handed down once more."""
    return _decide(case, options, lambda house, found: ConsentToHandDown(case=found, by=options.by))


@act.command
def acknowledge(case: str, department: str, *, options: Options) -> Exit:
    """签收: a department takes its call in hand."""

    def make(house: House, found: str) -> Request:
        return AcknowledgeCall(call=_call_of(house, found, department), department=department, by=options.by)

    return _decide(case, options, make)


@act.command
def report_in(
    case: str,
    department: str,
    people: int = 1,
    *,
    options: Options,
) -> Exit:
    """报到: a department is on the spot with so many people."""

    def make(house: House, found: str) -> Request:
        return ReportIn(call=_call_of(house, found, department), department=department, by=options.by, people=people)

    return _decide(case, options, make)


@act.command
def contact(case: str, department: str, *, options: Options) -> Exit:
    """首联: the lead has spoken with the reporter."""

    def make(house: House, found: str) -> Request:
        return ContactReporter(call=_call_of(house, found, department), department=department, by=options.by)

    return _decide(case, options, make)


@act.command
def note(
    case: str,
    department: str,
    words: str,
    *,
    options: Options,
) -> Exit:
    """办理中: note how it goes; only those who handle the case can read it."""

    def make(house: House, found: str) -> Request:
        return NoteProgress(
            call=_call_of(house, found, department), case=found, department=department, by=options.by, note=words
        )

    return _decide(case, options, make)


@act.command
def file(
    case: str,
    department: str,
    account: str,
    *,
    options: Options,
    reply: str | None = None,
    solved: Solved = "yes",
) -> Exit:
    """反馈: file a department's result; the lead adds the public reply."""

    def make(house: House, found: str) -> Request:
        return FileResult(
            call=_call_of(house, found, department),
            case=found,
            department=department,
            by=options.by,
            solved=solved,
            account=account,
            reply=reply,
        )

    return _decide(case, options, make)


@act.command
def approve(case: str, *, options: Options) -> Exit:
    """审核通过: the closing condition is met; never by one who handled the case."""
    return _decide(case, options, lambda house, found: ApproveResult(case=found, by=options.by))


@act.command
def send_back(case: str, reason: str, *, options: Options) -> Exit:
    """退回重办: the result is not good enough, and why."""
    return _decide(case, options, lambda house, found: SendBackResult(case=found, by=options.by, reason=reason))


@act.command
def close_explained(case: str, *, options: Options) -> Exit:
    """解释说明: close with an explanation a case that its reporter still calls unsolved."""
    return _decide(case, options, lambda house, found: ExplainCase(case=found, by=options.by))


@act.command
def follow_up(
    case: str,
    outcome: Literal["solved", "not-solved", "unreached"],
    *,
    options: Options,
    satisfied: bool | None = None,
) -> Exit:
    """回访: record what the reporter said, or that nobody answered."""

    def make(house: House, found: str) -> Request:
        known: dict[str, Any] = Questions(house.views.database).case(found) or {}
        waiting = [
            report["report"] for report in known["reports"] if not report["anonymous"] and not report["supplement"]
        ]
        if not waiting:
            raise HujiaoError("case: expected a reporter who can be asked, found only anonymous ones")
        reached = outcome != "unreached"
        return FollowUp(
            case=found,
            report=waiting[0],
            by=options.by,
            contacted=reached,
            solved=outcome == "solved" if reached else None,
            satisfied=satisfied if reached else None,
        )

    return _decide(case, options, make)


@act.command
def publish(
    case: str,
    *,
    options: Options,
    reply: str | None = None,
) -> Exit:
    """公开: a second person approves the notice, corrected if need be."""

    def make(house: House, found: str) -> Request:
        return PublishOutcome(outcome=outcome_of(found), case=found, by=options.by, reply=reply)

    return _decide(case, options, make)


@act.command
def withhold(
    case: str,
    ground: WithheldGround,
    *,
    options: Options,
) -> Exit:
    """不予公开: a second person finds that the notice must stay inside."""

    def make(house: House, found: str) -> Request:
        return WithholdOutcome(outcome=outcome_of(found), case=found, by=options.by, ground=ground)

    return _decide(case, options, make)
