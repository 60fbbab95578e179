"""时间线: everything that happened to a case, in order, with who did it; no words."""

from typing import Any

from events import approval as a
from events import call as k
from events import case as c
from events import mobilisation as m
from events import outcome as o
from events import report as r
from events.envelope import Recorded
from projections.view import FLAG, INTEGER, MOMENT, TEXT, Rows, View


def entry(rows: Rows, recorded: Recorded, case: str, **values: Any) -> None:
    """One line of a case's timeline."""
    rows.put(
        TIMELINE.row(
            case=case,
            stream=recorded.stream,
            version=recorded.version,
            at=recorded.meta.recorded_at,
            what=recorded.name,
            actor=recorded.meta.actor,
            configuration=recorded.meta.configuration,
            position=recorded.position,
            **values,
        )
    )


def of_case(rows: Rows, recorded: Recorded, fact: Any) -> None:
    """A fact of the case itself."""
    match fact:
        case c.CaseClassified():
            entry(rows, recorded, recorded.stream, who=fact.by, detail=f"{fact.matter} {fact.handling_class}")
        case c.CaseCallsIssued():
            platforms = " ".join(call.platform for call in fact.calls)
            entry(rows, recorded, recorded.stream, attempt=fact.attempt, detail=platforms)
        case c.CaseVillageHandlingStarted():
            entry(rows, recorded, recorded.stream, detail=fact.village)
        case c.CaseVillageResolved():
            entry(rows, recorded, recorded.stream, who=fact.by, detail=fact.solved)
        case c.CaseEscalated():
            entry(rows, recorded, recorded.stream, who=fact.by, detail=fact.reason)
        case c.CaseDistrictCalled():
            detail = f"v{fact.list_version} {fact.waived_by or fact.condition or fact.allowed}"
            called = {"platform": fact.call.platform, "department": fact.call.legs[0].department}
            entry(rows, recorded, recorded.stream, who=fact.by, attempt=fact.attempt, detail=detail, **called)
        case c.CaseDistrictCallRefused():
            entry(rows, recorded, recorded.stream, who=fact.by, detail=f"v{fact.list_version} {fact.ground}")
        case c.LaunchWaiverGranted():
            entry(rows, recorded, recorded.stream, who=fact.by, department=fact.bureau, platform=fact.district_platform)
        case c.CaseHandedDown() | c.CaseHandDownConsented():
            entry(rows, recorded, recorded.stream, who=fact.by)
        case c.CaseEngaged():
            entry(rows, recorded, recorded.stream, department=fact.department, detail=" ".join(fact.waiting_for))
        case c.CaseClosed():
            entry(rows, recorded, recorded.stream, who=fact.by, detail=fact.reason)
        case c.CaseFollowedUp():
            answer = "unreached" if not fact.contacted else "solved" if fact.solved else "not solved"
            entry(rows, recorded, recorded.stream, who=fact.by, attempt=fact.attempt, detail=answer)
        case c.CaseReopened():
            entry(rows, recorded, recorded.stream, who=fact.by, attempt=fact.attempt, detail=str(fact.reopening))
        case c.CaseDueExtended():
            entry(rows, recorded, recorded.stream, detail=f"{fact.owes} {fact.due.by:%Y-%m-%dT%H:%MZ}")
        case c.CaseResolved() | c.CaseResultSentBack():
            entry(rows, recorded, recorded.stream, who=fact.by, attempt=fact.attempt)
        case _:
            entry(rows, recorded, recorded.stream)


def of_call(rows: Rows, recorded: Recorded, fact: Any) -> None:
    """A fact of one of the case's calls."""
    match fact:
        case k.CallIssued():
            entry(rows, recorded, fact.case, platform=fact.platform, attempt=fact.attempt)
        case k.DepartmentsCalled():
            departments = " ".join(leg.department for leg in fact.legs)
            entry(rows, recorded, fact.case, platform=fact.platform, detail=departments)
        case k.DepartmentReportedIn():
            entry(
                rows,
                recorded,
                fact.case,
                department=fact.department,
                who=fact.by,
                late=fact.late,
                detail=str(fact.people),
            )
        case k.CallAcknowledged() | k.ReporterContacted() | k.CallResultFiled():
            entry(rows, recorded, fact.case, department=fact.department, who=fact.by, late=fact.late)
        case k.CallNoted():
            entry(rows, recorded, fact.case, department=fact.department, who=fact.by)
        case k.ProofAttached():
            entry(rows, recorded, fact.case, department=fact.department, who=fact.by, detail=fact.media_type)
        case k.CallClockMissed():
            entry(rows, recorded, fact.case, department=fact.department, late=True, detail=fact.clock)
        case k.CallDueExtended():
            detail = f"{fact.clock} {fact.due.by:%Y-%m-%dT%H:%MZ}"
            entry(rows, recorded, fact.case, department=fact.department, detail=detail)
        case k.CallEscalated():
            entry(rows, recorded, fact.case, department=fact.department, who=fact.person, detail=fact.clock)
        case k.CallCompleted():
            entry(rows, recorded, fact.case, attempt=fact.attempt, detail=fact.solved)
        case k.CallReleased():
            entry(rows, recorded, fact.case, detail=" ".join(fact.departments))
        case k.CallAlerted() | k.CallDelivered():
            entry(rows, recorded, fact.case, department=fact.department, detail=fact.channel)
        case k.CallDeliveryFailed():
            entry(rows, recorded, fact.case, department=fact.department, detail=f"{fact.channel} {fact.reason}")


