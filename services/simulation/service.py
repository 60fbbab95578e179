"""Plays operators, departments, reviewers, follow-up clerks and publishers by reacting to facts with later acts.

Villages and command centres are played by `services.simulation.levels`.

What each will do is drawn when the fact that makes it necessary is recorded, and waits as a timer like any
other; so a crash changes nothing, and another seed changes everything.
"""

from datetime import datetime, timedelta

from events.call import (
    AcknowledgeCall,
    ContactReporter,
    DepartmentsCalled,
    FileResult,
    Leg,
    NoteProgress,
    ReportIn,
)
from events.case import (
    ApproveResult,
    CaseResolved,
    CaseResultSubmitted,
    CaseReviewReopened,
    CaseTriageQueued,
    ClassifyCase,
    ExplainCase,
    FollowUp,
    SendBackResult,
)
from events.envelope import Recorded, Request
from events.outcome import OutcomeDrafted, PublishOutcome, WithholdOutcome
from services.decisions import Later, Service
from services.rules.book import CATCH_ALL, RuleBook
from services.simulation import approvals, levels, staff
from services.simulation.people import REPLY_MEDIAN_DAYS, REPLY_P90_DAYS, Dice, after
from services.simulation.words import demo_words

NAME = "simulation"

MISSES_ACKNOWLEDGEMENT = 0.06
SENT_BACK = 0.05
REACHED = 0.75
SOLVED = 0.9
SATISFIED = 0.85
WITHHELD = 0.02
LATE_SHAPE = REPLY_P90_DAYS / REPLY_MEDIAN_DAYS


def simulation(seed: int) -> Service:
    """The simulated township; the same seed and input always do the same."""
    dice = Dice(seed)

    def classify(recorded: Recorded, fact: CaseTriageQueued, rules: RuleBook) -> tuple[Later, ...]:
        matter = fact.suggestions[0].matter if fact.suggestions else CATCH_ALL
        minutes = dice.skewed(12, 45, "classify", recorded.id)
        return (
            after(
                recorded, minutes=minutes, request=ClassifyCase(case=recorded.stream, matter=matter, by="operator-1")
            ),
        )

    def work(recorded: Recorded, fact: DepartmentsCalled, rules: RuleBook) -> tuple[Later, ...]:
        return tuple(act for leg in fact.legs for act in _act(dice, recorded, fact, leg, rules))

    def review(recorded: Recorded, fact: CaseResultSubmitted, rules: RuleBook) -> tuple[Later, ...]:
        share = 0.1 + 0.8 * dice.share("review", recorded.id)
        at = recorded.meta.recorded_at + share * (fact.review.by - recorded.meta.recorded_at)
        if fact.attempt <= 1 and dice.happens(SENT_BACK, "send back", recorded.id):
            reason = "办结条件未达到，请补充现场照片后重新反馈。"
            return (Later(at, SendBackResult(case=recorded.stream, by="reviewer-1", reason=reason)),)
        return (Later(at, ApproveResult(case=recorded.stream, by="reviewer-1")),)

    def review_again(recorded: Recorded, fact: CaseReviewReopened, rules: RuleBook) -> tuple[Later, ...]:
        return (after(recorded, minutes=240, request=ExplainCase(case=recorded.stream, by="reviewer-2")),)

    def follow_up(recorded: Recorded, fact: CaseResolved, rules: RuleBook) -> tuple[Later, ...]:
        tries = rules.district.periods.follow_up_tries
        return tuple(call for report in fact.ask for call in _ask(dice, recorded, report, tries))

    def disclose(recorded: Recorded, fact: OutcomeDrafted, rules: RuleBook) -> tuple[Later, ...]:
        request: Request = PublishOutcome(outcome=recorded.stream, case=fact.case, by="publisher-1")
        if dice.happens(WITHHELD, "withhold", recorded.id):
            request = WithholdOutcome(outcome=recorded.stream, case=fact.case, by="publisher-1", ground="personal_data")
        return (after(recorded, minutes=dice.skewed(600, 2400, "disclose", recorded.id), request=request),)

    return Service(
        name=NAME,
        reactions={
            "case.triage-queued.v1": classify,
            **levels.reactions(dice),
            **staff.reactions(dice),
            **approvals.reactions(dice),
            "call.departments-called.v1": work,
            "case.result-submitted.v1": review,
            "case.review-reopened.v1": review_again,
            "case.resolved.v1": follow_up,
            "outcome.drafted.v1": disclose,
        },
    )


