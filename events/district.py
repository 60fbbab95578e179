"""The district's configuration as one value, and the fact that carries it whenever its content changes.

What is a matter, which department leads, how long anybody has: all of it is configuration, recorded in the
log, so that a decision of last year can be explained by the rules of last year.
"""

from datetime import date, time
from typing import Annotated, Literal

from msgspec import Meta, Struct

from events.envelope import Fact, Request
from events.patterns import END
from events.report import Channel

HandlingClass = Literal["U0", "U1", "U2", "U3", "U4", "U5"]
"""办理类别, from most to least pressing: U1 > U2 > U3 > U4 > U5 > U0."""

Visibility = Literal["public", "statistics", "confidential"]
"""Who may read of a case: everybody, statistics only, or only those who handle it."""

Launch = Literal["yes", "condition", "no"]
"""启动清单: whether a town may call the district for a matter at once, on a condition, or not."""

Clock = Literal["acknowledge", "arrive", "contact", "result"]
"""The clocks of a department's part of a call: 签收, 报到, 首联, 办结."""


Milestone = Literal["project_approved", "permits_complete", "works_begun", "open_to_traffic"]
"""立项、审批完成、开工、通行, in this order."""

ItemCode = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9-]{{0,39}}{END}")]
"""事项代码: what one department gives its opinion on, such as ``forestry``."""

_LAW = r"《[^《》\x00-\x1f\x7f]{2,60}》[第条款项之、及和至零〇一二三四五六七八九十百]{0,40}"
LegalBasis = Annotated[str, Meta(pattern=rf"^({_LAW})?{END}")]
"""法律依据: a law by its title, with the article such as ``第四十三条`` or without; nothing else can stand there."""

Alias = Annotated[str, Meta(pattern="^[A-HJ-NP-TV-Z]{2}$")]
"""Two capital letters, none that looks like a digit."""


Year = Annotated[int, Meta(ge=2000, le=2100)]

SenderName = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9-]{{1,39}}{END}")]
"""A sender's name: its user at the broker and the source of its reports in the log. No dot: those are ours."""


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A part of the configuration. Unknown keys are faults."""


class Town(Part, frozen=True):
    """镇. ``code`` is the statistics code, ``alias`` two letters for receipts, topics and routing keys."""

    code: str
    alias: Alias
    zh: str
    en: str


class Village(Part, frozen=True):
    """村 or 社区, by statistics code; names are not unique."""

    code: str
    town: str
    zh: str


class Platform(Part, frozen=True):
    """工作平台, established at the levels named: in every town, and once more at the district."""

    code: str
    zh: str
    en: str
    levels: tuple[Literal["town", "district"], ...] = ("town", "district")


class Department(Part, frozen=True):
    """部门: a type of department, present in every town unless ``absent_in`` says otherwise.

    ``kind`` is ``town_office`` (镇内), ``district_dispatched`` (区直派驻) or ``district_bureau`` (区直部门), which is
    present at the district alone. External units (关联单位) are called as departments but belong to no platform of
    their own.
    """

    code: str
    zh: str
    en: str
    kind: Literal["town_office", "district_dispatched", "external", "district_bureau"]
    platform: str = ""
    parent: str = ""
    absent_in: tuple[str, ...] = ()


class Matter(Part, frozen=True, rename={"handling_class": "class"}):
    """事项: what a case can be about, who leads, how long it may take, and when it counts as done.

    Durations are written ``15min``, ``2h``, ``4wh`` (working hours), ``5wd`` (working days), ``30d``. ``proof`` says
    what may serve as proof; with ``closing_proof`` the lead cannot report it solved without having attached one.
    ``district_lead`` is the bureau that a town may call, as ``launch`` says, until a launch list is published. With
    ``village`` a case that names a village is handled there first.
    """

    code: str
    zh: str
    en: str
    lead: str
    kind: Literal["appeal", "tip", "enquiry", "help", "complaint", "incident", "service"]
    handling_class: HandlingClass
    promised: str
    launch: Launch
    visibility: Visibility
    closing: str
    assists: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    contain: str = ""
    contact: str = ""
    arrive: str = ""
    statutory: str = ""
    statutory_note: str = ""
    district_lead: str = ""
    min_people: Annotated[int, Meta(ge=0, le=5000)] = 0
    on_site: bool = False
    proof: tuple[str, ...] = ()
    closing_proof: bool = False
    strong: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    village: bool = False


class Limit(Part, frozen=True, rename={"handling_class": "class"}):
    """办理时限 of a handling class; an empty duration means that the class has no such clock.

    ``district_arrive`` is how long a bureau of the district has to arrive; empty: as long as anybody.
    """

    handling_class: HandlingClass
    round_the_clock: bool
    acknowledge: str
    result: str
    arrive: str = ""
    contact: str = ""
    district_arrive: str = ""


Post = Literal["platform_head", "command_centre"]
"""台长、镇指挥中心值班长: a post that somebody holds beside the own work, and to which a missed clock is told."""


class Ladder(Part, frozen=True):
    """催办升级: how long after a missed due time whom to tell, as a share of the clock's whole length."""

    after: float
    post: Post


