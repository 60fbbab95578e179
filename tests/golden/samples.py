"""One sample of everything the language knows, every field filled in, beside the bytes it once had.

``python tests/golden/samples.py`` writes the files that are missing. It never writes one anew: a file here is a
promise to every log that holds such bytes. When a fact changes its meaning, its old file stays and is upcast.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path

import msgspec
from msgspec import Struct

from events import (
    approval,
    call,
    case,
    district,
    edge,
    launch,
    mobilisation,
    outcome,
    person,
    report,
    reporter,
    roster,
    user,
)
from events.catalog import CATALOG
from events.envelope import Fact, Meta, Request
from events.private import Sealed

GOLDEN = Path(__file__).resolve().parent

REPORT = "019ab1c2d3e4" + "01" * 10
CASE = "019ab1c2d3e4" + "02" * 10
CALL = "019ab1c2d3e4" + "03" * 10
OTHER_CALL = "019ab1c2d3e4" + "04" * 10
OUTCOME = "019ab1c2d3e4" + "05" * 10
APPROVAL = "019ab1c2d3e4" + "09" * 10
USER = "000000000000" + "07" * 10
PERSON = "000000000000" + "08" * 10
ROSTER = "000000000000" + "09" * 10
DISTRICT_ROSTER = "000000000000" + "0a" * 10
MOBILISATION = "019ab1c2d3e4" + "0b" * 10
REPORTER = "019aabcdef00" + "06" * 10

REPORTED = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
CALLED = datetime(2026, 11, 23, 1, 0, 0, 123_456, tzinfo=UTC)
SOON = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
LATER = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
WORDS = Sealed(key=CASE, box=bytes(range(16)))
REPLY = Sealed(key=CASE, box=bytes(range(255, 239, -1)))
SUGGESTIONS = (report.Suggestion("401", 0.75, ("非法采矿", "挖山")), report.Suggestion("404", 0.125, ("违建",)))
PROMISED = case.Due(by=LATER, rule="matter 401 promised 20wd", provisional=True)
PLANS = (case.LegPlan("D15", "lead", required=True), case.LegPlan("D08", "assist"), case.LegPlan("X5", "consult"))
CALLS = (case.CallPlan(CALL, "P4", PLANS[:1]), case.CallPlan(OTHER_CALL, "P2", PLANS[1:]))
LEGS = (
    call.Leg(
        department="D15",
        role="lead",
        required=True,
        acknowledge=case.Due(by=SOON, rule="U1 acknowledge 15min"),
        result=PROMISED,
        arrive=case.Due(by=SOON, rule="U1 arrive 30min"),
        contact=case.Due(by=SOON, rule="U1 contact 15min"),
    ),
    call.Leg(
        department="D08",
        role="assist",
        required=False,
        acknowledge=case.Due(by=SOON, rule="U1 acknowledge 15min"),
        result=PROMISED,
    ),
)

LENT = {"number": "LD-0042", "town": "445303100"}
TURN_OUT = {"case": CASE, "town": "445303100", "platform": "P4"}
ON_ROSTER = {"roster": ROSTER, "town": "445303100", "by": "王强"}
AGAIN = case.Due(by=SOON, rule="muster again 30min")
ROSTERS = (ROSTER, DISTRICT_ROSTER)
START, BACK = date(2026, 12, 1), date(2027, 6, 1)

LAUNCH_ITEMS = (
    launch.LaunchItem(
        matter="404",
        bureau="B07",
        platform="P4",
        conditions=("cross_town", "headcount"),
        evidence_required="现场照片",
        acknowledge="30min",
        arrive="45min",
        legal_basis="示例",
    ),
    launch.LaunchItem(matter="401", bureau="B07"),
)
PROJECT = {"case": CASE, "town": "445303100"}
LAW = "《中华人民共和国土地管理法》第四十四条"
ASKED = {**PROJECT, "round": 1, "item": "land", "department": "D16"}

UNIT = user.Unit(town="445303101000", village="445303101201", platform="P4", department="D15")

META = Meta(
    recorded_at=CALLED,
    causation="hotline/2026-000417",
    actor="hotline",
    correlation=REPORT,
    configuration="0123456789ab",
)

DISTRICT = district.District(
    code="445303",
    alias="YA",
    zh="云安区",
    en="Yun'an",
    note="示例配置",
    triage_threshold=0.5,
    towns=(district.Town(code="445303100", alias="LD", zh="六都镇", en="Liudu"),),
    villages=(district.Village(code="445303100201", town="445303100", zh="六都村民委员会"),),
    platforms=(district.Platform(code="P4", zh="综合执法平台", en="Comprehensive enforcement"),),
    departments=(
        district.Department(
            code="D15",
            zh="综合执法队",
            en="Comprehensive Enforcement Team",
            kind="town_office",
            platform="P4",
            parent="区城管局",
            absent_in=("445303101",),
        ),
    ),
    matters=(
        district.Matter(
            code="401",
            zh="非法采矿",
            en="Illegal mining",
            lead="D15",
            kind="tip",
            handling_class="U1",
            promised="24h",
            launch="yes",
            visibility="confidential",
            closing="已停止。",
            assists=("D16", "D08"),
            required=("D16",),
            contain="2h",
            contact="15min",
            arrive="30min",
            statutory="60d",
            statutory_note="unverified default",
            district_lead="区自然资源局",
            min_people=20,
            on_site=True,
            proof=("site_record",),
            strong=("非法采矿",),
            words=("挖山",),
        ),
    ),
    limits=(
        district.Limit(
            handling_class="U1",
            round_the_clock=True,
            acknowledge="15min",
            result="24h",
            arrive="30min",
            contact="15min",
        ),
    ),
    ladder=(district.Ladder(after=0.25, post="platform_head"), district.Ladder(after=0.5, post="command_centre")),
    periods=district.Periods(
        duplicate="24h",
        review="1wd",
        review_urgent="4h",
        follow_up="3wd",
        follow_up_tries=3,
        anonymous_close="5wd",
        disclose="3wd",
    ),
    duties=(
        district.Duty(post="platform_head", person="head-P4", zh="综合执法平台台长", town="445303100", platform="P4"),
    ),
    calendar=district.Calendar(
        hours=((time(8, 30), time(12)), (time(14, 30), time(17, 30))),
        first_year=2026,
        last_year=2026,
        rest=(date(2026, 10, 1),),
        work=(date(2026, 10, 10),),
    ),
    hotlines=(district.Hotline(name="hotline-12345", zh="政务服务便民热线", en="Government service hotline"),),
    terminals=(
        district.Terminal(
            name="village-1",
            zh="六都村终端",
            en="Liudu village terminal",
            town="445303100",
            channel="village",
            village="445303100201",
        ),
    ),
)

_ABOUT_CALL = {"case": CASE, "town": "445303100", "platform": "P4"}

FACTS: Mapping[str, Fact] = {
    "district.configured.v1": district.DistrictConfigured(hash="0123456789ab", district=DISTRICT),
    "launch.list-published.v1": launch.LaunchListPublished(
        version=3, items=LAUNCH_ITEMS, effective_from=START, citation="云安区启动清单（示例）", by="district-command"
    ),
    "report.submitted.v1": report.ReportSubmitted(
        source="hotline",
        record="2026-000417",
        receipt="LD23456789AB2",
        channel="hotline",
        town="445303100",
        village="445303100201",
        reported_at=REPORTED,
        words=Sealed(key=REPORT, box=bytes(range(16))),
        reporter=REPORTER,
        anonymous=True,
        appeal="tip",
        matter="401",
        suggestions=SUGGESTIONS,
        attachments=2,
        complained_of=("D17",),
    ),
    "report.accepted.v1": report.ReportAccepted(case=CASE, joins=True, reporter=REPORTER),
    "report.linked.v1": report.ReportLinked(case=CASE, supplement=True),
    "report.refused.v1": report.ReportRefused(ground="court", advice=WORDS, by="clerk"),
    "report.file-attached.v1": report.FileAttached(case=CASE, file="ef" * 32, media_type="image/jpeg", size=1024),
    "report.erased.v1": report.ReportErased(by="privacy-officer", reason="request"),
    "reporter.reported.v1": reporter.ReporterReported(
        report=REPORT, case=CASE, matter="401", village="445303100201", reported_at=REPORTED
    ),
    "case.opened.v1": case.CaseOpened(
        report=REPORT, town="445303100", village="445303100201", reported_at=REPORTED, anonymous=True
    ),
    "case.report-linked.v1": case.CaseReportLinked(report=REPORT, supplement=True, anonymous=True),
    "case.triage-queued.v1": case.CaseTriageQueued(
        suggestions=SUGGESTIONS,
        threshold=0.5,
        complained_of=("D17",),
    ),
    "case.classified.v1": case.CaseClassified(
        matter="401",
        town="445303100",
        handling_class="U1",
        visibility="confidential",
        by="catalogue",
        result=PROMISED,
        score=0.75,
        words=("非法采矿", "挖山"),
        village="445303100201",
        recused=("D15", "D17"),
    ),
    "case.department-recused.v1": case.CaseDepartmentRecused(
        department="D17",
        ground="interested",
        by="command-centre",
        town="445303100",
        matter="402",
        attempt=1,
        recused=("D15", "D17"),
        again=True,
        released=(CALL, OTHER_CALL),
    ),
    "case.village-handling-started.v1": case.CaseVillageHandlingStarted(
        town="445303100",
        village="445303100201",
        matter="411",
        handling_class="U3",
        due=case.Due(by=SOON, rule="village 2wd"),
    ),
    "case.village-resolved.v1": case.CaseVillageResolved(
        town="445303100", village="445303100201", by="clerk", solved="partly", account=WORDS, reply=REPLY
    ),
    "case.escalated.v1": case.CaseEscalated(
        town="445303100",
        matter="411",
        came_from="village",
        to="town",
        reason="village_overdue",
        by="clock",
        recused=("D15", "D17"),
    ),
    "case.calls-issued.v1": case.CaseCallsIssued(attempt=2, calls=CALLS, awaited=("D15", "D08"), reason="rework"),
    "case.engaged.v1": case.CaseEngaged(attempt=1, department="D15", waiting_for=("D08", "D16")),
    "case.call-completed.v1": case.CaseCallCompleted(
        call=CALL, handlers=("officer-D15", "officer-D08"), solved="partly", reply=REPLY
    ),
    "case.district-called.v1": case.CaseDistrictCalled(
        attempt=1,
        nth=2,
        call=case.CallPlan(OTHER_CALL, "P4", (case.LegPlan("B07", "assist", required=True),)),
        district="445303",
        tracker="445303100",
        matter="404",
        list_version=3,
        allowed="waived",
        by="command-centre",
        condition="headcount",
        evidence=WORDS,
        waived_by="district-leader",
    ),
    "case.district-call-refused.v1": case.CaseDistrictCallRefused(
        nth=2,
        district="445303",
        town="445303100",
        matter="404",
        list_version=3,
        ground="condition_not_listed",
        by="command-centre",
        condition="repeat",
        evidence=WORDS,
    ),
    "case.launch-waiver-granted.v1": case.LaunchWaiverGranted(
        nth=2,
        district="445303",
        town="445303100",
        matter="404",
        list_version=3,
        district_platform="P4",
        bureau="B07",
        by="district-leader",
        reason=WORDS,
    ),
    "case.handed-down.v1": case.CaseHandedDown(
        nth=1, town="445303100", matter="404", by="district-command", reason=WORDS, released=(OTHER_CALL,)
    ),
    "case.hand-down-consented.v1": case.CaseHandDownConsented(nth=2, town="445303100", by="command-centre"),
    "case.result-submitted.v1": case.CaseResultSubmitted(
        attempt=1,
        handlers=("officer-D15", "officer-D08"),
        solved="no",
        review=case.Due(by=SOON, rule="urgent review 4h"),
        released=(OTHER_CALL,),
    ),
    "case.result-sent-back.v1": case.CaseResultSentBack(
        attempt=1,
        matter="401",
        town="445303100",
        by="reviewer",
        reason=WORDS,
        recused=("D15", "D17"),
    ),
    "case.resolved.v1": case.CaseResolved(
        attempt=1,
        by="reviewer",
        visibility="public",
        matter="401",
        town="445303100",
        village="445303100201",
        follow_up=case.Due(by=SOON, rule="follow-up 3wd"),
        handlers=("officer-D15",),
        ask=(REPORT,),
        reply=REPLY,
        closes_at=LATER,
    ),
    "case.followed-up.v1": case.CaseFollowedUp(
        report=REPORT,
        attempt=1,
        try_no=3,
        tried_at=SOON,
        by="clerk",
        contacted=True,
        solved=False,
        satisfied=False,
    ),
    "case.rework-ordered.v1": case.CaseReworkOrdered(
        attempt=1,
        matter="401",
        town="445303100",
        report=REPORT,
        recused=("D15", "D17"),
    ),
    "case.review-reopened.v1": case.CaseReviewReopened(
        attempt=2, report=REPORT, review=case.Due(by=SOON, rule="review 1wd")
    ),
    "case.closed.v1": case.CaseClosed(reason="explained", by="reviewer"),
    "case.reopened.v1": case.CaseReopened(
        attempt=2,
        reopening=1,
        report=REPORT,
        matter="401",
        town="445303100",
        village="445303100201",
        handling_class="U1",
        by="reporter",
        reason=WORDS,
        result=PROMISED,
        recused=("D15", "D17"),
    ),
    "call.issued.v1": call.CallIssued(
        **_ABOUT_CALL,
        attempt=1,
        level="town",
        village="445303100201",
        matter="401",
        handling_class="U1",
        legs=PLANS,
        result=PROMISED,
        contactable=False,
        acknowledge="30min",
        arrive="45min",
    ),
    "call.departments-called.v1": call.DepartmentsCalled(
        **_ABOUT_CALL, handling_class="U1", called_at=CALLED, legs=LEGS
    ),
    "call.acknowledged.v1": call.CallAcknowledged(
        **_ABOUT_CALL, attempt=1, department="D15", by="officer-D15", late=True
    ),
    "call.reported-in.v1": call.DepartmentReportedIn(
        **_ABOUT_CALL, department="D15", by="officer-D15", people=20, late=True
    ),
    "call.reporter-contacted.v1": call.ReporterContacted(**_ABOUT_CALL, department="D15", by="officer-D15", late=True),
    "call.noted.v1": call.CallNoted(**_ABOUT_CALL, department="D15", by="officer-D15", note=WORDS),
    "call.proof-attached.v1": call.ProofAttached(
        **_ABOUT_CALL, department="D15", by="officer-D15", file="ef" * 32, media_type="application/pdf", size=2048
    ),
    "call.result-filed.v1": call.CallResultFiled(
        **_ABOUT_CALL,
        department="D15",
        by="officer-D15",
        solved="yes",
        account=WORDS,
        reply=REPLY,
        late=True,
    ),
    "call.clock-missed.v1": call.CallClockMissed(
        **_ABOUT_CALL, department="D15", clock="acknowledge", due=SOON, escalations=(SOON, LATER)
    ),
    "case.due-extended.v1": case.CaseDueExtended(
        owes="review",
        was=case.Due(by=SOON, rule="review 1wd", provisional=True, since=REPORTED),
        due=case.Due(by=LATER, rule="review 1wd", since=REPORTED),
    ),
    "call.due-extended.v1": call.CallDueExtended(
        **_ABOUT_CALL,
        department="D15",
        clock="result",
        was=case.Due(by=SOON, rule="matter 401 promised 20wd", provisional=True, since=REPORTED),
        due=case.Due(by=LATER, rule="matter 401 promised 20wd", since=REPORTED),
    ),
    "call.escalated.v1": call.CallEscalated(
        **_ABOUT_CALL, department="D15", clock="result", step=2, post="command_centre", person="command-centre"
    ),
    "call.completed.v1": call.CallCompleted(
        **_ABOUT_CALL,
        attempt=1,
        handlers=("officer-D15", "officer-D08"),
        solved="yes",
        released=("X5",),
        reply=REPLY,
    ),
    "call.released.v1": call.CallReleased(**_ABOUT_CALL, departments=("D08", "X5")),
    "call.alerted.v1": call.CallAlerted(
        **_ABOUT_CALL, department="D15", channel="duty-gateway", nth=1, then=("duty-mail",), deliver_by=SOON
    ),
    "call.delivered.v1": call.CallDelivered(**_ABOUT_CALL, department="D15", channel="duty-gateway"),
    "call.delivery-failed.v1": call.CallDeliveryFailed(
        **_ABOUT_CALL, department="D15", channel="duty-gateway", reason="not_in_time"
    ),
    "outcome.drafted.v1": outcome.OutcomeDrafted(
        case=CASE,
        attempt=1,
        matter="401",
        town="445303100",
        village="445303100201",
        authors=("officer-D15",),
        reply=REPLY,
        disclose=case.Due(by=LATER, rule="disclose 3wd", provisional=True),
    ),
    "outcome.published.v1": outcome.OutcomePublished(case=CASE, by="publisher", reply=REPLY, late=True),
    "outcome.withheld.v1": outcome.OutcomeWithheld(case=CASE, by="publisher", ground="secret"),
    "user.added.v1": user.UserAdded(name="li.min", person="李敏", roles=("department_officer",), unit=UNIT),
    "user.disabled.v1": user.UserDisabled(name="li.min"),
    "person.registered.v1": person.PersonRegistered(
        number="LD-0042",
        name="李敏",
        employer="区自然资源局",
        town="445303100",
        department="D15",
        since=date(2024, 2, 29),
        skills=("测绘", "无人机"),
        party_relation="town_committee",
    ),
    "person.moved.v1": person.PersonMoved(
        town="445303101", department="D08", since=date(2026, 11, 23), from_town="445303100"
    ),
    "person.party-relation-transferred.v1": person.PartyRelationTransferred(to="bureau", town="445303100"),
    "person.secondment-requested.v1": person.SecondmentRequested(
        **LENT, to="区城管局", start=START, back=BACK, by="张三"
    ),
    "person.secondment-consented.v1": person.SecondmentConsented(**LENT, by="镇党委"),
    "person.secondment-approved.v1": person.SecondmentApproved(**LENT, by="区人事", start=START),
    "person.secondment-refused.v1": person.SecondmentRefused(**LENT, at="consent", ground="needed_here", by="镇党委"),
    "person.secondment-started.v1": person.SecondmentStarted(**LENT, to="区城管局", start=START, back=BACK),
    "person.secondment-overdue.v1": person.SecondmentOverdue(**LENT, to="区城管局", back=BACK),
    "person.overdue-told.v1": person.OverdueTold(number="LD-0042", town="445303100", channel="duty-mail"),
    "person.secondment-ended.v1": person.SecondmentEnded(**LENT, on=BACK, by="李敏", late=True),
    "roster.joined.v1": roster.RosterJoined(
        town="445303100", number="LD-0042", name="李敏", department="D15", party_relation="town_committee"
    ),
    "roster.left.v1": roster.RosterLeft(number="LD-0042", taken_by=MOBILISATION),
    "roster.member-lent.v1": roster.MemberLent(number="LD-0042", taken_by=MOBILISATION),
    "roster.member-returned.v1": roster.MemberReturned(number="LD-0042"),
    "roster.post-filled.v1": roster.PostFilled(
        post="platform_head", number="LD-0042", since=START, platform="P4", rank=1
    ),
    "roster.post-vacated.v1": roster.PostVacated(post="platform_head", number="LD-0042", on=BACK, platform="P4"),
    "roster.party-org-formed.v1": roster.PartyOrgFormed(
        town="445303100", platform="P4", name="综合执法平台党支部", since=BACK
    ),
    "roster.party-org-dissolved.v1": roster.PartyOrgDissolved(platform="P4", formed=START, on=BACK),
    "roster.party-secretary-named.v1": roster.PartySecretaryNamed(
        platform="P4", formed=START, number="LD-0042", since=BACK
    ),
    "roster.shift-set.v1": roster.ShiftSet(
        town="445303100",
        shift="2026-11-23-night",
        post="platform_head",
        number="LD-0042",
        start=SOON,
        end=LATER,
        platform="P4",
    ),
    "roster.shift-passed.v1": roster.ShiftPassed(shift="2026-11-23-night", to="LD-0043", at=SOON),
    "roster.shift-removed.v1": roster.ShiftRemoved(shift="2026-11-23-night"),
    "roster.leave-granted.v1": roster.LeaveGranted(town="445303100", number="LD-0042", start=SOON, end=LATER),
    "roster.leave-begun.v1": roster.LeaveBegun(number="LD-0042", taken_by=MOBILISATION),
    "roster.leave-ended.v1": roster.LeaveEnded(number="LD-0042", at=LATER),
    "roster.people-taken.v1": roster.PeopleTaken(mobilisation=MOBILISATION, numbers=("LD-0042", "LD-0043")),
    "roster.people-freed.v1": roster.PeopleFreed(mobilisation=MOBILISATION, numbers=("LD-0042",)),
    "roster.person-deployed.v1": roster.PersonDeployed(
        town="445303100", number="LD-0042", department="D16", until=LATER, by="台长"
    ),
    "roster.person-released.v1": roster.PersonReleased(number="LD-0042", by="clock"),
    "roster.cover-checked.v1": roster.CoverChecked(
        town="445303100",
        start=SOON,
        end=LATER,
        gaps=(roster.Gap(post="platform_head", start=SOON, end=LATER, platform="P4"),),
    ),
    "mobilisation.ordered.v1": mobilisation.MobilisationOrdered(
        **TURN_OUT,
        matter="401",
        village="445303100201",
        min_people=20,
        departments=("D15", "D08"),
        rosters=ROSTERS,
        muster=case.Due(by=SOON, rule="U1 muster 30min"),
        by="clock",
        recused=("D15", "D17"),
    ),
    "mobilisation.responders-called.v1": mobilisation.RespondersCalled(
        **TURN_OUT,
        responders=(mobilisation.Responder("LD-0042", "D15", ROSTER),),
        pools=("called", "platform"),
        lacking=19,
        muster=AGAIN,
    ),
    "mobilisation.responders-confirmed.v1": mobilisation.RespondersConfirmed(
        **TURN_OUT, numbers=("LD-0042",), by="李敏"
    ),
    "mobilisation.responder-declined.v1": mobilisation.ResponderDeclined(
        **TURN_OUT, number="LD-0042", ground="ill", by="李敏"
    ),
    "mobilisation.responder-dropped.v1": mobilisation.ResponderDropped(
        **TURN_OUT, number="LD-0042", count=19, short=True
    ),
    "mobilisation.department-recused.v1": mobilisation.RespondersRecused(
        **TURN_OUT, department="D15", numbers=("LD-0042",), count=19, short=True
    ),
    "mobilisation.mustered.v1": mobilisation.RespondersMustered(
        **TURN_OUT, numbers=("LD-0042",), by="李敏", count=20, late=True
    ),
    "mobilisation.reached.v1": mobilisation.MusterReached(**TURN_OUT, count=20, min_people=20, late=True),
    "mobilisation.short.v1": mobilisation.MusterShort(
        **TURN_OUT, count=19, min_people=20, rosters=ROSTERS, again=AGAIN
    ),
    "mobilisation.stood-down.v1": mobilisation.StoodDown(
        **TURN_OUT,
        by="李敏",
        count=21,
        review=case.Due(by=LATER, rule="turn-out review 2wd"),
        freed=(mobilisation.Responder("LD-0042", "D15", ROSTER),),
    ),
    "mobilisation.reviewed.v1": mobilisation.MobilisationReviewed(**TURN_OUT, by="李敏", note=WORDS, late=True),
    "mobilisation.review-extended.v1": mobilisation.MobilisationReviewExtended(
        **TURN_OUT,
        was=case.Due(by=SOON, rule="turn-out review 2wd", provisional=True, since=REPORTED),
        due=case.Due(by=LATER, rule="turn-out review 2wd", since=REPORTED),
    ),
    "mobilisation.review-missed.v1": mobilisation.MobilisationReviewMissed(**TURN_OUT),
    "approval.round-opened.v1": approval.ApprovalRoundOpened(
        **PROJECT,
        matter="601",
        village="445303100201",
        lead="D27",
        round=2,
        items=(
            approval.ApprovalItem("land", "D16", case.Due(by=LATER, rule="item land statutory 20wd"), LAW),
            approval.ApprovalItem("village-land", "X5", basis="《中华人民共和国村民委员会组织法》"),
        ),
        asked_at=CALLED,
        due=PROMISED,
        by="D27-1",
        milestones=(approval.Promised("project_approved", PROMISED),),
        remedied=WORDS,
    ),
    "approval.opinion-filed.v1": approval.OpinionFiled(
        **ASKED,
        by="officer-D16",
        opinion="object",
        legal_basis=LAW,
        conditions=WORDS,
        new_facts=REPLY,
        late=True,
    ),
    "approval.material-requested.v1": approval.MaterialRequested(**ASKED, by="officer-D16", pieces=WORDS),
    "approval.material-supplied.v1": approval.MaterialSupplied(**ASKED, by="D27-1"),
    "approval.opinion-missed.v1": approval.OpinionMissed(**ASKED, due=PROMISED, post="platform_head", person="head-P4"),
    "approval.round-closed.v1": approval.ApprovalRoundClosed(
        **PROJECT, round=1, outcome="incomplete", objected=("land",), missing=("forestry", "planning")
    ),
    "approval.decided.v1": approval.ApprovalDecided(
        **PROJECT, round=2, decision="refused", by="command-centre", on=START, reason=WORDS
    ),
    "approval.milestone-reached.v1": approval.MilestoneReached(
        **PROJECT, milestone="project_approved", on=START, by="D27-1", limit=PROMISED, in_time=True
    ),
}

REQUESTS: Mapping[str, Request] = {
    "report.submit.v1": report.SubmitReport(
        report=REPORT,
        source="hotline",
        record="2026-000417",
        receipt="LD23456789AB2",
        channel="hotline",
        town="445303100",
        village="445303100201",
        reported_at=REPORTED,
        words=report.ReportWords(
            title="有人挖山",
            text="后山半夜有挖机声。",
            place="后山",
            reporter="ab" * 32,
            point=report.Point(lon=112.0125, lat=23.0625, datum="GCJ-02"),
            contact=report.Contact(name="张三", phone="13800000000"),
            attachments=(report.AttachmentNote("a.jpg", "image/jpeg", "cd" * 32, 1024),),
        ),
        reporters=(REPORTER,),
        anonymous=True,
        appeal="tip",
        matter="401",
        suggestions=SUGGESTIONS,
        attachments=1,
        complained_of=("D17",),
    ),
    "report.link.v1": report.LinkReportToCase(report=REPORT, case=CASE, supplement=True),
    "report.refuse.v1": report.RefuseReport(report=REPORT, case=CASE, ground="petition", advice=WORDS, by="clerk"),
    "report.attach-file.v1": report.AttachFile(
        report=REPORT, case=CASE, media_type="image/jpeg", size=1024, file="ef" * 32
    ),
    "report.erase.v1": report.EraseReport(report=REPORT, by="privacy-officer", reason="request"),
    "case.open.v1": case.OpenCase(case=CASE, report=REPORT),
    "case.link-report.v1": case.LinkReport(
        case=CASE, opens="019ab1c2d3e4" + "07" * 10, report=REPORT, reporter=REPORTER
    ),
    "case.join-report.v1": case.JoinReport(
        case=CASE, opened="019ab1c2d3e4" + "0a" * 10, report=REPORT, by="operator-1"
    ),
    "case.classify.v1": case.ClassifyCase(case=CASE, matter="401", by="operator"),
    "case.issue-calls.v1": case.IssueCalls(case=CASE, attempt=2, calls=CALLS, reason="rework"),
    "case.handle-in-village.v1": case.HandleInVillage(case=CASE),
    "case.resolve-in-village.v1": case.ResolveInVillage(
        case=CASE, by="clerk", solved="partly", account=WORDS, reply="已修好水渠。"
    ),
    "case.escalate.v1": case.EscalateCase(case=CASE, reason="beyond_village", by="clerk"),
    "case.call-district.v1": case.CallDistrict(
        case=CASE, by="command-centre", condition="headcount", evidence=WORDS, nth=2
    ),
    "case.grant-launch-waiver.v1": case.GrantLaunchWaiver(case=CASE, by="district-leader", reason=WORDS, bureau="B07"),
    "case.recuse-department.v1": case.RecuseDepartment(
        case=CASE, department="D17", by="command-centre", ground="interested"
    ),
    "case.hand-down.v1": case.HandDown(case=CASE, by="district-command", reason=WORDS),
    "case.consent-to-hand-down.v1": case.ConsentToHandDown(case=CASE, by="command-centre"),
    "case.engage.v1": case.EngageCase(case=CASE, attempt=1, department="D15"),
    "case.submit-result.v1": case.SubmitResult(
        case=CASE, call=CALL, attempt=1, handlers=("officer-D15",), solved="partly", reply=REPLY
    ),
    "case.approve-result.v1": case.ApproveResult(case=CASE, by="reviewer"),
    "case.send-back-result.v1": case.SendBackResult(case=CASE, by="reviewer", reason=WORDS),
    "case.explain.v1": case.ExplainCase(case=CASE, by="reviewer"),
    "case.follow-up.v1": case.FollowUp(
        case=CASE, report=REPORT, by="clerk", contacted=True, solved=False, satisfied=True
    ),
    "case.close.v1": case.CloseCase(case=CASE, attempt=1),
    "case.reopen.v1": case.ReopenCase(case=CASE, report=REPORT, by="reporter", reason=WORDS, closed_at=LATER),
    "case.recount-dues.v1": case.RecountCaseDues(case=CASE),
    "case.extend-promise.v1": case.ExtendPromise(
        case=CASE, due=case.Due(by=LATER, rule="matter 401 promised 20wd", since=REPORTED)
    ),
    "call.call-departments.v1": call.CallDepartments(call=CALL, case=CASE),
    "call.release.v1": call.ReleaseCall(call=CALL),
    "call.acknowledge.v1": call.AcknowledgeCall(call=CALL, department="D15", by="officer-D15"),
    "call.report-in.v1": call.ReportIn(call=CALL, department="D15", by="officer-D15", people=20),
    "call.contact-reporter.v1": call.ContactReporter(call=CALL, department="D15", by="officer-D15"),
    "call.note.v1": call.NoteProgress(
        call=CALL, case=CASE, department="D15", by="officer-D15", note="已到现场，正在取证。"
    ),
    "call.attach-proof.v1": call.AttachProof(
        call=CALL,
        case=CASE,
        department="D15",
        by="officer-D15",
        media_type="application/pdf",
        size=2048,
        file="ef" * 32,
    ),
    "call.file-result.v1": call.FileResult(
        call=CALL,
        case=CASE,
        department="D15",
        by="officer-D15",
        solved="yes",
        account=WORDS,
        reply="已查处，现场已恢复。",
    ),
    "call.miss-clock.v1": call.MissClock(call=CALL, department="D15", clock="arrive", step=2, town="445303100"),
    "call.recount-dues.v1": call.RecountDues(call=CALL),
    "call.alert.v1": call.AlertDepartment(call=CALL, department="D15", channels=("duty-gateway", "duty-mail")),
    "call.note-delivery.v1": call.NoteDelivery(call=CALL, department="D15", channel="duty-gateway"),
    "call.note-delivery-failure.v1": call.NoteDeliveryFailure(
        call=CALL, department="D15", channel="duty-gateway", reason="dead_letter"
    ),
    "call.miss-delivery.v1": call.MissDelivery(call=CALL, department="D15", channel="duty-gateway"),
    "outcome.draft.v1": outcome.DraftOutcome(
        outcome=OUTCOME,
        case=CASE,
        attempt=1,
        matter="401",
        town="445303100",
        village="445303100201",
        authors=("officer-D15",),
        reply=REPLY,
    ),
    "outcome.publish.v1": outcome.PublishOutcome(outcome=OUTCOME, case=CASE, by="publisher", reply="已查处。"),
    "outcome.withhold.v1": outcome.WithholdOutcome(outcome=OUTCOME, case=CASE, by="publisher", ground="personal_data"),
    "district.configure.v1": district.ConfigureDistrict(
        stream="000000000000" + "08" * 10, hash="0123456789ab", district=DISTRICT
    ),
    "launch.publish.v1": launch.PublishLaunchList(
        launch="000000000000" + "09" * 10,
        items=LAUNCH_ITEMS,
        effective_from=START,
        citation="云安区启动清单（示例）",
        by="district-command",
    ),
    "user.add.v1": user.AddUser(user=USER, name="li.min", person="李敏", roles=("department_officer",), unit=UNIT),
    "user.disable.v1": user.DisableUser(user=USER),
    "person.register.v1": person.RegisterPerson(
        person=PERSON,
        number="LD-0042",
        name="李敏",
        employer="区自然资源局",
        town="445303100",
        department="D15",
        since=date(2024, 2, 29),
        by="王强",
        skills=("测绘",),
        party_relation="bureau",
    ),
    "person.move.v1": person.MovePerson(person=PERSON, town="445303101", department="D08", since=START, by="王强"),
    "person.transfer-party-relation.v1": person.TransferPartyRelation(person=PERSON, to="town_committee", by="王强"),
    "person.request-secondment.v1": person.RequestSecondment(
        person=PERSON, to="区城管局", start=START, back=BACK, by="张三"
    ),
    "person.consent-to-secondment.v1": person.ConsentToSecondment(person=PERSON, by="镇党委"),
    "person.approve-secondment.v1": person.ApproveSecondment(person=PERSON, by="区人事"),
    "person.refuse-secondment.v1": person.RefuseSecondment(person=PERSON, ground="needed_here", by="镇党委"),
    "person.start-secondment.v1": person.StartSecondment(person=PERSON, town="445303100"),
    "person.miss-return.v1": person.MissReturn(person=PERSON),
    "person.note-overdue-told.v1": person.NoteOverdueTold(person=PERSON, channel="duty-mail"),
    "person.end-secondment.v1": person.EndSecondment(person=PERSON, by="李敏"),
    "roster.join.v1": roster.JoinRoster(roster=ROSTER, town="445303100", person=PERSON),
    "roster.leave.v1": roster.LeaveRoster(roster=ROSTER, person=PERSON),
    "roster.fill-post.v1": roster.FillPost(
        **ON_ROSTER, post="platform_head", number="LD-0042", since=START, platform="P4", rank=1
    ),
    "roster.vacate-post.v1": roster.VacatePost(
        **ON_ROSTER, post="platform_head", number="LD-0042", on=BACK, platform="P4"
    ),
    "roster.form-party-org.v1": roster.FormPartyOrg(**ON_ROSTER, platform="P4", name="综合执法平台党支部", since=BACK),
    "roster.dissolve-party-org.v1": roster.DissolvePartyOrg(**ON_ROSTER, platform="P4", on=BACK),
    "roster.name-party-secretary.v1": roster.NamePartySecretary(
        **ON_ROSTER, platform="P4", number="LD-0042", since=BACK
    ),
    "roster.set-shift.v1": roster.SetShift(
        **ON_ROSTER,
        shift="2026-11-23-night",
        post="platform_head",
        number="LD-0042",
        start=SOON,
        end=LATER,
        platform="P4",
    ),
    "roster.pass-shift.v1": roster.PassShift(**ON_ROSTER, shift="2026-11-23-night", to="LD-0043"),
    "roster.remove-shift.v1": roster.RemoveShift(**ON_ROSTER, shift="2026-11-23-night"),
    "roster.grant-leave.v1": roster.GrantLeave(**ON_ROSTER, number="LD-0042", start=SOON, end=LATER),
    "roster.begin-leave.v1": roster.BeginLeave(roster=ROSTER, number="LD-0042"),
    "roster.end-leave.v1": roster.EndLeave(**ON_ROSTER, number="LD-0042"),
    "roster.deploy.v1": roster.DeployPerson(**ON_ROSTER, number="LD-0042", department="D16", until=LATER),
    "roster.release.v1": roster.ReleasePerson(**ON_ROSTER, number="LD-0042"),
    "roster.check-cover.v1": roster.CheckCover(roster=ROSTER, town="445303100", start=SOON),
    "mobilisation.order.v1": mobilisation.OrderMobilisation(
        mobilisation=MOBILISATION, rosters=ROSTERS, case=CASE, by="李敏", min_people=20
    ),
    "mobilisation.confirm.v1": mobilisation.ConfirmResponders(
        mobilisation=MOBILISATION, rosters=ROSTERS, department="D15", numbers=("LD-0042",), by="李敏"
    ),
    "mobilisation.decline.v1": mobilisation.DeclineResponder(
        mobilisation=MOBILISATION, rosters=ROSTERS, department="D15", number="LD-0042", ground="ill", by="李敏"
    ),
    "mobilisation.recuse.v1": mobilisation.RecuseResponders(
        mobilisation=MOBILISATION, rosters=ROSTERS, department="D15"
    ),
    "mobilisation.muster.v1": mobilisation.Muster(
        mobilisation=MOBILISATION, rosters=ROSTERS, numbers=("LD-0042",), by="李敏", department="D15"
    ),
    "mobilisation.miss-muster.v1": mobilisation.MissMuster(mobilisation=MOBILISATION, rosters=ROSTERS),
    "mobilisation.drop.v1": mobilisation.DropResponder(mobilisation=MOBILISATION, number="LD-0042"),
    "mobilisation.stand-down.v1": mobilisation.StandDown(mobilisation=MOBILISATION, rosters=ROSTERS, by="李敏"),
    "mobilisation.review.v1": mobilisation.ReviewMobilisation(
        mobilisation=MOBILISATION, case=CASE, by="李敏", note=WORDS
    ),
    "mobilisation.recount-review.v1": mobilisation.RecountMobilisationReview(mobilisation=MOBILISATION),
    "mobilisation.miss-review.v1": mobilisation.MissMobilisationReview(mobilisation=MOBILISATION),
    "approval.open.v1": approval.OpenApproval(approval=APPROVAL, case=CASE),
    "approval.file-opinion.v1": approval.FileOpinion(
        approval=APPROVAL,
        case=CASE,
        item="land",
        by="officer-D16",
        opinion="object",
        legal_basis=LAW,
        conditions="改线绕开基本农田。",
        new_facts="新测绘显示占用基本农田。",
    ),
    "approval.request-material.v1": approval.RequestMaterial(
        approval=APPROVAL, case=CASE, item="land", by="officer-D16", pieces="勘测定界图、村民会议决议。"
    ),
    "approval.supply-material.v1": approval.SupplyMaterial(approval=APPROVAL, case=CASE, item="land", by="D27-1"),
    "approval.open-next-round.v1": approval.OpenNextRound(
        approval=APPROVAL, case=CASE, by="D27-1", remedied="已改线绕开基本农田。"
    ),
    "approval.miss-opinions.v1": approval.MissOpinions(approval=APPROVAL, round=1, town="445303100"),
    "approval.decide.v1": approval.DecideApproval(
        approval=APPROVAL, case=CASE, by="command-centre", decision="refused", reason="线路与规划冲突。"
    ),
    "approval.reach-milestone.v1": approval.ReachMilestone(
        approval=APPROVAL, case=CASE, milestone="project_approved", on=START, by="D27-1"
    ),
}

EDGE: Mapping[str, Struct] = {
    "report.submit.v1": edge.ReportLine(
        id="2026-000417",
        time=REPORTED,
        title="后山有人夜里挖矿",
        text="每晚十点以后有挖机声。",
        source="hotline-12345",
        reporter="4411",
        channel="hotline",
        town="LD",
        village="445303100201",
        place="后山",
        point=report.Point(112.01, 23.06, "GCJ-02"),
        appeal="tip",
        matter="401",
        anonymous=True,
        complained_of=("D17",),
        contact=report.Contact("张三", "13800000000"),
        attachments=(
            edge.Attachment(
                name="a.jpg", media_type="image/jpeg", sha256="0a" * 32, path="a.jpg", data=b"\xff\xd8\xff"
            ),
        ),
    ),
    "report.received.v1": edge.ReportReceived(
        record="2026-000417", receipt="LD4K7M2XQ9TRA", report=REPORT, repeated=True
    ),
    "request.not-taken.v1": edge.RequestNotTaken(
        kind="malformed", reason="village: expected a village or a town of the district, found neither", event="A-1"
    ),
    "act.decided.v1": edge.ActDecided(
        status="rejected", reason="expected an open part, found it filed", facts=1, repeated=True, event="A-2"
    ),
    "leg.called.v1": edge.LegCalled(
        call=CALL,
        case=CASE,
        town="445303100",
        village="445303100201",
        platform="P4",
        department="D15",
        role="lead",
        required=True,
        matter="401",
        matter_zh="非法采矿",
        handling_class="U1",
        level="town",
        attempt=2,
        called_at=CALLED,
        acknowledge=case.Due(by=SOON, rule="U1: 30min", provisional=True),
        result=case.Due(by=LATER, rule="U1: 24h"),
        arrive=case.Due(by=SOON, rule="U1: 30min"),
        contact=case.Due(by=SOON, rule="U1: 15min"),
        link=f"http://127.0.0.1:8765/console/index.html#case/{CASE}",
    ),
    "call.acknowledge.v1": edge.Acknowledge(call=CALL, by="officer-D15", department="D15"),
    "call.report-in.v1": edge.ReportedIn(call=CALL, by="officer-D15", department="D15", people=20),
    "call.contact-reporter.v1": edge.Contacted(call=CALL, by="officer-D15", department="D15"),
    "call.note.v1": edge.Note(call=CALL, by="officer-D15", department="D15", note="已到现场，正在取证。"),
    "call.file-result.v1": edge.Result(
        call=CALL,
        by="officer-D15",
        department="D15",
        solved="yes",
        account="查获挖机一台。",
        reply="已查处，现场已恢复。",
    ),
    "words.open.v1": edge.OpenWords(call=CALL, by="officer-D15", department="D15"),
    "words.opened.v1": edge.WordsOpened(
        call=CALL,
        case=CASE,
        reports=(
            edge.OpenedReport(
                receipt="LD4K7M2XQ9TRA",
                record="2026-000417",
                channel="hotline",
                reported_at=REPORTED,
                title="后山有人夜里挖矿",
                text="每晚十点以后有挖机声。",
                place="后山",
                village="445303100201",
                point=report.Point(112.01, 23.06, "GCJ-02"),
                contact=report.Contact("张三", "13800000000"),
                anonymous=True,
                attachments=(report.AttachmentNote("a.jpg", "image/jpeg", "0a" * 32, 3),),
                erased=True,
            ),
        ),
        event="A-3",
    ),
    "responders.called.v1": edge.TurnOutCalled(
        mobilisation=MOBILISATION,
        case=CASE,
        town="445303100",
        village="445303100201",
        platform="P4",
        department="D15",
        matter="401",
        matter_zh="非法采矿",
        numbers=("LD-0042",),
        min_people=20,
        called_at=CALLED,
        muster=AGAIN,
        link="http://127.0.0.1:8765/console/#case=" + CASE,
    ),
    "responders.released.v1": edge.TurnOutReleased(
        mobilisation=MOBILISATION,
        case=CASE,
        town="445303100",
        department="D15",
        numbers=("LD-0042",),
        why="recused",
    ),
    "mobilisation.confirm.v1": edge.Confirm(
        mobilisation=MOBILISATION, by="李敏", department="D15", numbers=("LD-0042",)
    ),
    "mobilisation.decline.v1": edge.Decline(
        mobilisation=MOBILISATION, by="李敏", department="D15", number="LD-0042", ground="ill"
    ),
    "mobilisation.muster.v1": edge.MusteredIn(
        mobilisation=MOBILISATION, by="李敏", department="D15", numbers=("LD-0042",)
    ),
    "case.news.v1": edge.CaseNews(
        receipt="LD4K7M2XQ9TRA", record="2026-000417", stage="published", at=LATER, note="已查处，现场已恢复。"
    ),
}


def contents() -> dict[str, bytes]:
    """What each golden file holds: the bytes of the log, a timer or a message, and the same for people to read."""
    files: dict[str, bytes] = {}
    for name, fact in FACTS.items():
        files[f"{name}.msgpack"] = CATALOG.encode(META, fact)
        files[f"{name}.json"] = _readable(fact)
    for tag, request in REQUESTS.items():
        files[f"{tag}.request.msgpack"] = CATALOG.encode_request(request)
        files[f"{tag}.request.json"] = _readable(request)
    for name, message in EDGE.items():
        files[f"{name}.edge.msgpack"] = msgspec.msgpack.encode(message)
        files[f"{name}.edge.json"] = _readable(message)
    return files


def _readable(sample: Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(sample), indent=2) + b"\n"


def write_missing() -> list[str]:
    """Write the files that do not exist yet; gives their names."""
    missing = {name: content for name, content in contents().items() if not (GOLDEN / name).exists()}
    for name, content in missing.items():
        (GOLDEN / name).write_bytes(content)
    return sorted(missing)


if __name__ == "__main__":
    for written in write_missing():
        print(written)
