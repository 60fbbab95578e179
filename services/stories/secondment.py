"""借调: who has served too short a time stays, and who is lent goes in the right order, for six months at most."""

from datetime import timedelta

from services.people.person import midnight
from services.rules.limits import add_months
from services.stories.stage import Proof, Stage, Story

TOWN = "ZA"
BUREAU = "区自然资源局"
STAYS, GOES = "ZA-0161", "ZA-0162"
MUSTERS = 2
"""So many joint turn-outs there are while the second officer is lent, on the first day and after the last."""


class Lent(Proof, frozen=True):
    """Which rule refused, whether consent and approval opened the way, and whether the late return was noticed."""

    refused_23_months: str
    accepted_25_months: bool
    refused_7_month_term: str
    absent_from_musters: int
    overdue_alarm: bool

    @property
    def held(self) -> bool:
        """Whether each rule refused what it has to, nobody lent was called to a scene, and the alarm came."""
        return (
            self.refused_23_months == "R-SEC-1"
            and self.accepted_25_months
            and self.refused_7_month_term == "R-SEC-4"
            and self.absent_from_musters == MUSTERS
            and self.overdue_alarm
        )


def play(stage: Stage) -> Lent:
    """A land officer of 23 months is refused; one of 25 months is lent for half a year and comes back late."""
    town = stage.town(TOWN)
    committee, personnel = stage.seat("town_committee", town=town), stage.seat("personnel")
    approver = stage.seat("personnel", colleague="approver")
    start = stage.now.date() + timedelta(days=7)

    def register(number: str, name: str, months: int) -> None:
        about = {"employer": BUREAU, "town": town, "department": "D16", "party_relation": "town_committee"}
        since = add_months(start, -months).isoformat()
        stage.act(personnel, "person.register", number=number, name=name, since=since, **about)

    def request(number: str, months: int) -> str:
        days = {"start": start.isoformat(), "back": add_months(start, months).isoformat()}
        return stage.attempt(personnel, "person.request-secondment", number=number, to=BUREAU, **days).reason

    register(STAYS, "甲", months=23)
    register(GOES, "乙", months=25)
    stage.tell("Two officers of the land office (国土所) are on the town's register: 23 and 25 months of service")
    refused_short = request(STAYS, 6)
    stage.tell(f"The bureau asks for the first: {refused_short}")
    refused_long = request(GOES, 7)
    stage.tell(f"It asks for the second for seven months: {refused_long}")
    request(GOES, 6)
    too_early = stage.attempt(approver, "person.approve-secondment", number=GOES).reason
    stage.tell(f"For six months it may ask. Personnel would approve at once: {too_early}")
    stage.act(committee, "person.consent-to-secondment", number=GOES)
    stage.act(approver, "person.approve-secondment", number=GOES)
    stage.tell("The town's Party committee consents (镇党委同意), then district personnel approve (区人事部门批准)")
    stage.wait_until(midnight(start))
    accepted = bool(stage.happened("person.secondment-started"))
    called = [_turn_out(stage)]
    stage.tell("At midnight of the first day the officer is out of every pool: a tip of illegal mining calls the other")
    back = add_months(start, 6)
    stage.wait_until(midnight(back + timedelta(days=1)))
    overdue = bool(stage.happened("person.secondment-overdue"))
    called.append(_turn_out(stage))
    stage.tell("The day of return is over and nobody has recorded the return: the alarm (逾期未归)")
    stage.wait_until(midnight(back + timedelta(days=3)))
    stage.act(committee, "person.end-secondment", number=GOES)
    back_in_pools = _turn_out(stage)
    stage.tell(f"The officer is back, late, and called with the next turn-out: {', '.join(sorted(back_in_pools))}")
    absent = sum(STAYS in numbers and GOES not in numbers for numbers in called) * (GOES in back_in_pools)
    return Lent(_rule(refused_short), accepted, _rule(refused_long), absent, overdue)


def _turn_out(stage: Stage) -> set[str]:
    """Whom a tip of illegal mining calls to the scene just now; they are let go again at once."""
    handed = stage.report("有人挖矿", "后山有挖掘机。", town=TOWN, matter="401", anonymous=True)
    sql = 'SELECT number FROM responders JOIN mobilisations USING (mobilisation) WHERE "case" = :case'
    called = {row["number"] for row in stage.ask(sql, case=handed.case)}
    stage.act(stage.seat("command_centre", town=stage.town(TOWN)), "mobilisation.stand-down", case=handed.case)
    return called


def _rule(refusal: str) -> str:
    return refusal.partition(":")[0]


STORY = Story("secondment", "who may be lent, in which order, for how long", play)
