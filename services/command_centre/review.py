"""Review (审核) and follow-up (回访) of a case: nobody reviews what they handled, every reporter is asked.

Source of the order of steps and of who may do what: the city hotline rules (12345), as the sample profile
has them.
"""

from datetime import datetime
from typing import assert_never

from events.case import (
    REPORTER,
    ApproveResult,
    CaseClosed,
    CaseFollowedUp,
    CaseResolved,
    CaseResultSentBack,
    CaseReviewReopened,
    CaseReworkOrdered,
    ExplainCase,
    FollowUp,
    SendBackResult,
)
from events.envelope import Fact
from events.private import sealed
from services.command_centre.case import Asked, Case, Phase, evolve
from services.decisions import Rejected
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI

Requests = ApproveResult | SendBackResult | ExplainCase | FollowUp


def decide(state: Case | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """What reviewers and follow-up clerks ask of a case that has its result."""
    if state is None:
        raise Rejected("expected an opened case, found none with this id")
    match request:
        case ApproveResult():
            return _approve(state, request, now, rules)
        case SendBackResult():
            return _send_back(state, request)
        case ExplainCase():
            _expect(state, "in_review")
            _not_a_handler(state, request.by)
            if not state.reworked:
                raise Rejected("expected a case that was done again and is still called unsolved, found a first result")
            return (CaseClosed(reason="explained", by=request.by),)
        case FollowUp():
            return _follow_up(state, request, now, rules)
        case _:
            assert_never(request)


def _approve(state: Case, request: ApproveResult, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    if state.phase in ("resolved", "closed"):
        return ()
    _expect(state, "in_review")
    _not_a_handler(state, request.by)
    resolved = CaseResolved(
        attempt=state.attempt,
        by=request.by,
        visibility=state.visibility,
        matter=state.matter,
        town=state.town,
        village=state.village,
        handlers=state.handlers,
        ask=tuple(known.report for known in state.reports if not known.done(rules.district.periods.follow_up_tries)),
        reply=state.reply,
        follow_up=rules.follow_up_due(now),
        closes_at=None if state.contactable else rules.anonymous_close(now),
    )
    return (resolved,)


def _send_back(state: Case, request: SendBackResult) -> tuple[Fact, ...]:
    if state.phase == "rework":
        return ()
    _expect(state, "in_review")
    _not_a_handler(state, request.by)
    sent_back = CaseResultSentBack(
        attempt=state.attempt,
        matter=state.matter,
        town=state.town,
        by=request.by,
        reason=sealed(request.reason),
        recused=state.recused,
    )
    return (sent_back,)


def _follow_up(state: Case, request: FollowUp, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    _expect(state, "resolved")
    tries = rules.district.periods.follow_up_tries
    asked = next((known for known in state.reports if known.report == request.report), None)
    if asked is None:
        raise Rejected(f"expected a report of this case, found {request.report}")
    if request.by == REPORTER:
        _may_answer(asked, request)
    elif asked.done(tries):
        raise Rejected("expected a reporter who still has to be asked, found one who was, or who is anonymous")
    last_in_vain = len(asked.tries) + 1 == tries and not request.contacted
    if last_in_vain and asked.tries and _same_day(asked.tries[0], now):
        raise Rejected(f"expected {tries} tries over at least two days, found all on the same day")
    if request.contacted != (request.solved is not None):
        raise Rejected("expected an answer to 'solved' exactly when the reporter was contacted")
    if request.satisfied is not None and not request.contacted:
        raise Rejected("expected no answer to 'satisfied' from a reporter who was not contacted, found one")
    followed_up = CaseFollowedUp(
        report=request.report,
        attempt=state.attempt,
        try_no=len(asked.tries) + 1,
        tried_at=now,
        by=request.by,
        contacted=request.contacted,
        solved=request.solved,
        satisfied=request.satisfied,
    )
    if request.solved is False:
        return followed_up, _not_solved(state, request.report, now, rules)
    if all(known.done(tries) for known in evolve(state, followed_up).reports):
        return followed_up, CaseClosed(reason="solved", by=request.by)
    return (followed_up,)


def _may_answer(asked: Asked, request: FollowUp) -> None:
    """A reporter answers by receipt, asked or not, also anonymously: one reporter, one vote."""
    if not request.contacted:
        raise Rejected("expected an answer from a reporter who came by receipt, found none")
    if not asked.may_answer:
        raise Rejected("expected a reporter who has not answered yet, found one who has, or who only adds to a report")


def _not_solved(state: Case, report: str, now: datetime, rules: RuleBook) -> Fact:
    """The first "not solved" is reworked at once; after that the reviewer decides."""
    if state.reworked:
        return CaseReviewReopened(
            attempt=state.attempt, report=report, review=rules.review_due(state.handling_class, now)
        )
    return CaseReworkOrdered(
        attempt=state.attempt, matter=state.matter, town=state.town, report=report, recused=state.recused
    )


def _expect(state: Case, phase: Phase) -> None:
    if state.phase != phase:
        raise Rejected(f"expected a case in phase {phase}, found one in phase {state.phase}")


def _not_a_handler(state: Case, by: str) -> None:
    if by in state.handlers:
        raise Rejected(f"expected a reviewer who did not handle the case, found its handler {by}")


def _same_day(one: datetime, other: datetime) -> bool:
    return one.astimezone(SHANGHAI).date() == other.astimezone(SHANGHAI).date()
