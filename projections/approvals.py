"""并联审批: who was asked what in which round and what they said, how each round ended, and how far projects got."""

from events import approval as a
from events.district import Milestone
from events.envelope import Recorded
from projections.view import FLAG, INTEGER, MOMENT, TEXT, Rows, View


def asked(rows: Rows, recorded: Recorded, fact: a.ApprovalRoundOpened) -> None:
    """A row for every item of the round."""
    for item in fact.items:
        rows.put(
            APPROVALS.row(
                case=fact.case,
                round=fact.round,
                item=item.item,
                approval=recorded.stream,
                town=fact.town,
                matter=fact.matter,
                department=item.department,
                legal_basis=item.basis,
                due=fact.due.by,
                ceiling=item.ceiling.by if item.ceiling else None,
                missed=False,
                position=recorded.position,
            )
        )


def opinion_filed(rows: Rows, recorded: Recorded, fact: a.OpinionFiled) -> None:
    """It has its opinion."""
    said = {"opinion": fact.opinion, "legal_basis": fact.legal_basis, "filed_by": fact.by, "late": fact.late}
    _of_item(rows, recorded, fact, filed_at=recorded.meta.recorded_at, revised=fact.new_facts is not None, **said)


def material_requested(rows: Rows, recorded: Recorded, fact: a.MaterialRequested) -> None:
    """Something is lacking."""
    _of_item(rows, recorded, fact, material_requested_at=recorded.meta.recorded_at)


def material_supplied(rows: Rows, recorded: Recorded, fact: a.MaterialSupplied) -> None:
    """It is there now."""
    _of_item(rows, recorded, fact, material_supplied_at=recorded.meta.recorded_at)


def opinion_missed(rows: Rows, recorded: Recorded, fact: a.OpinionMissed) -> None:
    """The due time has passed without a word, and somebody higher knows."""
    _of_item(rows, recorded, fact, missed=True, told_post=fact.post, told_person=fact.person)


def round_opened(rows: Rows, recorded: Recorded, fact: a.ApprovalRoundOpened) -> None:
    """A round begins."""
    rows.put(
        APPROVAL_ROUNDS.row(
            case=fact.case,
            round=fact.round,
            approval=recorded.stream,
            town=fact.town,
            village=fact.village,
            matter=fact.matter,
            lead=fact.lead,
            items=len(fact.items),
            opened_at=recorded.meta.recorded_at,
            opened_by=fact.by,
            due=fact.due.by,
            position=recorded.position,
        )
    )


def round_closed(rows: Rows, recorded: Recorded, fact: a.ApprovalRoundClosed) -> None:
    """A round ends."""
    rows.change(fact.case, fact.round, closed_at=recorded.meta.recorded_at, outcome=fact.outcome)


def decided(rows: Rows, recorded: Recorded, fact: a.ApprovalDecided) -> None:
    """The last round is decided upon."""
    rows.change(
        fact.case,
        fact.round,
        decision=fact.decision,
        decided_by=fact.by,
        decided_at=recorded.meta.recorded_at,
    )


def promised(rows: Rows, recorded: Recorded, fact: a.ApprovalRoundOpened) -> None:
    """What is promised when the departments are asked first."""
    for one in fact.milestones:
        _milestone(rows, recorded, fact, one.milestone, due=one.limit.by)


def reached(rows: Rows, recorded: Recorded, fact: a.MilestoneReached) -> None:
    """The project got so far."""
    known = rows.get(fact.case, fact.milestone) or {}
    _milestone(
        rows,
        recorded,
        fact,
        fact.milestone,
        due=known.get("due"),
        reached_on=fact.on.isoformat(),
        in_time=fact.in_time,
        recorded_by=fact.by,
    )


def _of_item(
    rows: Rows,
    recorded: Recorded,
    fact: a.OpinionFiled | a.MaterialRequested | a.MaterialSupplied | a.OpinionMissed,
    **values: object,
) -> None:
    rows.change(fact.case, fact.round, fact.item, position=recorded.position, **values)


def _milestone(
    rows: Rows,
    recorded: Recorded,
    fact: a.ApprovalRoundOpened | a.MilestoneReached,
    milestone: Milestone,
    **values: object,
) -> None:
    about = {"case": fact.case, "approval": recorded.stream, "town": fact.town}
    rows.put(MILESTONES.row(**about, milestone=milestone, position=recorded.position, **values))


APPROVALS = View(
    name="approvals",
    version=1,
    purpose="what each department was asked in which round and what it said 并联审批",
    key=("case", "round", "item"),
    columns={
        "case": TEXT,
        "round": INTEGER,
        "item": TEXT,
        "approval": TEXT,
        "town": TEXT,
        "matter": TEXT,
        "department": TEXT,
        "due": MOMENT,
        "ceiling": MOMENT,
        "opinion": TEXT,
        "legal_basis": TEXT,
        "filed_by": TEXT,
        "filed_at": MOMENT,
        "late": FLAG,
        "revised": FLAG,
        "missed": FLAG,
        "told_post": TEXT,
        "told_person": TEXT,
        "material_requested_at": MOMENT,
        "material_supplied_at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("town", "department"),),
    folds={
        "approval.round-opened.v1": asked,
        "approval.opinion-filed.v1": opinion_filed,
        "approval.material-requested.v1": material_requested,
        "approval.material-supplied.v1": material_supplied,
        "approval.opinion-missed.v1": opinion_missed,
    },
)

APPROVAL_ROUNDS = View(
    name="approval_rounds",
    version=1,
    purpose="how each round of opinions ended and what was decided 审批轮次",
    key=("case", "round"),
    columns={
        "case": TEXT,
        "round": INTEGER,
        "approval": TEXT,
        "town": TEXT,
        "village": TEXT,
        "matter": TEXT,
        "lead": TEXT,
        "items": INTEGER,
        "opened_at": MOMENT,
        "opened_by": TEXT,
        "due": MOMENT,
        "closed_at": MOMENT,
        "outcome": TEXT,
        "decision": TEXT,
        "decided_by": TEXT,
        "decided_at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    folds={
        "approval.round-opened.v1": round_opened,
        "approval.round-closed.v1": round_closed,
        "approval.decided.v1": decided,
    },
)

MILESTONES = View(
    name="milestones",
    version=1,
    purpose="how far projects got, and until when it was promised 里程碑",
    key=("case", "milestone"),
    columns={
        "case": TEXT,
        "milestone": TEXT,
        "approval": TEXT,
        "town": TEXT,
        "due": MOMENT,
        "reached_on": TEXT,
        "in_time": FLAG,
        "recorded_by": TEXT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    folds={
        "approval.round-opened.v1": promised,
        "approval.milestone-reached.v1": reached,
    },
)
