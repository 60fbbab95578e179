"""What is played about approvals: what departments are asked all at once, and reports that are joined by a person."""

from collections.abc import Iterable
from typing import Any

from events.approval import (
    DecideApproval,
    FileOpinion,
    OpenNextRound,
    ReachMilestone,
    RequestMaterial,
    SupplyMaterial,
)
from events.case import JoinReport
from events.envelope import Request
from events.ids import approval_of, case_of
from services.command_centre.approval import Approval
from tests.machines.explore import Letter, Played, Scene
from tests.machines.letters import AGAIN, SMALL, one, submit, told
from tests.unit.past import CASE, MONDAY, words

ROAD = "601"
APPROVAL = approval_of(CASE)
ABOUT: dict[str, Any] = {"approval": APPROVAL, "case": CASE, "by": "somebody"}
CHANGED = words("已改线")


def land(opinion: Any, **more: Any) -> FileOpinion:
    """The land office's opinion."""
    return FileOpinion(**ABOUT, item="land", opinion=opinion, conditions=CHANGED, **more)


def all_agree(played: Played) -> Iterable[Request]:
    """Whoever has not spoken, but for the land office."""
    approval: Approval | None = played.states.get(APPROVAL)
    silent = approval.of(None) if approval is not None else ()
    return (FileOpinion(**ABOUT, item=item, opinion="agree") for item in silent if item != "land")


def again(most: int) -> Letter:
    """Another round, up to so many."""

    def letter(played: Played) -> Iterable[Request]:
        approval: Approval | None = played.states.get(APPROVAL)
        if approval is not None and approval.opened.round < most:
            yield OpenNextRound(**ABOUT, remedied=CHANGED)

    return letter


APPROVALS = Scene(
    "approvals",
    starts=(told(ROAD),),
    letters=(
        all_agree,
        one(land("agree")),
        one(land("object")),
        one(land("object", new_facts=CHANGED)),
        one(RequestMaterial(**ABOUT, item="land", pieces=CHANGED)),
        one(SupplyMaterial(**ABOUT, item="land")),
        again(2),
        one(DecideApproval(**ABOUT, decision="granted")),
        one(DecideApproval(**ABOUT, decision="refused", reason=CHANGED)),
        one(ReachMilestone(**ABOUT, milestone="project_approved", on=MONDAY.date())),
        one(ReachMilestone(**ABOUT, milestone="permits_complete", on=MONDAY.date())),
    ),
    deep=8,
    clocks=("approval",),
)

JOINED = Scene(
    "reports that are joined",
    starts=(told(SMALL),),
    letters=(
        one(submit(AGAIN, "", anonymous=True)),
        one(JoinReport(case=CASE, opened=case_of(AGAIN), report=AGAIN, by="clerk")),
    ),
    deep=3,
)
