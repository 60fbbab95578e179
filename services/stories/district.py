"""向区呼叫: off the launch list a town is refused; waived it may, and it tracks the case to the end."""

from datetime import timedelta

from events.ids import district_call_of
from projections.queries import Questions
from services.people.authority import sights_of
from services.people.user import User
from services.stories.stage import Proof, Stage, Story

TOWN = "ZA"
MATTER = "203"
"""Noise, which no launch list of the sample names."""
BUREAU = "B03"


class Tracked(Proof, frozen=True):
    """Whether the list refused and the waiver opened the way, and which town tracked the case until it was closed."""

    refused_off_list: bool
    waived: bool
    tracked_by: str

    @property
    def held(self) -> bool:
        """Whether the town was refused first and let through then, and saw the case to its end."""
        return self.refused_off_list and self.waived and self.tracked_by == TOWN


def play(stage: Stage) -> Tracked:
    """A noise from beyond the town's border: the town asks the district off the list, then by its leader's waiver."""
    town, district = stage.town(TOWN), stage.rules.district.code
    village = next(known.code for known in stage.rules.district.villages if known.town == town)
    centre, leader = stage.seat("command_centre", town=town), stage.seat("district_leader")
    reviewer, clerk = stage.seat("reviewer", town=town), stage.seat("follow_up_clerk", town=town)
    about = {"village": village, "matter": MATTER, "reporter": "resident-1"}
    handed = stage.report("夜里歌厅太吵", "镇界那边的歌厅天天唱到半夜。", **about)
    case = handed.case
    stage.tell("A resident of Zhen'an cannot sleep: a karaoke hall beyond the town's border. The town calls its police")

    def call_district() -> str:
        asked = {"condition": "cross_town", "evidence": "歌厅在邻镇，本镇派出所无权处理。"}
        return stage.attempt(centre, "case.call-district", case=case, **asked).reason

    refused = call_district()
    stage.tell(f"The town calls the district. It is refused: {refused}")
    stage.wait_until(stage.now + timedelta(minutes=20))
    stage.act(leader, "case.grant-launch-waiver", case=case, bureau=BUREAU, reason="涉及两镇，同意一次。")
    stage.tell("The district's duty leader waives it, once and for the public security bureau (区值班领导特批)")
    call_district()
    stage.tell("The same call again: the district's platform calls the bureau, and the town's police go on leading")
    _work(stage, case, "D08", town, lead=True)
    stage.tell("The town's police have done their part. The result waits for the bureau")
    stage.wait_until(stage.now + timedelta(hours=3))
    _work(stage, case, BUREAU, district)
    stage.tell("The bureau has acknowledged, come and filed; a reviewer of the town looks at the result")
    stage.act(reviewer, "case.approve-result", case=case)
    stage.wait_until(stage.now + timedelta(days=1))
    asked = {"report": handed.report, "contacted": True, "solved": True, "satisfied": True}
    stage.act(clerk, "case.follow-up", case=case, **asked)
    tracker = _tracker(stage, centre, case)
    stage.tell("The resident sleeps, the case is closed, and the town has seen all of it")
    grounds = [fact.ground for fact in stage.happened("case.district-call-refused", case)]
    allowed = [fact.allowed for fact in stage.happened("case.district-called", case)]
    return Tracked("not_on_list" in grounds and "version 0" in refused, allowed == ["waived"], tracker)


def _work(stage: Stage, case: str, department: str, unit: str, *, lead: bool = False) -> None:
    """A department does all that it owes about its newest call of the case."""
    officer = stage.seat("department_officer", town=unit, department=department)
    legs = stage.ask(
        'SELECT "call", arrive_due FROM legs WHERE "case" = :case AND department = :department',
        case=case,
        department=department,
    )
    about = {"call": legs[-1]["call"], "department": department}
    stage.act(officer, "call.acknowledge", **about)
    if legs[-1]["arrive_due"]:
        stage.act(officer, "call.report-in", **about, people=3)
    reply = {"reply": "已责令歌厅停止夜间扰民。"} if lead else {}
    stage.act(officer, "call.file-result", **about, solved="yes", account="已处理。", **reply)


def _tracker(stage: Stage, centre: User, case: str) -> str:
    """The town that tracks the closed case, by its letters: one whose command centre sees also the bureau's part."""
    found = Questions(stage.house.views.database, sights_of(centre)).case(case)
    if found is None or found["case"]["phase"] != "closed":
        return ""
    seen = {leg["call"] for leg in found["legs"]}
    tracker = stage.rules.towns.get(found["case"]["tracker"])
    return tracker.alias if tracker and district_call_of(case, 1) in seen else ""


STORY = Story("district", "a town calls the district off the launch list, and tracks the case to its end", play)
