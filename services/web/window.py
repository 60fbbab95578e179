"""What the window shows of a house, without the web."""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cache
from threading import Lock
from time import monotonic
from typing import Any

import msgspec
from litestar.exceptions import HTTPException
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pypinyin import Style, pinyin

from events.envelope import Recorded
from events.private import Sealed
from projections.queries import Found, Questions
from projections.view import Row, moment_text
from services.acting import Acting, Asked
from services.command_centre import launch
from services.history import case_as_of, facts_of_case
from services.offering import Offering
from services.opening import Opening
from services.people.authority import PAGES, SEES_RESPONDERS, sights_of
from services.people.user import User
from services.reasons import explain, reasons_of_dues
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.runtime.clock import ScaledClock, SystemClock
from services.runtime.errors import Erased
from services.runtime.front import Front
from services.web.live import Live
from services.web.receipts import Receipts
from services.web.reports import Reports
from services.web.seats import Seats
from services.wiring import House

_COMMUNITY = re.compile("(社区)?居民委员会$")


_MORNINGS = timedelta(days=3660)
LONG_S, OLDEST = 0.2, 20
"""Counting that takes longer than so many seconds rests for so many times as long, and keeps nobody busy."""


class Window:
    """What the handlers need of the house."""

    def __init__(self, house: House, front: Front, healthy: Callable[[], bool], demo: bool) -> None:
        self.house, self.front, self.healthy, self.demo = house, front, healthy, demo
        self.questions = Questions(house.views.database)
        self.reports = Reports(house, front)
        self.acting, self.offering, self.opening = Acting(house), Offering(house), Opening(house)
        self.receipts = Receipts(house, front, self.questions, self.reply)
        self.seats = Seats(house, self.acting, SystemClock().now)
        self.live = Live(self.questions, self._shown_up_to, self.status)
        self._counting, self._count_after = Lock(), 0.0
        self._counted: dict[str, int] = {}
        self._replies: dict[tuple[str, bytes], str] = {}

    def seen_by(self, user: User) -> Questions:
        """Questions within the sight of a user."""
        return self.questions.within(sights_of(user))

    def status(self) -> dict[str, Any]:
        """How things stand as a whole."""
        position = self.house.log.head()
        return {
            **self.time(),
            "position": position,
            "lag": position - self._shown_up_to(),
            "parked": self.house.parked(),
            "figures": self.figures(),
        }

    def figures(self) -> dict[str, int]:
        """The key figures; where counting them takes long, as they stood at most `OLDEST` times as long ago."""
        with self._counting:
            began = monotonic()
            if began >= self._count_after:
                self._counted = self.questions.figures()
                spent = monotonic() - began
                self._count_after = monotonic() + (OLDEST * spent if spent > LONG_S else 0.0)
            return self._counted

    def _shown_up_to(self) -> int:
        """Where the slowest view stands that is served; one that is built for the first time shows nothing yet."""
        return min((position for position in self.house.views.positions().values() if position), default=0)

    def time(self) -> dict[str, Any]:
        """What time it is, and how fast it passes here."""
        clock = self.house.clock
        kind, speed = ("scaled", clock.speed) if isinstance(clock, ScaledClock) else ("system", 1.0)
        return {"now": clock.now().isoformat(), "clock": {"kind": kind, "speed": speed}}

    def catalogue(self) -> dict[str, Any]:
        """The names of everything, for screens."""
        district = self.house.ledger.rules.district
        known = msgspec.to_builtins(district)
        matters = [
            {name: matter[name] for name in ("code", "zh", "en", "class", "lead")} for matter in known["matters"]
        ]
        parts = {name: known[name] for name in ("towns", "platforms", "departments", "duties")}
        parts["villages"] = [village | {"pinyin": _pinyin(village["zh"])} for village in known["villages"]]
        items = [item for asked in district.approvals for item in asked.items]
        parts["items"] = [{"code": item.code, "zh": item.zh, "en": item.en} for item in items]
        parts["hours"] = [[f"{at:%H:%M}" for at in slot] for slot in district.calendar.hours]
        about = {"code": district.code, "zh": district.zh, "en": district.en, "note": district.note}
        return {
            "demo": self.demo,
            **self.time(),
            "district": about,
            **parts,
            "matters": matters,
        }

    def case(self, case: str, user: User, position: int = 0) -> dict[str, Any]:
        """Everything about one case, with the reasons, and what ``user`` could do about it now.

        With a ``position`` in the log: as it stood there, when nobody can do anything about it any more.
        """
        found = self.seen_by(user).case(case)
        if found is None:
            raise HTTPException(f"case: expected a known case, found none with id {case!r}", status_code=404)
        log = self.house.log
        facts = facts_of_case(log, case, position or log.head())
        if position:
            now, found, acts = facts[-1].meta.recorded_at if facts else None, _as_it_was(facts, case), []
            turn_out = None
        else:
            turn_out = self._turn_out(user, case)
            now, acts = self.house.clock.now(), self.offering.possible(user, {**found, "turn_out": turn_out})
        if now is None or not found:
            raise HTTPException(f"position: expected one after the case began, found {position}", status_code=404)
        found = {**found, "reports": [_without_receipt(report) for report in found["reports"]]}
        reasons = {"explain": explain(log, facts), "dues": msgspec.to_builtins(reasons_of_dues(facts))}
        return {"now": now.isoformat(), **found, **reasons, "turn_out": turn_out, "acts": acts}

    def _turn_out(self, user: User, case: str) -> Found | None:
        """联合出动: the count for all who see the case, the names for those who command or send people."""
        found = self.seen_by(user).turn_out(case)
        if found is None or not set(user.roles) & SEES_RESPONDERS:
            return found
        return {**found, "responders": self.questions.responders(found["mobilisation"])}

    def morning(self, user: User, town: str, day: date | None) -> dict[str, Any]:
        """值班日报 of ``day``, else of today: the night's cases and missed clocks, what is due, who is on duty."""
        rules, now = self.house.ledger.rules, self.house.clock.now()
        if town not in rules.units:
            raise HTTPException(f"town: expected one of the district's, found {town[:20]!r}", status_code=404)
        today = day or now.astimezone(SHANGHAI).date()
        if abs(today - now.astimezone(SHANGHAI).date()) > _MORNINGS:
            raise HTTPException(f"day: expected one within {_MORNINGS.days} days, found {today}", status_code=400)
        since, opens = rules.calendar.night_before(today)
        until = min(opens, now)
        ends = datetime.combine(today + timedelta(days=1), time(), SHANGHAI)
        duties = self.acting.on_duty(town, now)
        shown = {"town": town, "day": f"{today}", "now": now.isoformat(), "since": since.isoformat()}
        shown |= {"until": until.isoformat()}
        return {**shown, "duties": duties, **self.seen_by(user).night(town, since, until, ends)}

    def inbox(self, user: User) -> list[Found]:
        """What a department owes, the most urgent first, each with what its officer could do now."""
        seen = self.seen_by(user)
        rows = seen.owing(self.house.clock.now(), (), user.unit.department)
        return [row | {"acts": self.offering.possible_of_call(user, row["call"])} for row in rows]

    def at_district(self, user: User) -> list[Found]:
        """区级工作台: attempts that wait for a waiver, then cases at the district, each with what the user could do."""
        found = self.seen_by(user).at_district()
        return [
            row
            | {"owner": "district", "owes": owes, "since": row["called_at"], "due": row["result_due"]}
            | {"acts": self._acts(user, row["case"])}
            for owes, rows in found.items()
            for row in rows
        ]

    def in_village(self, user: User) -> list[Found]:
        """村级工作台: what waits in the user's village, the most urgent first, each with what the user could do."""
        rows = self.seen_by(user).owing(self.house.clock.now(), ("village",))
        return [row | {"acts": self._acts(user, row["case"])} for row in rows]

    def _acts(self, user: User, case: str) -> list[Asked]:
        return self.offering.possible(user, {"case": {"case": case}, "reports": (), "legs": ()})

    def people(self, user: User) -> list[Found]:
        """人员: the register of the user's town, or of all, each with steps of secondments and what could be done."""
        possible, steps = self.offering.possible_of_person, defaultdict(list)
        rows = self.questions.people(user.unit.town)
        for step in self.questions.secondments(user.unit.town):
            steps[step["person"]].append(step)
        return [
            row | {"steps": steps[row["person"]], "acts": possible(user, row["number"]) if row["secondment"] else []}
            for row in rows
        ]

    def turn_outs(self, user: User) -> dict[str, Any]:
        """集结板: turn-outs under way in the user's sight, with the names and the roster that the user may see."""
        rows, questions = self.seen_by(user).turn_outs(), self.questions
        if set(user.roles) & SEES_RESPONDERS:
            rows = [row | {"responders": questions.responders(row["mobilisation"])} for row in rows]
        keeps = user.unit.town and set(user.roles) & set(PAGES["roster"])
        return {"rows": rows, "people": questions.roster(user.unit.town) if keeps else None}

    def launch_list(self, user: User) -> dict[str, Any]:
        """启动清单: the list in force, the newest that waits, and the refusals that feed the next, with a bureau."""
        rules, now, lists = self.house.ledger.rules, self.house.clock.now(), self.house.state(launch.STREAM)
        in_force, newest = launch.in_force(lists, now, rules), lists.published[-1] if lists else None
        waits = newest is not None and newest.version > in_force.version
        refused = self.seen_by(user).refused_launches()
        return {
            "now": now.isoformat(),
            "in_force": msgspec.to_builtins(in_force),
            "waiting": msgspec.to_builtins(newest) if waits else None,
            "version": newest.version if newest else 0,
            "earliest": f"{launch.earliest(lists, now)}",
            "refused": [row | {"bureau": _bureau_of(row["matter"], rules)} for row in refused],
        }

    def party_organisations(self, user: User) -> list[Found]:
        """平台党组织 of the user's town, or of all."""
        rules = self.house.ledger.rules
        platform_of = {code: department.platform for code, department in rules.departments.items()}
        today = self.house.clock.now().astimezone(SHANGHAI).date()
        return self.questions.party_organisations(platform_of, today, user.unit.town)

    def roster(self, user: User, town: str) -> dict[str, Any]:
        """值班表: who of the user's own town, or of any, is there, on duty and free; and the hours without cover."""
        wanted = user.unit.town or town
        if wanted not in self.house.ledger.rules.units:
            raise HTTPException(f"town: expected one of the district's, found {wanted[:20]!r}", status_code=404)
        now, questions = self.house.clock.now(), self.questions
        parts = {"people": questions.roster(wanted), "shifts": questions.shifts(wanted, now)}
        parts["gaps"] = questions.gaps(wanted, now)
        return {"town": wanted, "now": now.isoformat(), "duties": self.acting.on_duty(wanted, now), **parts}

    def notices(self, town: str, limit: int) -> list[Found]:
        """Published notices, newest first: what everybody may read."""
        names = ("matter", "town", "village", "decided_at")
        return [
            {name: row[name] for name in names} | {"reply": self.reply(row["reply"])}
            for row in self.questions.published(town, limit)
        ]

    def reply(self, stored: bytes | None) -> str | None:
        """A published reply; that the public reads it is recorded once, not each time."""
        if stored is None:
            return None
        box = msgspec.msgpack.decode(stored, type=Sealed)
        key = (box.key, bytes(box.box))
        if self.house.vault.is_erased(box.key):
            self._replies.pop(key, None)
            return None
        if key not in self._replies:
            try:
                self._replies[key] = self.house.vault.open(
                    box, str, "public", "published notice", self.house.clock.now()
                )
            except Erased:
                return None
        return self._replies[key]

    def metrics(self) -> bytes:
        """The figures as Prometheus reads them."""
        registry = CollectorRegistry()
        status = self.status()
        figures = Gauge("hujiao_figure", "How much there is of each thing that is counted.", ["of"], registry=registry)
        for name, value in status["figures"].items():
            figures.labels(of=name).set(value)
        Gauge("hujiao_log_position", "Position of the newest fact.", registry=registry).set(status["position"])
        Gauge("hujiao_view_lag", "Facts that the slowest view has not seen.", registry=registry).set(status["lag"])
        Gauge("hujiao_parked", "Facts and requests that wait for an operator.", registry=registry).set(status["parked"])
        return generate_latest(registry)