class Periods(Part, frozen=True):
    """Limits that are not a department's: triage, handling in the village, review, follow-up, disclosure."""

    duplicate: str
    review: str
    review_urgent: str
    follow_up: str
    follow_up_tries: Annotated[int, Meta(le=10)]
    anonymous_close: str
    disclose: str
    village: str = "2wd"


Months = Annotated[int, Meta(ge=0, le=600)]


class SecondmentBounds(Part, frozen=True):
    """借调的条件, in calendar months: service in the town before, how long at most, and the pause until the next.

    The reform of Yun'an sets the first two; the third is our default.
    """

    service_months: Months = 24
    longest_months: Annotated[int, Meta(ge=1, le=600)] = 6
    pause_months: Months = 6


class AskedItem(Part, frozen=True):
    """审批事项: what one department is asked about; ``statutory`` is the law's limit, ``basis`` which law."""

    code: ItemCode
    zh: str
    en: str
    department: str
    statutory: str = ""
    basis: LegalBasis = ""


class PromisedMilestones(Part, frozen=True):
    """承诺时限: how long after the departments were asked the project gets so far; empty where nothing is promised."""

    project_approved: str = ""
    permits_complete: str = ""
    works_begun: str = ""
    open_to_traffic: str = ""


class ApprovalTemplate(Part, frozen=True):
    """并联审批模板: what is asked of whom about a matter, all at once, and how long everybody has to answer."""

    matter: str
    due: str
    items: tuple[AskedItem, ...]
    milestones: PromisedMilestones = PromisedMilestones()


class Cover(Part, frozen=True):
    """值班要求: a post for which somebody has to be on duty round the clock, where the town keeps a roster for it."""

    post: Post
    platform: str = ""


class TurnOut(Part, frozen=True):
    """联合出动: from how many people on a matter wants a joint turn-out, and the limits of its own.

    ``arrive`` holds where neither matter nor handling class says when to be on the spot, ``again`` is how long those
    have who are called when too few came, ``review`` until when the turn-out is written up.
    """

    from_people: Annotated[int, Meta(ge=1, le=5000)] = 6
    arrive: str = "2h"
    again: str = "30min"
    review: str = "2wd"


class Duty(Part, frozen=True):
    """值班: who answers for a post until a town keeps a roster for it. ``town`` and ``platform`` may be ``*``.

    For a post at the district ``town`` is the district's own code.
    """

    post: Post
    person: str
    zh: str
    town: str = "*"
    platform: str = "*"


class Calendar(Part, frozen=True):
    """工作日历: office hours and every day that differs from Monday to Friday.

    ``rest`` are public holidays on weekdays, ``work`` make-up workdays (调休补班) on weekends. Only the years
    ``first_year`` to ``last_year`` are announced; beyond them dues are provisional.
    """

    hours: tuple[tuple[time, time], ...]
    first_year: Year
    last_year: Year
    rest: tuple[date, ...]
    work: tuple[date, ...]


class Hotline(Part, frozen=True):
    """热线: a system that takes residents' calls and publishes reports under its own user, for any town."""

    name: SenderName
    zh: str
    en: str


class Terminal(Part, frozen=True):
    """终端: what reports over MQTT under its own user: a village's terminal or the gateway of an app.

    ``town`` is the statistics code of the only town it reports for, ``channel`` the only channel; ``village``
    says where it stands, if it does.
    """

    name: SenderName
    zh: str
    en: str
    town: str
    channel: Channel
    village: str = ""


class District(Part, frozen=True):
    """A whole district: the only input of every decision beside the log. Times are Asia/Shanghai."""

    code: str
    alias: Alias
    zh: str
    en: str
    note: str
    triage_threshold: float
    towns: tuple[Town, ...]
    villages: tuple[Village, ...]
    platforms: tuple[Platform, ...]
    departments: tuple[Department, ...]
    matters: tuple[Matter, ...]
    limits: tuple[Limit, ...]
    ladder: tuple[Ladder, ...]
    periods: Periods
    duties: tuple[Duty, ...]
    calendar: Calendar
    hotlines: tuple[Hotline, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    secondment: SecondmentBounds = SecondmentBounds()
    approvals: tuple[ApprovalTemplate, ...] = ()
    cover: tuple[Cover, ...] = ()
    turn_out: TurnOut = TurnOut()
    stands_in: str = ""
    """回避时由谁主办: which department leads a matter whose lead is complained of; with none the first that assists."""

    @property
    def seat(self) -> Town:
        """The district itself as one more unit beside its towns: what is called there has its code for a town."""
        return Town(code=self.code, alias=self.alias, zh=self.zh, en=self.en)

    @property
    def units(self) -> tuple[Town, ...]:
        """Wherever platforms stand: every town, and the district itself."""
        return (*self.towns, self.seat)

    def has(self, department: Department, unit: str) -> bool:
        """Whether the unit with this code has a department of this type: bureaus are at the district alone."""
        if department.kind == "district_bureau":
            return unit == self.code
        return unit != self.code and unit not in department.absent_in


class DistrictConfigured(Fact, frozen=True, kw_only=True):
    """配置生效: from here on decisions use this configuration. ``hash`` is what facts name it by."""

    hash: str
    district: District


class ConfigureDistrict(Request, frozen=True, kw_only=True, tag="district.configure.v1"):
    """Put a configuration into force; the same content again changes nothing."""

    stream: str
    hash: str
    district: District
