"""Outcomes: drafted from the lead's reply, published or withheld by somebody who did not write it."""

from datetime import timedelta
from typing import Any

import pytest

from events.case import CaseResolved, Due
from events.district import Visibility
from events.envelope import Fact, Request
from events.ids import outcome_of
from events.outcome import (
    DraftOutcome,
    OutcomeDrafted,
    OutcomePublished,
    OutcomeWithheld,
    PublishOutcome,
    WithholdOutcome,
)
from services.decisions import Rejected
from tests.unit.moments import at
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, Past, words

OUTCOME = outcome_of(CASE)
REPLY, CORRECTED = words("已清理。"), words("已全部清理。")
DISCLOSE = Due(by=at("2026-11-26 17:30"), rule="disclose 3wd")


def draft(attempt: int = 1) -> DraftOutcome:
    return DraftOutcome(
        outcome=OUTCOME,
        case=CASE,
        attempt=attempt,
        matter="406",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        authors=("officer-D17", "officer-D15"),
        reply=REPLY,
    )


def drafted(attempt: int = 1) -> OutcomeDrafted:
    return OutcomeDrafted(
        case=CASE,
        attempt=attempt,
        matter="406",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        authors=("officer-D17", "officer-D15"),
        reply=REPLY,
        disclose=DISCLOSE,
    )


def resolved(visibility: Visibility, **changes: Any) -> CaseResolved:
    fields: dict[str, Any] = {"reply": REPLY, "handlers": ("officer-D17", "officer-D15"), **changes}
    return CaseResolved(
        attempt=1,
        by="reviewer",
        visibility=visibility,
        matter="406",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        follow_up=DISCLOSE,
        **fields,
    )


def publish(by: str = "publisher", **changes: Any) -> PublishOutcome:
    return PublishOutcome(outcome=OUTCOME, case=CASE, by=by, **changes)


def withhold(by: str = "publisher") -> WithholdOutcome:
    return WithholdOutcome(outcome=OUTCOME, case=CASE, by=by, ground="personal_data")


PUBLISHED = OutcomePublished(case=CASE, by="publisher", reply=REPLY)
WITHHELD = OutcomeWithheld(case=CASE, by="publisher", ground="personal_data")


def test_a_resolved_public_case_gets_a_notice_with_its_handlers_as_authors(past: Past) -> None:
    assert past.reactions(CASE, resolved("public")) == [draft()]


@pytest.mark.parametrize("fact", [resolved("statistics"), resolved("confidential"), resolved("public", reply=None)])
def test_what_is_not_for_the_public_gets_no_notice(past: Past, fact: CaseResolved) -> None:
    assert past.reactions(CASE, fact) == []


def test_a_draft_is_to_be_disclosed_within_three_working_days(past: Past) -> None:
    assert past.decide(draft()) == ((OUTCOME, drafted()),)


def test_a_draft_twice_or_of_an_earlier_attempt_is_a_repeat(past: Past) -> None:
    past.happened(OUTCOME, drafted(2))

    assert past.decide(draft(2)) == ()
    assert past.decide(draft(1)) == ()


@pytest.mark.parametrize("before", [(), (PUBLISHED,), (WITHHELD,)])
def test_what_was_done_again_is_drafted_and_published_anew(past: Past, before: tuple[Fact, ...]) -> None:
    past.happened(OUTCOME, drafted(), *before)

    appends = past.do(draft(2))

    assert appends == ((OUTCOME, drafted(2)),)
    assert past.facts_of(publish()) == [PUBLISHED]


@pytest.mark.parametrize(("now", "late"), [(DISCLOSE.by, False), (DISCLOSE.by + timedelta(seconds=1), True)])
def test_a_second_person_publishes_and_late_is_marked_late(past: Past, now: Any, late: bool) -> None:
    past.happened(OUTCOME, drafted())

    assert past.facts_of(publish(), now) == [OutcomePublished(case=CASE, by="publisher", reply=REPLY, late=late)]


def test_a_second_person_may_correct_the_text(past: Past) -> None:
    past.happened(OUTCOME, drafted())

    past.do(publish(reply=CORRECTED))

    assert past.states[OUTCOME].reply == CORRECTED


def test_a_second_person_withholds_with_a_ground(past: Past) -> None:
    past.happened(OUTCOME, drafted())

    assert past.facts_of(withhold()) == [WITHHELD]


@pytest.mark.parametrize("author", ["officer-D17", "officer-D15"])
@pytest.mark.parametrize("act", [publish, withhold])
def test_nobody_decides_on_a_reply_that_they_wrote(past: Past, act: Any, author: str) -> None:
    past.happened(OUTCOME, drafted())

    assert past.refusal(act(author)) == f"expected a person who did not write the reply, found its author {author}"


def test_published_twice_or_withheld_twice_is_a_repeat(past: Past) -> None:
    past.happened(OUTCOME, drafted(), PUBLISHED)
    published_again = past.decide(publish("another"))
    past.happened(OUTCOME, WITHHELD)

    assert published_again == ()
    assert past.decide(withhold("another")) == ()


def test_what_was_published_can_be_withheld_afterwards(past: Past) -> None:
    past.happened(OUTCOME, drafted(), PUBLISHED)

    assert past.facts_of(withhold()) == [WITHHELD]


def test_words_in_clear_are_never_published(past: Past) -> None:
    past.happened(OUTCOME, drafted())

    with pytest.raises(TypeError, match="found str in clear"):
        past.decide(publish(reply="已清理。"))


@pytest.mark.parametrize("request_", [publish(), withhold()], ids=lambda request: type(request).__name__)
def test_nothing_can_be_published_that_nobody_drafted(past: Past, request_: Request) -> None:
    with pytest.raises(Rejected, match="expected a drafted outcome, found none for this case"):
        past.decide(request_, MONDAY)
