"""修路: a village's wish and its neighbours' reports become one road, approved in a week, permitted within a month."""

from datetime import date, datetime, timedelta
from typing import Any

from services.people.person import midnight
from services.rules.calendar import SHANGHAI
from services.stories.stage import Handed, Proof, Stage, Story
from services.stories.strips import two_strips

TOWN = "ZA"
LEAD = "D27"
PROJECT_DAYS, PERMIT_DAYS = 7, 30

WISH = ("申请修建进村道路", "村道只有三米宽，两车相遇要倒车，果子运不出去，村里想修一条新路，请镇里帮助立项。")
NEIGHBOURS = (
    ("盼了多年的一件事", "从我们组到圩镇，下雨天老人小孩出门不方便，盼着早点有个说法。"),
    ("出门绕远", "进组的土路一下雨就过不了车，大家都绕着走，希望早点有个说法。"),
)
AGREE_ON = {"village-land": 1, "transport": 2, "agriculture": 2, "planning": 3, "finance": 3}
"""On which day after the asking each of those agrees who have nothing against it."""


class Road(Proof, frozen=True):
    """How many days from the wish to the project and to all permits, and who spoke, joined and was told."""

    project_approved_days: int
    permits_days: int
    opinions: int
    linked_reports: int
    disclosed: int

    @property
    def held(self) -> bool:
        """Whether the project was approved within a week and permitted within a month, for everybody who asked."""
        return (
            0 <= self.project_approved_days <= PROJECT_DAYS
            and 0 <= self.permits_days <= PERMIT_DAYS
            and self.linked_reports == len(NEIGHBOURS)
            and self.opinions > len(AGREE_ON)
            and self.disclosed == 1
        )


def play(stage: Stage) -> Road:
    """A road from the wish to the traffic: one round with a silent department and an objection, and a second."""
    town = stage.town(TOWN)
    village = next(known.code for known in stage.rules.district.villages if known.town == town)
    wish = stage.report(*WISH, village=village, channel="village", matter="601", reporter="village")
    stage.tell(
        "A village reports its wish for a road (群众上报); the town calls everybody whom a road needs (乡镇呼叫)"
    )
    _join_neighbours(stage, wish, town, village)
    _acknowledge(stage, wish)
    began = stage.now.astimezone(SHANGHAI).date()
    asked = stage.ask('SELECT * FROM approvals WHERE "case" = :case ORDER BY item', case=wish.case)
    departments = ", ".join(row["department"] for row in asked)
    due = datetime.fromisoformat(asked[0]["due"]).astimezone(SHANGHAI)
    stage.tell(f"{len(asked)} opinions are asked for at once, of {departments}, all due on {due:%Y-%m-%d}")
    _first_round(stage, wish, began)
    _second_round(stage, wish)
    _finish(stage, wish, town)
    _build(stage, wish)
    return _shown(stage, wish)


def _join_neighbours(stage: Stage, wish: Handed, town: str, village: str) -> None:
    """Their words are not certain enough; a clerk finds that they tell of the same road."""
    clerk = stage.seat("intake_clerk", town=town)
    for nth, (title, words) in enumerate(NEIGHBOURS, start=1):
        stage.wait_until(stage.now + timedelta(minutes=20))
        handed = stage.report(title, words, village=village, reporter=f"neighbour-{nth}")
        stage.act(clerk, "case.join-report", case=wish.case, report=handed.report)
    stage.tell(f"{len(NEIGHBOURS)} neighbours tell of the same road: a clerk joins them (并案), each with a receipt")


def _acknowledge(stage: Stage, wish: Handed) -> None:
    stage.wait_until(stage.now + timedelta(hours=1))
    for leg in _legs(stage, wish):
        officer = stage.seat("department_officer", town=leg["town"], department=leg["department"])
        stage.act(officer, "call.acknowledge", call=leg["call"], department=leg["department"])
        if leg["role"] == "lead":
            stage.act(officer, "call.contact-reporter", call=leg["call"], department=leg["department"])


