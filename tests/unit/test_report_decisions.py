"""Reports: accepted, joined to what was told before, linked, refused and erased."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from events.case import CaseClosed, CaseOpened, CaseReportLinked, CaseTriageQueued, LinkReport, OpenCase
from events.file import MAX_FILES
from events.ids import case_of, stream_id
from events.private import Sealed, sealed
from events.report import (
    AttachFile,
    EraseReport,
    FileAttached,
    LinkReportToCase,
    RefuseReport,
    ReportAccepted,
    ReportErased,
    ReportLinked,
    ReportRefused,
    ReportSubmitted,
    ReportWords,
    SubmitReport,
    Suggestion,
)
from events.reporter import ReporterReported
from services.decisions import Rejected
from services.intake.reporter import KEPT, Reporter, evolve
from tests.unit.past import CASE, DAHE_VILLAGE, GAOCUN, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, Past, words

REPORTER = stream_id("reporter", MONDAY, "this month")
LAST_MONTH = stream_id("reporter", MONDAY - timedelta(days=31), "last month")
AGAIN = stream_id("report", MONDAY, "hotline", "2")


def submit(report: str = REPORT, at: datetime = MONDAY, **changes: Any) -> SubmitReport:
    fields: dict[str, Any] = {
        "report": report,
        "source": "hotline",
        "record": report[-4:],
        "receipt": "LD23456789AB2",
        "channel": "hotline",
        "town": LIUDU,
        "village": LIUDU_VILLAGE,
        "reported_at": at,
        "words": words("有人挖山", report),
        "reporters": (REPORTER,),
        "matter": "401",
    }
    return SubmitReport(**{**fields, **changes})


def submitted(report: str = REPORT) -> ReportSubmitted:
    return ReportSubmitted(
        source="hotline",
        record=report[-4:],
        receipt="LD23456789AB2",
        channel="hotline",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        reported_at=MONDAY,
        words=words("有人挖山", report),
        reporter=REPORTER,
        matter="401",
    )


def reported(report: str = REPORT, case: str = CASE, at: datetime = MONDAY, **changes: str) -> ReporterReported:
    fields: dict[str, Any] = {"matter": "401", "village": LIUDU_VILLAGE, **changes}
    return ReporterReported(report=report, case=case, reported_at=at, **fields)


def test_a_report_is_accepted_and_its_reporter_remembered(past: Past) -> None:
    appends = past.decide(submit())

    assert appends == (
        (REPORT, submitted()),
        (REPORT, ReportAccepted(case=CASE)),
        (REPORTER, reported()),
    )


def test_an_anonymous_report_is_accepted_and_no_reporter_remembered(past: Past) -> None:
    facts = past.facts_of(submit(reporters=(), anonymous=True))

    assert [type(fact) for fact in facts] == [ReportSubmitted, ReportAccepted]
    assert facts[0] == ReportSubmitted(
        source="hotline",
        record=REPORT[-4:],
        receipt="LD23456789AB2",
        channel="hotline",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        reported_at=MONDAY,
        words=words("有人挖山", REPORT),
        anonymous=True,
        matter="401",
    )


def test_a_report_handed_in_twice_is_a_repeat(past: Past) -> None:
    past.do(submit())

    assert past.decide(submit()) == ()
    assert past.decide(submit(matter="404")) == ()


def test_a_village_of_another_town_is_rejected(past: Past) -> None:
    refusal = past.refusal(submit(town=GAOCUN))

    assert refusal == f"village: expected a village of town {GAOCUN}, found {LIUDU_VILLAGE} of town {LIUDU}"


def test_a_report_may_name_no_village(past: Past) -> None:
    first, *_ = past.facts_of(submit(village=""))

    assert isinstance(first, ReportSubmitted)
    assert first.village == ""


def test_a_village_that_the_district_no_longer_has_is_rejected(past: Past) -> None:
    refusal = past.refusal(submit(village="445303100999"))

    assert refusal == f"village: expected a village of town {LIUDU}, found 445303100999 of town none of the district"


def test_words_in_clear_never_reach_a_fact(past: Past) -> None:
    in_clear = ReportWords(title="有人挖山", text="")

    with pytest.raises(TypeError, match="expected words encrypted by the vault, found ReportWords in clear"):
        past.decide(submit(words=in_clear))
    assert sealed(words("x")) == words("x")


@pytest.mark.parametrize(
    ("second", "joins"),
    [
        pytest.param({}, True, id="at the same moment"),
        pytest.param({"at": MONDAY + timedelta(hours=23)}, True, id="23 hours later"),
        pytest.param({"at": MONDAY + timedelta(hours=24)}, True, id="exactly 24 hours later"),
        pytest.param({"at": MONDAY + timedelta(hours=24, seconds=1)}, False, id="a second too late"),
        pytest.param({"at": MONDAY + timedelta(hours=25)}, False, id="25 hours later"),
        pytest.param({"at": MONDAY - timedelta(hours=1)}, True, id="about an earlier hour"),
        pytest.param({"village": DAHE_VILLAGE}, False, id="of another village"),
        pytest.param({"village": ""}, False, id="of no village"),
        pytest.param({"matter": "404"}, False, id="on another matter"),
        pytest.param({"matter": ""}, False, id="on no matter"),
        pytest.param(
            {"matter": "", "suggestions": (Suggestion("401", 0.9, ("挖山",)),)}, True, id="whose words are certain"
        ),
        pytest.param(
            {"matter": "", "suggestions": (Suggestion("401", 0.4, ("挖山",)),)}, False, id="whose words are not certain"
        ),
        pytest.param({"reporters": (), "anonymous": True}, False, id="anonymous"),
        pytest.param({"reporters": (stream_id("reporter", MONDAY, "other"),)}, False, id="by another reporter"),
        pytest.param({"reporters": (LAST_MONTH, REPORTER)}, True, id="under the pseudonym of last month"),
    ],
)
def test_the_same_story_by_the_same_reporter_within_a_day_joins_the_case(
    past: Past, second: dict[str, Any], joins: bool
) -> None:
    past.do(submit())

    appends = past.decide(submit(AGAIN, **second))

    case = CASE if joins else case_of(AGAIN)
    told_as = second.get("reporters", (REPORTER,))[0] if joins else ""
    assert appends[1] == (AGAIN, ReportAccepted(case=case, joins=joins, reporter=told_as))
    if "reporters" not in second:
        assert isinstance(appends[2][1], ReporterReported)
        assert appends[2][1].case == case


def test_without_a_certain_matter_two_reports_are_never_the_same_story(past: Past) -> None:
    past.do(submit(matter=""))

    _, accepted, remembered = past.facts_of(submit(AGAIN, matter=""))

    assert accepted == ReportAccepted(case=case_of(AGAIN))
    assert remembered == reported(AGAIN, case_of(AGAIN), matter="")


def test_a_story_told_every_day_stays_with_the_first_case(past: Past) -> None:
    third = stream_id("report", MONDAY, "hotline", "3")
    past.do(submit())
    past.do(submit(AGAIN, MONDAY + timedelta(hours=20)))

    appends = past.decide(submit(third, MONDAY + timedelta(hours=40)))

    assert appends[1] == (third, ReportAccepted(case=CASE, joins=True, reporter=REPORTER))


def test_a_reporters_old_reports_are_forgotten() -> None:
    state: Reporter | None = None
    for days in (0, 1, 2, 3, 4):
        state = evolve(state, reported(at=MONDAY + timedelta(days=days)))

    assert state is not None
    assert [old.reported_at for old in state.recent] == [MONDAY + timedelta(days=days) for days in (2, 3, 4)]
    assert timedelta(days=2) < KEPT


def test_a_report_that_arrives_out_of_order_forgets_nothing_younger() -> None:
    state = evolve(evolve(None, reported()), reported(AGAIN, at=MONDAY - timedelta(days=30)))

    assert [old.report for old in state.recent] == [REPORT, AGAIN]


def test_an_accepted_report_has_a_case_opened_and_a_joining_one_is_linked(past: Past) -> None:
    opens = past.reactions(REPORT, ReportAccepted(case=CASE))
    joins = past.reactions(AGAIN, ReportAccepted(case=CASE, joins=True, reporter=REPORTER))

    assert opens == [OpenCase(case=CASE, report=REPORT)]
    assert joins == [LinkReport(case=CASE, opens=case_of(AGAIN), report=AGAIN, reporter=REPORTER)]


def test_a_report_learns_which_case_it_belongs_to(past: Past) -> None:
    past.happened(REPORT, submitted(), ReportAccepted(case=CASE))

    opened = CaseOpened(report=REPORT, town=LIUDU, village=LIUDU_VILLAGE, reported_at=MONDAY)
    assert past.reactions(CASE, opened) == [LinkReportToCase(report=REPORT, case=CASE)]
    assert past.reactions(CASE, CaseReportLinked(report=REPORT, supplement=True)) == [
        LinkReportToCase(report=REPORT, case=CASE, supplement=True)
    ]
    assert past.facts_of(LinkReportToCase(report=REPORT, case=CASE)) == [ReportLinked(case=CASE)]


def test_a_report_linked_twice_is_a_repeat(past: Past) -> None:
    past.happened(REPORT, submitted(), ReportAccepted(case=CASE), ReportLinked(case=CASE))

    assert past.decide(LinkReportToCase(report=REPORT, case=CASE)) == ()


def waiting_in_triage(past: Past) -> None:
    past.happened(REPORT, submitted(), ReportAccepted(case=CASE), ReportLinked(case=CASE))
    past.happened(
        CASE,
        CaseOpened(report=REPORT, town=LIUDU, village=LIUDU_VILLAGE, reported_at=MONDAY),
        CaseTriageQueued(suggestions=(), threshold=0.5),
    )


ADVICE = Sealed(REPORT, b"advice")
REFUSE = RefuseReport(report=REPORT, case=CASE, ground="court", advice=ADVICE, by="clerk")


def test_a_report_in_triage_is_refused_and_its_case_ends_with_it(past: Past) -> None:
    waiting_in_triage(past)

    appends = past.decide(REFUSE)

    assert appends == (
        (REPORT, ReportRefused(ground="court", advice=ADVICE, by="clerk")),
        (CASE, CaseClosed(reason="refused", by="clerk")),
    )


def test_a_report_refused_twice_is_a_repeat(past: Past) -> None:
    waiting_in_triage(past)
    past.do(REFUSE)

    assert past.decide(REFUSE) == ()


def test_a_report_whose_case_somebody_works_on_is_not_refused(past: Past) -> None:
    past.play(submit())

    assert past.refusal(REFUSE) == "expected a case in triage with a single report, found calling, 1"


def test_a_report_is_not_refused_while_another_waits_with_it(past: Past) -> None:
    waiting_in_triage(past)
    past.happened(CASE, CaseReportLinked(report=AGAIN, supplement=True))

    assert past.refusal(REFUSE) == "expected a case in triage with a single report, found triage, 2"


def test_a_report_is_refused_with_its_own_case_only(past: Past) -> None:
    waiting_in_triage(past)
    past.happened(AGAIN, submitted(AGAIN))

    other = RefuseReport(report=AGAIN, case=CASE, ground="court", advice=ADVICE, by="clerk")
    nowhere = RefuseReport(report=REPORT, case=case_of(AGAIN), ground="court", advice=ADVICE, by="clerk")
    assert past.refusal(other) == f"expected a case with report {AGAIN}, found none"
    assert past.refusal(nowhere) == f"expected a case with report {REPORT}, found none"


def test_a_report_whose_case_was_solved_is_not_refused(past: Past) -> None:
    waiting_in_triage(past)
    past.happened(CASE, CaseClosed(reason="solved", by="clerk"))

    assert past.refusal(REFUSE)


def test_a_refused_report_stays_refused_when_its_link_comes_late(past: Past) -> None:
    past.happened(REPORT, submitted(), ReportAccepted(case=CASE))
    past.happened(REPORT, ReportRefused(ground="court", advice=ADVICE, by="clerk"))

    past.do(LinkReportToCase(report=REPORT, case=CASE))

    assert past.states[REPORT].phase == "refused"


def test_the_person_behind_a_report_is_erased_once(past: Past) -> None:
    past.happened(REPORT, submitted(), ReportAccepted(case=CASE))
    erase = EraseReport(report=REPORT, by="privacy-officer", reason="request")

    appends = past.do(erase)

    assert appends == ((REPORT, ReportErased(by="privacy-officer", reason="request")),)
    assert past.decide(erase) == ()
    assert past.states[REPORT].phase == "accepted"


@pytest.mark.parametrize(
    "request_",
    [
        LinkReportToCase(report=REPORT, case=CASE),
        EraseReport(report=REPORT, by="x", reason="request"),
        REFUSE,
        OpenCase(case=CASE, report=REPORT),
        LinkReport(case=CASE, opens=CASE, report=REPORT, reporter=REPORTER),
    ],
    ids=lambda request: type(request).__name__,
)
def test_nothing_can_be_done_with_a_report_that_nobody_submitted(past: Past, request_: Any) -> None:
    with pytest.raises(Rejected, match=r"expected a (submitted report|report that was submitted), found none"):
        past.decide(request_)


# --- files


def attach(file: str = "a" * 64, case: str = CASE) -> AttachFile:
    return AttachFile(report=REPORT, case=case, media_type="image/jpeg", size=1024, file=file)


def attached(file: str = "a" * 64) -> FileAttached:
    return FileAttached(case=CASE, file=file, media_type="image/jpeg", size=1024)


def test_a_file_is_attached_once_before_the_case_is_opened_and_after(past: Past) -> None:
    past.do(submit())

    assert past.do(attach()) == ((REPORT, attached()),)
    past.do(OpenCase(case=CASE, report=REPORT))
    assert past.do(attach()) == ()
    assert past.do(attach("b" * 64)) == ((REPORT, attached("b" * 64)),)


def test_a_report_has_so_many_files_and_the_same_again_is_a_repeat(past: Past) -> None:
    past.do(submit())
    for n in range(MAX_FILES):
        past.do(attach(f"{n:064x}"))

    assert past.refusal(attach()) == "files: expected at most 6 of one report, found 6 already"
    assert past.decide(attach(f"{0:064x}")) == ()


def test_a_file_for_a_report_of_a_closed_case_is_rejected_and_a_known_one_is_a_repeat(past: Past) -> None:
    past.do(submit())
    past.do(OpenCase(case=CASE, report=REPORT))
    past.do(attach())
    past.happened(CASE, CaseClosed(reason="explained", by="reviewer"))

    assert past.refusal(attach("b" * 64)) == "case: expected one that is open, found it closed: hand in another report"
    assert past.decide(attach()) == ()


def test_a_file_for_another_case_or_an_erased_person_or_no_report_is_rejected(past: Past) -> None:
    assert past.refusal(attach()) == "expected a report that was submitted, found none with this id"
    past.do(submit())
    assert past.refusal(attach(case=AGAIN)) == f"case: expected {CASE}, to which the report belongs, found {AGAIN}"
    past.do(EraseReport(report=REPORT, by="privacy-officer", reason="request"))
    assert "found that the person was erased" in past.refusal(attach())