def _act(dice: Dice, recorded: Recorded, fact: DepartmentsCalled, leg: Leg, rules: RuleBook) -> list[Later]:
    """Everything one department will do about a call, in order."""
    call, department = recorded.stream, leg.department
    about = (recorded.id, department)
    by = f"{fact.town[-3:]}-{department}-{1 + int(3 * dice.share('officer', *about))}"
    start = recorded.meta.recorded_at
    replies = demo_words().replies
    acts: list[Later] = []

    def will(at: datetime, request: Request) -> None:
        acts.append(Later(at, request))

    def words(choices: tuple[str, ...], *what: str) -> str:
        """Words with the department's name in them; which village it is, a call's departments are not told."""
        name = rules.departments[department].zh if department in rules.departments else department
        return dice.choose(choices, *what, *about).format(department=name, village="当地")

    late = dice.happens(MISSES_ACKNOWLEDGEMENT, "late", *about)
    share = dice.share("acknowledge", *about)
    acknowledge = start + (1.05 + share if late else 0.03 + 0.9 * share) * (leg.acknowledge.by - start)
    will(acknowledge, AcknowledgeCall(call=call, department=department, by=by))
    latest = acknowledge
    if leg.arrive is not None:
        arrive = acknowledge + (0.2 + 0.6 * dice.share("arrive", *about)) * (leg.arrive.by - start)
        people = 1 + int(6 * dice.share("people", *about))
        will(arrive, ReportIn(call=call, department=department, by=by, people=people))
        latest = max(latest, arrive)
    if leg.contact is not None:
        contact = acknowledge + (0.1 + 0.7 * dice.share("contact", *about)) * (leg.contact.by - start)
        will(contact, ContactReporter(call=call, department=department, by=by))
    result = latest + _until_result(dice, fact, leg, start, about)
    if dice.happens(0.3, "note", *about):
        note = words(replies.notes, "words of note")
        will(
            latest + 0.4 * (result - latest),
            NoteProgress(call=call, case=fact.case, department=department, by=by, note=note),
        )
    filed = FileResult(
        call=call,
        case=fact.case,
        department=department,
        by=by,
        solved="yes" if dice.happens(0.9, "solved", *about) else "partly",
        account=words(replies.results, "account"),
        reply=words(replies.public, "reply") if leg.role == "lead" else None,
    )
    will(result, filed)
    return acts


def _until_result(dice: Dice, fact: DepartmentsCalled, leg: Leg, start: datetime, about: tuple[str, str]) -> timedelta:
    """How long the work takes: on emergency clocks around the limit, otherwise as long as it really takes."""
    if fact.handling_class in ("U1", "U2"):
        limit = leg.result.by - start
        return dice.skewed(0.3, 0.3 * LATE_SHAPE, "result", *about) * limit
    return timedelta(days=dice.skewed(REPLY_MEDIAN_DAYS, REPLY_P90_DAYS, "result", *about))


def _ask(dice: Dice, recorded: Recorded, report: str, tries: int) -> list[Later]:
    """Tries on different days and at different hours until the reporter is reached."""
    calls: list[Later] = []
    for n in range(tries):
        about = (recorded.id, report, str(n))
        reached = dice.happens(REACHED, "reached", *about)
        solved = dice.happens(SOLVED, "solved", *about) if reached else None
        asked = FollowUp(
            case=recorded.stream,
            report=report,
            by="follow-up-1",
            contacted=reached,
            solved=solved,
            satisfied=solved and dice.happens(SATISFIED, "satisfied", *about) if reached else None,
        )
        calls.append(after(recorded, minutes=60 + 1500 * n + 400 * dice.share("hour", *about), request=asked))
        if reached:
            break
    return calls