def _first_round(stage: Stage, wish: Handed, began: date) -> None:
    """One department lacks something, one objects, one says nothing."""
    _at(stage, began + timedelta(days=1))
    _of_item(stage, wish, "land", "approval.request-material", pieces="勘测定界图、村民会议决议、占补平衡方案。")
    stage.tell("The land office says at once everything that it lacks (一次性告知); the due time stays where it is")
    for days in sorted(set(AGREE_ON.values())):
        _at(stage, began + timedelta(days=days))
        for item in (item for item, day in AGREE_ON.items() if day == days):
            _of_item(stage, wish, item, "approval.file-opinion", opinion="agree")
    _at(stage, began + timedelta(days=3))
    clerk = stage.seat("village_clerk", town=_case(stage, wish)["town"], village=_case(stage, wish)["village"])
    stage.act(clerk, "approval.supply-material", case=wish.case, item="land")
    stage.tell("The village hands in what was lacking (补正)")
    _at(stage, began + timedelta(days=4))
    _reach(stage, wish, "project_approved")
    stage.tell(f"The project is approved (立项), {_days(stage, wish, 'project_approved')} days after the wish")
    _at(stage, began + timedelta(days=8))
    _of_item(
        stage,
        wish,
        "land",
        "approval.file-opinion",
        opinion="object",
        legal_basis="《中华人民共和国土地管理法》第四十四条",
        conditions="线路占用永久基本农田，应向北改线。",
    )
    stage.tell("The land office objects, naming the law and what would remedy it")
    stage.wait_until(_round_due(stage, wish))
    (missed,) = stage.ask('SELECT * FROM approvals WHERE "case" = :case AND missed', case=wish.case)
    stage.tell(
        f"Nothing of {missed['department']} on {missed['item']} at the due time: that is no consent,"
        f" and {missed['told_post']} {missed['told_person']} is told"
    )


def _second_round(stage: Stage, wish: Handed) -> None:
    """Only what was objected to or not answered is asked again."""
    stage.wait_until(stage.now + timedelta(hours=16))
    lead = _lead(stage, wish)
    stage.act(lead, "approval.open-next-round", case=wish.case, remedied="线路已向北改移，不再占用永久基本农田。")
    asked = stage.ask('SELECT item FROM approvals WHERE "case" = :case AND round = 2 ORDER BY item', case=wish.case)
    stage.tell(f"The route is changed, and asked again is only: {', '.join(row['item'] for row in asked)}")
    stage.wait_until(stage.now + timedelta(days=2))
    _of_item(stage, wish, "forestry", "approval.file-opinion", opinion="agree")
    _of_item(
        stage,
        wish,
        "land",
        "approval.file-opinion",
        opinion="agree_with_conditions",
        conditions="施工时剥离利用耕作层土壤。",
    )
    stage.act(lead, "approval.decide", case=wish.case, decision="granted")
    stage.wait_until(stage.now + timedelta(days=4))
    _reach(stage, wish, "permits_complete")
    stage.tell(f"All permits are there (审批完成), {_days(stage, wish, 'permits_complete')} days after the wish")


def _finish(stage: Stage, wish: Handed, town: str) -> None:
    """Results, review, every reporter asked, and the outcome published."""
    for leg in sorted(_legs(stage, wish), key=lambda leg: leg["role"] == "lead"):
        if not leg["required"]:
            continue
        officer = stage.seat("department_officer", town=leg["town"], department=leg["department"])
        reply = {"reply": "进村道路已立项，各项审批手续已办结。"} if leg["role"] == "lead" else {}
        about = {"call": leg["call"], "department": leg["department"]}
        stage.act(officer, "call.file-result", **about, solved="yes", account="意见已出具。", **reply)
    stage.act(stage.seat("reviewer", town=town), "case.approve-result", case=wish.case)
    clerk = stage.seat("follow_up_clerk", town=town)
    reports = stage.ask('SELECT report FROM reports WHERE "case" = :case ORDER BY report', case=wish.case)
    for row in reports:
        answer = {"report": row["report"], "contacted": True, "solved": True, "satisfied": True}
        stage.act(clerk, "case.follow-up", case=wish.case, **answer)
    stage.act(stage.seat("privacy_officer"), "outcome.publish", case=wish.case)
    stage.tell(f"All {len(reports)} who reported were asked (回访), and everybody may read what came of it (结果公开)")