def of_mobilisation(rows: Rows, recorded: Recorded, fact: Any) -> None:
    """A fact of the case's turn-out: how many, and never who."""
    match fact:
        case m.MobilisationOrdered():
            entry(rows, recorded, fact.case, who=fact.by, platform=fact.platform, detail=str(fact.min_people))
        case m.RespondersCalled():
            entry(rows, recorded, fact.case, detail=f"{len(fact.responders)} {' '.join(fact.pools)}".strip())
        case m.RespondersMustered():
            entry(rows, recorded, fact.case, who=fact.by, late=fact.late, detail=str(fact.count))
        case m.MusterReached() | m.MusterShort():
            entry(rows, recorded, fact.case, detail=f"{fact.count}/{fact.min_people}")
        case m.StoodDown():
            entry(rows, recorded, fact.case, who=fact.by, detail=str(fact.count))
        case m.MobilisationReviewed():
            entry(rows, recorded, fact.case, who=fact.by, late=fact.late)
        case m.MobilisationReviewExtended():
            entry(rows, recorded, fact.case, detail=f"{fact.due.by:%Y-%m-%dT%H:%MZ}")
        case m.MobilisationReviewMissed():
            entry(rows, recorded, fact.case, late=True)


def of_approval(rows: Rows, recorded: Recorded, fact: Any) -> None:
    """A fact of the case's approval."""
    match fact:
        case a.ApprovalRoundOpened():
            items = " ".join(item.item for item in fact.items)
            entry(rows, recorded, fact.case, who=fact.by, attempt=fact.round, detail=items)
        case a.OpinionFiled():
            said = {"attempt": fact.round, "detail": f"{fact.item} {fact.opinion}", "late": fact.late}
            entry(rows, recorded, fact.case, department=fact.department, who=fact.by, **said)
        case a.MaterialRequested() | a.MaterialSupplied():
            entry(
                rows,
                recorded,
                fact.case,
                department=fact.department,
                who=fact.by,
                attempt=fact.round,
                detail=fact.item,
            )
        case a.OpinionMissed():
            told = {"who": fact.person, "attempt": fact.round, "detail": fact.item}
            entry(rows, recorded, fact.case, department=fact.department, late=True, **told)
        case a.ApprovalRoundClosed():
            entry(rows, recorded, fact.case, attempt=fact.round, detail=fact.outcome)
        case a.ApprovalDecided():
            entry(rows, recorded, fact.case, who=fact.by, attempt=fact.round, detail=fact.decision)
        case a.MilestoneReached():
            entry(rows, recorded, fact.case, who=fact.by, detail=f"{fact.milestone} {fact.on}")


def of_report(rows: Rows, recorded: Recorded, fact: r.FileAttached) -> None:
    """The resident sent a file after the report."""
    entry(rows, recorded, fact.case, detail=fact.media_type)


def of_outcome(rows: Rows, recorded: Recorded, fact: Any) -> None:
    """A fact of the case's notice."""
    match fact:
        case o.OutcomePublished() | o.OutcomeWithheld():
            entry(rows, recorded, fact.case, who=fact.by)
        case o.OutcomeDrafted():
            entry(rows, recorded, fact.case, attempt=fact.attempt)


_OF_CASE = (
    "opened report-linked triage-queued classified village-handling-started village-resolved escalated calls-issued "
    "district-called district-call-refused launch-waiver-granted handed-down hand-down-consented "
    "engaged call-completed result-submitted "
    "result-sent-back resolved followed-up rework-ordered review-reopened closed reopened due-extended"
)
_OF_CALL = (
    "issued departments-called acknowledged reported-in reporter-contacted noted proof-attached result-filed "
    "clock-missed due-extended escalated completed released alerted delivered delivery-failed"
)
_OF_MOBILISATION = "ordered responders-called mustered reached short stood-down reviewed review-extended review-missed"
_OF_OUTCOME = "drafted published withheld"
_OF_APPROVAL = (
    "round-opened opinion-filed material-requested material-supplied opinion-missed round-closed decided "
    "milestone-reached"
)

TIMELINE = View(
    name="timeline",
    version=6,
    purpose="everything that happened to a case, in order 时间线",
    key=("case", "stream", "version"),
    columns={
        "case": TEXT,
        "stream": TEXT,
        "version": INTEGER,
        "at": MOMENT,
        "what": TEXT,
        "who": TEXT,
        "platform": TEXT,
        "department": TEXT,
        "attempt": INTEGER,
        "late": FLAG,
        "detail": TEXT,
        "actor": TEXT,
        "configuration": TEXT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("position",), ("what", "at")),
    folds={
        **{f"case.{name}.v1": of_case for name in _OF_CASE.split()},
        "report.file-attached.v1": of_report,
        **{f"call.{name}.v1": of_call for name in _OF_CALL.split()},
        **{f"mobilisation.{name}.v1": of_mobilisation for name in _OF_MOBILISATION.split()},
        **{f"outcome.{name}.v1": of_outcome for name in _OF_OUTCOME.split()},
        **{f"approval.{name}.v1": of_approval for name in _OF_APPROVAL.split()},
    },
)
