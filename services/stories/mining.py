"""非法采矿: an anonymous tip at night calls seven departments of two platforms at once, and twenty people turn out."""

from datetime import datetime, timedelta
from typing import Any

from services.people.person import midnight
from services.stories.stage import Handed, Proof, Stage, Story

TOWN, MATTER, NEEDED, WITHIN_MIN = "SC", "401", 20, 15
STAFF = {"D15": 6, "D16": 2, "D08": 5, "D18": 3, "D19": 2, "D17": 1, "D11": 3, "D20": 2, "D06": 4}
"""How many people the departments have. Those with one or two could never do it alone (1到2个人)."""

TIP = "养蜂场后面的山坳里夜里有挖掘机挖矿，三辆车往外拉，我每晚从窗口都看得见。"
GIVES_AWAY = ("养蜂场", "窗口都看得见")
"""Words of the tip by which the party reported would know who told."""

COMES_AFTER_MIN = {"D15": 12, "D08": 14, "D16": 18, "D11": 19, "D18": 22, "D19": 24, "D17": 26}
CANNOT_COME = 3


class Contained(Proof, frozen=True):
    """How many were called and how fast they answered, who came, and whether anything tells of the informant."""

    legs: int
    platforms: int
    slowest_acknowledgement_min: float
    mustered: int
    informant_leaks: int
    closed: bool

    @property
    def held(self) -> bool:
        """Seven of two platforms, all within a quarter of an hour, twenty people on the spot, nobody given away."""
        return (
            (self.legs, self.platforms) == (7, 2)
            and self.slowest_acknowledgement_min <= WITHIN_MIN
            and self.mustered >= NEEDED
            and self.informant_leaks == 0
            and self.closed
        )


def play(stage: Stage) -> Contained:
    """From the tip to the closed case."""
    town = stage.town(TOWN)
    _people(stage, town)
    stage.wait_until(midnight(stage.now.date()) + timedelta(hours=23, minutes=40))
    handed = stage.report("有人夜里挖矿", TIP, town=TOWN, matter=MATTER, anonymous=True, channel="hotline")
    legs = stage.ask('SELECT * FROM legs WHERE "case" = :case ORDER BY department', case=handed.case)
    platforms = {leg["platform"] for leg in legs}
    stage.tell(
        f"An anonymous tip: illegal mining. {len(legs)} departments of {len(platforms)} platforms are called at once"
    )
    turn_out = _turn_out(stage, handed)
    stage.tell(
        f"{turn_out['called']} people are called by name, {turn_out['min_people']} are needed; paperwork comes after"
    )
    _acknowledge(stage, handed, legs)
    _come(stage, handed, legs)
    _hand_in(stage, handed, legs)
    turn_out = _turn_out(stage, handed)
    stage.tell(f"The lead has reported; the {turn_out['mustered']} who were there may go (事不完、人不走)")
    stage.act(stage.seat("reviewer", town=town), "case.approve-result", case=handed.case)
    command = stage.seat("command_centre", town=town)
    stage.act(command, "mobilisation.review", case=handed.case, note="两小时内控制现场，扣押设备三台。")
    stage.wait_until(stage.now + timedelta(days=14))
    case = stage.ask('SELECT * FROM cases WHERE "case" = :case', case=handed.case)[0]
    stage.tell(f"Nobody can be asked, so the case is closed by the clock: {case['phase']}")
    return Contained(
        legs=len(legs),
        platforms=len(platforms),
        slowest_acknowledgement_min=_slowest(stage, handed),
        mustered=turn_out["mustered"],
        informant_leaks=stage.told_anywhere(GIVES_AWAY),
        closed=case["phase"] == "closed",
    )


def _people(stage: Stage, town: str) -> None:
    """The register of the town, one of them on leave tonight."""
    personnel = stage.seat("personnel")
    for department, many in STAFF.items():
        for n in range(1, many + 1):
            about = {"number": f"{TOWN}-{department}-{n}", "name": f"{department}队员{n}", "employer": "示例单位"}
            about |= {"town": town, "department": department, "since": "2020-01-06"}
            stage.act(personnel, "person.register", **about, party_relation="town_committee")
    night = midnight(stage.now.date()) + timedelta(hours=18)
    absence = {"start": night.isoformat(), "end": (night + timedelta(hours=14)).isoformat()}
    stage.act(
        stage.seat("command_centre", town=town), "roster.grant-leave", town=town, number=f"{TOWN}-D15-6", **absence
    )
    stage.tell(f"{sum(STAFF.values())} people of {len(STAFF)} departments are on the town's register; one is on leave")