def _build(stage: Stage, wish: Handed) -> None:
    """What comes after the paper; the case is long closed."""
    _at(stage, stage.now.astimezone(SHANGHAI).date() + timedelta(days=5))
    _reach(stage, wish, "works_begun")
    stage.tell("Works have begun (开工)")
    _at(stage, date(stage.now.year, 12, 18))
    _reach(stage, wish, "open_to_traffic")
    stage.tell("At the end of the year the road is open (通行)")


def _shown(stage: Stage, wish: Handed) -> Road:
    return Road(
        project_approved_days=_days(stage, wish, "project_approved"),
        permits_days=_days(stage, wish, "permits_complete"),
        opinions=len(stage.happened("approval.opinion-filed")),
        linked_reports=len(stage.happened("case.report-linked", wish.case)),
        disclosed=len(stage.ask('SELECT * FROM notices WHERE "case" = :case AND phase = :is', **_published(wish))),
    )


def _published(wish: Handed) -> dict[str, Any]:
    return {"case": wish.case, "is": "published"}


def _days(stage: Stage, wish: Handed, milestone: str) -> int:
    """Calendar days from the wish to a milestone."""
    wished = datetime.fromisoformat(_case(stage, wish)["reported_at"]).astimezone(SHANGHAI).date()
    (reached,) = (fact for fact in stage.happened("approval.milestone-reached") if fact.milestone == milestone)
    return int((reached.on - wished).days)


def _reach(stage: Stage, wish: Handed, milestone: str) -> None:
    today = stage.now.astimezone(SHANGHAI).date().isoformat()
    stage.act(_lead(stage, wish), "approval.reach-milestone", case=wish.case, milestone=milestone, on=today)


def _of_item(stage: Stage, wish: Handed, item: str, act: str, **fields: Any) -> None:
    """The department that is asked about an item does something about it."""
    sql = 'SELECT town, department FROM approvals WHERE "case" = :case AND item = :item LIMIT 1'
    (asked,) = stage.ask(sql, case=wish.case, item=item)
    officer = stage.seat("department_officer", town=asked["town"], department=asked["department"])
    stage.act(officer, act, case=wish.case, item=item, **fields)


def _lead(stage: Stage, wish: Handed) -> Any:
    return stage.seat("department_officer", town=_case(stage, wish)["town"], department=LEAD)


def _legs(stage: Stage, wish: Handed) -> list[dict[str, Any]]:
    return stage.ask('SELECT * FROM legs WHERE "case" = :case ORDER BY department', case=wish.case)


def _case(stage: Stage, wish: Handed) -> dict[str, Any]:
    return stage.ask('SELECT * FROM cases WHERE "case" = :case', case=wish.case)[0]


def _round_due(stage: Stage, wish: Handed) -> datetime:
    (row,) = stage.ask('SELECT due FROM approval_rounds WHERE "case" = :case', case=wish.case)
    return datetime.fromisoformat(row["due"])


def _at(stage: Stage, day: date) -> None:
    """Ten in the morning of a day, unless it is later already."""
    moment = midnight(day) + timedelta(hours=10)
    if moment > stage.now:
        stage.wait_until(moment)


def page(stage: Stage) -> str:
    """The road's strip beside that of a road before the reform."""
    (opened,) = stage.ask('SELECT DISTINCT "case" FROM approval_rounds')
    return two_strips(stage, opened["case"])


STORY = Story("road", "a road from a village's wish through one round of approval to the traffic", play, page)