def _bureau_of(matter: str, rules: RuleBook) -> str:
    """The bureau that would lead at the district, as far as the configuration names one that there is."""
    code = rules.matters[matter].district_lead if matter in rules.matters else ""
    return code if rules.bureau(code) is not None else ""


@cache
def _pinyin(name: str) -> str:
    """How a name is spelled in pinyin, a syllable for each sign; with ``/`` between where there are several ways."""
    short = _COMMUNITY.sub("社区", name).replace("村民委员会", "村")
    spelled = pinyin(short, style=Style.NORMAL, heteronym=True)
    return " ".join("/".join(dict.fromkeys(ways)) for ways in spelled)


def _without_receipt(report: Found) -> Found:
    """A report as desks see it: whoever holds its receipt is its reporter, and nobody else answers for them."""
    return {name: value for name, value in report.items() if name != "receipt"}


def _as_it_was(facts: list[Recorded], case: str) -> dict[str, Any]:
    """What `Questions.case` would have found when these facts were all there was; empty before the case began."""
    rows = {view: [_plain(row) for row in found] for view, found in case_as_of(facts).items()}
    own = [row for row in rows["cases"] if row["case"] == case]
    of_approval = ("approvals", "approval_rounds", "milestones")
    parts = ("reports", "calls", "legs", "files", "board", "recusals", "timeline", *of_approval)
    return {"case": own[0], **{part: rows[part] for part in parts}} if own else {}


def _plain(row: Row) -> dict[str, Any]:
    return {name: moment_text(value) if isinstance(value, datetime) else value for name, value in row.items()}