def _acknowledge(stage: Stage, handed: Handed, legs: list[dict[str, Any]]) -> None:
    """Each department for itself: one's acknowledgement silences nobody else's clock."""
    called = stage.now
    for n, leg in enumerate(legs):
        stage.wait_until(called + timedelta(minutes=2 + 1.5 * n))
        officer = stage.seat("department_officer", town=leg["town"], department=leg["department"])
        stage.act(officer, "call.acknowledge", call=leg["call"], department=leg["department"])
    stage.tell(f"All {len(legs)} have acknowledged (签收), the slowest after {_slowest(stage, handed):.1f} minutes")


def _come(stage: Stage, handed: Handed, legs: list[dict[str, Any]]) -> None:
    """Departments report in with those who could come; what is lacking at the due time is called by itself."""
    ordered = datetime.fromisoformat(_turn_out(stage, handed)["ordered_at"])
    cannot = CANNOT_COME
    for leg in sorted(legs, key=lambda leg: COMES_AFTER_MIN[leg["department"]]):
        stage.wait_until(ordered + timedelta(minutes=COMES_AFTER_MIN[leg["department"]]))
        department = leg["department"]
        officer = stage.seat("department_officer", town=leg["town"], department=department)
        mine = _called(stage, handed, department)
        if department == "D08" and cannot:
            for number in mine[:cannot]:
                asked = {"case": handed.case, "department": department, "number": number}
                stage.act(officer, "mobilisation.decline", **asked, ground="on_other_duty")
            mine, cannot = mine[cannot:], 0
        if leg["arrive_due"]:
            stage.act(officer, "call.report-in", call=leg["call"], department=department, people=len(mine))
        stage.act(officer, "mobilisation.muster", case=handed.case, department=department, numbers=mine)
    stage.tell(f"{_turn_out(stage, handed)['mustered']} are on the spot (报到): everybody by name, nobody twice")
    stage.wait_until(ordered + timedelta(minutes=31))
    turn_out = _turn_out(stage, handed)
    stage.tell(f"Too few at the due time: the next pool is called by itself, {turn_out['called']} by now")
    stage.wait_until(ordered + timedelta(minutes=47))
    rest = _called(stage, handed)
    command = stage.seat("command_centre", town=legs[0]["town"])
    stage.act(command, "mobilisation.muster", case=handed.case, numbers=rest)
    stage.tell(f"{_turn_out(stage, handed)['mustered']} are there; the diggers are stopped and the pit is sealed off")


def _hand_in(stage: Stage, handed: Handed, legs: list[dict[str, Any]]) -> None:
    """Results, the lead's last."""
    for leg in sorted(legs, key=lambda leg: leg["role"] == "lead"):
        stage.wait_until(stage.now + timedelta(minutes=10))
        if stage.ask(
            "SELECT * FROM legs WHERE call = :call AND department = :department AND progress = 'released'", **_key(leg)
        ):
            continue
        officer = stage.seat("department_officer", town=leg["town"], department=leg["department"])
        reply = {"reply": "违法采挖已制止，设备已扣押，案件移送处理。"} if leg["role"] == "lead" else {}
        stage.act(officer, "call.file-result", **_key(leg), solved="yes", account="已到场处置。", **reply)


def _key(leg: dict[str, Any]) -> dict[str, Any]:
    return {"call": leg["call"], "department": leg["department"]}


def _turn_out(stage: Stage, handed: Handed) -> dict[str, Any]:
    return stage.ask('SELECT * FROM mobilisations WHERE "case" = :case', case=handed.case)[0]


def _called(stage: Stage, handed: Handed, department: str = "") -> list[str]:
    """Who is called and has not come, of one department or of all."""
    sql = "SELECT number FROM responders WHERE mobilisation = :mobilisation AND presence = 'called'"
    of_one = " AND department = :department" if department else ""
    wanted = {"mobilisation": _turn_out(stage, handed)["mobilisation"], "department": department}
    return [row["number"] for row in stage.ask(f"{sql}{of_one} ORDER BY number", **wanted)]


def _slowest(stage: Stage, handed: Handed) -> float:
    """How long the slowest department took to acknowledge, in minutes."""
    legs = stage.ask('SELECT called_at, acknowledged_at FROM legs WHERE "case" = :case', case=handed.case)
    return max(
        (datetime.fromisoformat(leg["acknowledged_at"]) - datetime.fromisoformat(leg["called_at"]))
        / timedelta(minutes=1)
        for leg in legs
    )


STORY = Story("mining", "an anonymous tip at night, and twenty people of two platforms on the spot", play)
