"""The rule book: one configuration of the district, indexed for decisions. Pure; built once per configuration."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from typing import get_args

from msgspec import msgpack, structs

from events.call import Leg
from events.case import CallPlan, Due, LegPlan
from events.district import (
    ApprovalTemplate,
    AskedItem,
    Department,
    District,
    Duty,
    HandlingClass,
    Limit,
    Matter,
    Milestone,
    Town,
    Village,
)
from events.ids import call_of
from events.report import Suggestion
from services.rules.calendar import WorkingCalendar
from services.rules.limits import after_due, due_by, half_of, recounted

CATCH_ALL = "999"
MILESTONES: tuple[Milestone, ...] = get_args(Milestone)


def configuration_hash(district: District) -> str:
    """What facts name a configuration by: twelve hexadecimal digits of the SHA-256 of its content."""
    return sha256(msgpack.encode(district)).hexdigest()[:12]


class RuleBook:
    """Everything a decision may ask of the configuration."""

    def __init__(self, district: District) -> None:
        self.district = district
        self.hash = configuration_hash(district)
        self.calendar = WorkingCalendar(district.calendar)
        self.towns: Mapping[str, Town] = {town.code: town for town in district.towns}
        self.units: Mapping[str, Town] = {unit.code: unit for unit in district.units}
        """Wherever platforms stand: the towns and the district itself."""
        self.villages: Mapping[str, Village] = {village.code: village for village in district.villages}
        self.matters: Mapping[str, Matter] = {matter.code: matter for matter in district.matters}
        self.departments = {department.code: department for department in district.departments}
        self.platforms = {platform.code: platform for platform in district.platforms}
        self.approvals: Mapping[str, ApprovalTemplate] = {asked.matter: asked for asked in district.approvals}
        self._limits: Mapping[str, Limit] = {limit.handling_class: limit for limit in district.limits}

    @cached_property
    def town_by_name(self) -> Mapping[str, Town]:
        """Towns by code, alias, Chinese and English name."""
        return {name: town for town in self.district.towns for name in _names(town)}

    @cached_property
    def unit_by_name(self) -> Mapping[str, Town]:
        """The same, with the district itself."""
        return {name: unit for unit in self.district.units for name in _names(unit)}

    def here(self, unit: str, department: str) -> bool:
        """Whether a unit has a department; no to what this configuration does not know."""
        known = self.departments.get(department)
        return known is not None and unit in self.units and self.district.has(known, unit)

    def bureau(self, code: str) -> Department | None:
        """The bureau of the district with this code."""
        known = self.departments.get(code)
        return known if known is not None and known.kind == "district_bureau" else None

    def matter(self, code: str) -> Matter:
        """The matter of a case. One that a newer catalogue has no more is handled as what fits nowhere else."""
        return self.matters.get(code) or self.matters[CATCH_ALL]

    def certain_matter(self, claimed: str, suggestions: tuple[Suggestion, ...]) -> Matter | None:
        """The matter that a report is about, if its sender named it or the words are certain enough."""
        if claimed:
            return self.matters.get(claimed)
        if suggestions and suggestions[0].score >= self.district.triage_threshold:
            return self.matters.get(suggestions[0].matter)
        return None

    def platform_of(self, department: str, matter: Matter) -> str:
        """A department's home platform; an external unit is called on the platform of the matter's lead."""
        return self.departments[department].platform or self.departments[matter.lead].platform

    def lead(self, town: str, matter: Matter, recused: Collection[str]) -> str:
        """Who leads a matter in a town: its lead, else who stands in for a recused one, else the first that assists.

        Empty when all of them are recused or not there.
        """
        following = (code for code in (self.district.stands_in, *matter.assists) if self.here(town, code))
        return next((code for code in (matter.lead, *following) if code not in recused), "")

    def needed_of(self, town: str, matter: Matter, recused: Collection[str]) -> str:
        """Why a matter cannot be handled without the recused, in words; empty when it can."""
        if not self.lead(town, matter, recused):
            return f"nobody left who could lead matter {matter.code}"
        asked = self.approvals.get(matter.code)
        by_law = (matter.lead, *(item.department for item in asked.items)) if asked is not None else ()
        needed = [code for code in by_law if code in recused]
        return f"{needed[0]}, whose part in matter {matter.code} nobody else can take" if needed else ""

    def plan_calls(
        self,
        case: str,
        town: str,
        matter: Matter,
        attempt: int,
        only_lead: bool,
        recused: Collection[str] = (),
    ) -> tuple[CallPlan, ...]:
        """The calls that a matter needs: one per platform, the lead's platform first, with its departments.

        Calling again for rework (``only_lead``) calls the lead alone. Who is ``recused`` is never called; with nobody
        left to lead nobody is.
        """
        lead = self.lead(town, matter, recused)
        if not lead:
            return ()
        legs = [LegPlan(lead, "lead", required=True)]
        if not only_lead:
            legs += [
                LegPlan(code, "assist", required=code in matter.required)
                for code in matter.assists
                if self.here(town, code) and code != lead and code not in recused
            ]
        home = self.platform_of(lead, matter)

        def platform(leg: LegPlan) -> str:
            return self.platform_of(leg.department, matter)

        legs.sort(key=lambda leg: (platform(leg) != home, platform(leg)))
        return tuple(
            CallPlan(call_of(case, code, attempt), code, tuple(group)) for code, group in groupby(legs, platform)
        )

    def legs(
        self,
        plan: tuple[LegPlan, ...],
        matter: Matter,
        handling_class: HandlingClass,
        result: Due,
        now: datetime,
        contactable: bool,
        at_district: bool = False,
        listed: tuple[str, str] = ("", ""),
    ) -> tuple[Leg, ...]:
        """The departments' parts of a call with all their due times, counted from ``now``.

        Only the lead contacts the reporter, if that is possible; the lead and whoever is required come to the
        spot when the matter demands it. Bureaus of the district have a time of their own to arrive; what the launch
        list says, ``listed`` as acknowledge and arrive, holds before everything else.
        """
        limit = self._limits[handling_class]
        arrive = (matter.arrive or limit.arrive) if matter.on_site else ""
        if at_district and arrive:
            arrive = limit.district_arrive or arrive
        contact = (matter.contact or limit.contact) if contactable else ""
        acknowledge = self._due(now, limit.acknowledge, f"{handling_class} acknowledge")
        on_time = self._due(now, arrive, f"{handling_class} arrive") if arrive else None
        if listed[0]:
            acknowledge = self._due(now, listed[0], "launch list acknowledge")
        if listed[1]:
            on_time = self._due(now, listed[1], "launch list arrive")
        contacted = self._due(now, contact, f"{handling_class} contact") if contact else None
        return tuple(
            Leg(
                department=leg.department,
                role=leg.role,
                required=leg.required,
                acknowledge=acknowledge,
                result=result,
                arrive=on_time if leg.role == "lead" or leg.required else None,
                contact=contacted if leg.role == "lead" else None,
            )
            for leg in plan
        )

    def result_due(self, matter: Matter, now: datetime) -> Due:
        """When the case's result is promised: the matter's own promise, else its handling class's."""
        if matter.promised:
            return self._since(now, matter.promised, f"matter {matter.code} promised")
        return self._since(now, self._limits[matter.handling_class].result, f"{matter.handling_class} result")

    def turns_out(self, matter: Matter) -> bool:
        """Whether a matter wants so many people on the spot that they turn out jointly."""
        return matter.on_site and matter.min_people >= self.district.turn_out.from_people

    def muster_due(self, matter: Matter, handling_class: HandlingClass, now: datetime) -> Due:
        """When as many people must be on the spot as a turn-out needs: when the departments must."""
        arrive = matter.arrive or self._limits[handling_class].arrive or self.district.turn_out.arrive
        return self._due(now, arrive, f"{handling_class} muster")

    def muster_again_due(self, now: datetime) -> Due:
        """When those must be there who are called because too few came."""
        return self._due(now, self.district.turn_out.again, "muster again")

    def turn_out_review_due(self, now: datetime) -> Due:
        """When a turn-out must be written up after it was stood down."""
        return self._since(now, self.district.turn_out.review, "turn-out review")

    def reopened_due(self, matter: Matter, now: datetime) -> Due:
        """When the result of a reopened case is due: in half of what the matter promises."""
        return half_of(self.calendar, now, self.result_due(matter, now))

    def review_due(self, handling_class: HandlingClass, now: datetime) -> Due:
        """When a submitted result must be reviewed."""
        periods = self.district.periods
        if self._limits[handling_class].round_the_clock:
            return self._since(now, periods.review_urgent, "urgent review")
        return self._since(now, periods.review, "review")

    def village_due(self, now: datetime) -> Due:
        """Until when a village may handle a case by itself."""
        return self._since(now, self.district.periods.village, "village")

    def follow_up_due(self, now: datetime) -> Due:
        """When a reporter must have been asked after a case is resolved."""
        return self._since(now, self.district.periods.follow_up, "follow-up")

    def anonymous_close(self, now: datetime) -> datetime:
        """When a resolved case closes that nobody can be asked about."""
        return self._due(now, self.district.periods.anonymous_close, "anonymous close").by

    def disclose_due(self, now: datetime) -> Due:
        """When the outcome must be public after a case is resolved."""
        return self._due(now, self.district.periods.disclose, "disclose")

    def opinions_due(self, asked: ApprovalTemplate, now: datetime) -> Due:
        """When all opinions of a round are due."""
        return self._due(now, asked.due, f"matter {asked.matter} opinions")

    def ceiling(self, item: AskedItem, now: datetime) -> Due | None:
        """Until when the law lets a department take, counted from when it was asked first."""
        return self._due(now, item.statutory, f"item {item.code} statutory") if item.statutory else None

    def promised_milestones(self, asked: ApprovalTemplate, now: datetime) -> dict[Milestone, Due]:
        """Until when each milestone is promised, counted from when the departments were asked first."""
        limits = ((milestone, getattr(asked.milestones, milestone)) for milestone in MILESTONES)
        return {
            milestone: self._due(now, limit, f"milestone {milestone} promised") for milestone, limit in limits if limit
        }

    def unannounced_from(self, now: datetime) -> date | None:
        """The first day that is not announced, if what is promised now may fall due on it or later."""
        district = self.district
        beyond = date(district.calendar.last_year + 1, 1, 1)
        if self.calendar.provisional(now):
            return beyond
        lengths = {
            getattr(part, field)
            for parts, fields in (
                (district.limits, ("acknowledge", "arrive", "contact", "result")),
                (district.matters, ("contact", "arrive", "promised")),
                ((district.periods,), ("review", "follow_up", "anonymous_close", "disclose", "village")),
            )
            for part in parts
            for field in fields
        }
        soon = any(self._due(now, length, "").provisional for length in lengths if length)
        return beyond if soon else None

    def duplicate_since(self, at: datetime) -> datetime:
        """From when on a report of the same reporter, matter and village tells the same story again."""
        return at - (self._due(at, self.district.periods.duplicate, "duplicate").by - at)

    def escalations(self, start: datetime, due: Due) -> tuple[datetime, ...]:
        """The times of the ladder's steps after a missed due time."""
        return tuple(after_due(self.calendar, start, due, step.after) for step in self.district.ladder)

    def recounted(self, told_at: datetime | None, due: Due) -> Due:
        """A due time that was told at ``told_at``, by the calendar in force: the same or a later one.

        It is the same one too where nobody knows any more since when it counts.
        """
        since = due.since or told_at
        return due if since is None else recounted(self.calendar, since, due)

    def on_duty(self, post: str, town: str, platform: str) -> Duty | None:
        """Who answers for a post: the most exact entry wins; ``None`` when nobody does."""
        fitting = [
            duty
            for duty in self.district.duties
            if duty.post == post and duty.town in (town, "*") and duty.platform in (platform, "*")
        ]
        return max(fitting, key=lambda duty: (duty.town != "*", duty.platform != "*"), default=None)

    def _since(self, start: datetime, duration: str, label: str) -> Due:
        """As `_due`, and says from when it counts, so that it can be counted anew."""
        return structs.replace(self._due(start, duration, label), since=start)

    def _due(self, start: datetime, duration: str, label: str) -> Due:
        return due_by(self.calendar, start, duration, label)


def _names(unit: Town) -> tuple[str, ...]:
    return unit.code, unit.alias, unit.zh, unit.en
