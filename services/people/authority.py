"""Who may do and see what: one table for the console, the API and the command line.

Source of the roles and of what keeps them apart: the city hotline rules (12345), and article 25 of the personal
information protection law for what may become public.
"""

from collections.abc import Mapping
from typing import Literal

from events.approval import (
    DecideApproval,
    FileOpinion,
    OpenNextRound,
    ReachMilestone,
    RequestMaterial,
    SupplyMaterial,
)
from events.call import AcknowledgeCall, AttachProof, ContactReporter, FileResult, NoteProgress, ReportIn
from events.case import (
    ApproveResult,
    CallDistrict,
    ClassifyCase,
    ConsentToHandDown,
    EscalateCase,
    ExplainCase,
    FollowUp,
    GrantLaunchWaiver,
    HandDown,
    JoinReport,
    RecuseDepartment,
    ResolveInVillage,
    SendBackResult,
)
from events.district import ConfigureDistrict
from events.envelope import Request
from events.launch import PublishLaunchList
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    Muster,
    OrderMobilisation,
    ReviewMobilisation,
    StandDown,
)
from events.outcome import PublishOutcome, WithholdOutcome
from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MovePerson,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    TransferPartyRelation,
)
from events.report import EraseReport, RefuseReport, SubmitReport
from events.roster import (
    DeployPerson,
    DissolvePartyOrg,
    EndLeave,
    FillPost,
    FormPartyOrg,
    GrantLeave,
    NamePartySecretary,
    PassShift,
    ReleasePerson,
    RemoveShift,
    SetShift,
    VacatePost,
)
from events.user import AddUser, DisableUser, Unit, UserRole
from projections.sight import Sight
from services.decisions import Rejected
from services.people.user import User

Page = Literal[
    "board",
    "intake",
    "triage",
    "inbox",
    "village",
    "district",
    "launch",
    "review",
    "follow_up",
    "notices",
    "openings",
    "people",
    "roster",
    "muster",
    "users",
    "figures",
    "clock",
]
"""看板、登记、分派、收件、村级、区级、启动清单、审核、回访、公开、查阅记录、人员、值班、集结板、用户、数字、演示时钟."""


class Forbidden(Rejected):
    """Not allowed to this user, whatever the state of things. The text says who may."""


ABOUT: Mapping[UserRole, tuple[str, ...]] = {
    "intake_clerk": ("town",),
    "village_clerk": ("town", "village"),
    "command_centre": ("town",),
    "platform_head": ("town", "platform"),
    "department_officer": ("town", "department"),
    "reviewer": ("town",),
    "follow_up_clerk": ("town",),
    "district_command": (),
    "district_leader": (),
    "town_committee": ("town",),
    "personnel": (),
    "analyst": (),
    "privacy_officer": (),
    "administrator": (),
}
"""Which parts of a unit bind a role: in these, what is acted on must be of the user's own unit."""

_DEPARTMENT: tuple[UserRole, ...] = ("department_officer",)
_TRIAGE: tuple[UserRole, ...] = ("intake_clerk", "command_centre")
_CENTRE: tuple[UserRole, ...] = ("command_centre",)
_VILLAGE: tuple[UserRole, ...] = ("village_clerk",)
_DISTRICT: tuple[UserRole, ...] = ("district_command", "district_leader")
_REVIEW: tuple[UserRole, ...] = ("reviewer",)
_COMMITTEE: tuple[UserRole, ...] = ("town_committee",)
_PERSONNEL: tuple[UserRole, ...] = ("personnel",)
_COMMAND: tuple[UserRole, ...] = ("command_centre",)
_COMMANDING: tuple[UserRole, ...] = ("command_centre", "platform_head")
_PROJECT: tuple[UserRole, ...] = ("command_centre", "department_officer")
_HANDLING: tuple[UserRole, ...] = ("intake_clerk", "command_centre", "platform_head", "department_officer")

ACTS: Mapping[type[Request], tuple[UserRole, ...]] = {
    SubmitReport: ("intake_clerk", "village_clerk"),
    ClassifyCase: _TRIAGE,
    JoinReport: _TRIAGE,
    RefuseReport: _TRIAGE,
    RecuseDepartment: (*_TRIAGE, "district_command"),
    ResolveInVillage: _VILLAGE,
    EscalateCase: _VILLAGE,
    CallDistrict: _CENTRE,
    ConsentToHandDown: _CENTRE,
    HandDown: ("district_command",),
    GrantLaunchWaiver: ("district_leader",),
    PublishLaunchList: ("district_command",),
    AcknowledgeCall: _DEPARTMENT,
    ReportIn: _DEPARTMENT,
    ContactReporter: _DEPARTMENT,
    NoteProgress: _DEPARTMENT,
    AttachProof: _DEPARTMENT,
    FileResult: _DEPARTMENT,
    ApproveResult: _REVIEW,
    SendBackResult: _REVIEW,
    ExplainCase: _REVIEW,
    FollowUp: ("follow_up_clerk",),
    PublishOutcome: ("reviewer", "privacy_officer"),
    WithholdOutcome: ("reviewer", "privacy_officer"),
    RegisterPerson: _PERSONNEL,
    MovePerson: _PERSONNEL,
    TransferPartyRelation: _COMMITTEE,
    RequestSecondment: _PERSONNEL,
    ConsentToSecondment: _COMMITTEE,
    ApproveSecondment: _PERSONNEL,
    RefuseSecondment: (*_COMMITTEE, *_PERSONNEL),
    EndSecondment: _COMMITTEE,
    FillPost: _COMMITTEE,
    VacatePost: _COMMITTEE,
    FormPartyOrg: _COMMITTEE,
    DissolvePartyOrg: _COMMITTEE,
    NamePartySecretary: _COMMITTEE,
    SetShift: _COMMAND,
    PassShift: _COMMAND,
    RemoveShift: _COMMAND,
    GrantLeave: _COMMAND,
    EndLeave: _COMMAND,
    DeployPerson: ("platform_head",),
    ReleasePerson: ("platform_head",),
    OrderMobilisation: _COMMANDING,
    ConfirmResponders: _DEPARTMENT,
    DeclineResponder: _DEPARTMENT,
    Muster: (*_COMMANDING, *_DEPARTMENT),
    StandDown: _COMMANDING,
    ReviewMobilisation: _COMMANDING,
    FileOpinion: _DEPARTMENT,
    RequestMaterial: _DEPARTMENT,
    SupplyMaterial: ("village_clerk", *_DEPARTMENT),
    OpenNextRound: _PROJECT,
    DecideApproval: _PROJECT,
    ReachMilestone: _PROJECT,
    EraseReport: ("privacy_officer",),
    ConfigureDistrict: ("administrator",),
    AddUser: ("administrator",),
    DisableUser: ("administrator",),
}
"""What a person may ask for, and in which roles. Every other request is the services' own."""

PAGES: Mapping[Page, tuple[UserRole, ...]] = {
    "board": (
        *_HANDLING,
        "village_clerk",
        "reviewer",
        "follow_up_clerk",
        *_DISTRICT,
        "analyst",
        "privacy_officer",
    ),
    "intake": ("intake_clerk", "village_clerk"),
    "triage": _TRIAGE,
    "inbox": _DEPARTMENT,
    "village": _VILLAGE,
    "district": _DISTRICT,
    "launch": ACTS[PublishLaunchList],
    "review": _REVIEW,
    "follow_up": ("follow_up_clerk",),
    "notices": ("reviewer", "privacy_officer"),
    "openings": ("privacy_officer",),
    "people": (*_COMMITTEE, *_PERSONNEL),
    "roster": (*_COMMANDING, *_COMMITTEE),
    "muster": (*_COMMANDING, *_DEPARTMENT, *_DISTRICT),
    "users": ("administrator",),
    "figures": ("command_centre", *_DISTRICT, "analyst", "administrator"),
    "clock": ("command_centre", "district_command", "administrator"),
}
"""What a person may look at, and in which roles."""

SEES_CONFIDENTIAL: frozenset[UserRole] = frozenset({*_HANDLING, *_REVIEW, "follow_up_clerk", "privacy_officer"})
"""Whose work brings them to confidential matters at all; the others do not learn that there is one."""

SEES_RESPONDERS: frozenset[UserRole] = frozenset({*_COMMANDING, *_DEPARTMENT})
"""Who learns the names of those who turn out; to all others it is a number."""

WORDS: Mapping[UserRole, tuple[str, ...]] = {
    "intake_clerk": ("registered", "triage"),
    "village_clerk": ("village_handling",),
    "command_centre": ("triage",),
    "reviewer": ("in_review",),
    "follow_up_clerk": ("resolved",),
}
"""In which phases of a case a role may read the resident's words. Departments: `services.platforms.words`."""


def may_act(user: User, act: type[Request], about: Unit) -> None:
    """Whether ``user`` may ask for ``act`` about something that is of the unit ``about``.

    Raises:
        Forbidden: saying in which roles, or for which unit, it is allowed.
    """
    roles = ACTS.get(act, ())
    mine = _roles(user, roles, str(act.__struct_config__.tag))
    if not any(not _foreign(user.unit, role, about) for role in mine):
        raise Forbidden("; ".join(found for role in mine for found in _foreign(user.unit, role, about)))


def may_look(user: User, page: Page) -> None:
    """Whether ``user`` may look at ``page``.

    Raises:
        Forbidden: saying in which roles it is allowed.
    """
    _roles(user, PAGES[page], page)


def may_read_words(user: User, phase: str, about: Unit, *, confidential: bool) -> None:
    """Whether ``user`` may read what residents said of a case in ``phase``, outside any department.

    A confidential matter's words open to intake alone here: its named handler opens them as a department.

    Raises:
        Forbidden: saying when it is allowed.
    """
    mine = _roles(user, tuple(WORDS), "words")
    if confidential and "intake_clerk" not in mine:
        raise Forbidden("expected intake or the named handler of a confidential matter, found another")
    fitting = [role for role in mine if phase in WORDS[role] and (role == "intake_clerk" or not confidential)]
    if not fitting:
        when = ", ".join(f"{role} while {' or '.join(WORDS[role])}" for role in mine)
        raise Forbidden(f"expected a case whose words are open to the user ({when}), found one in phase {phase}")
    if not any(not _foreign(user.unit, role, about) for role in fitting):
        raise Forbidden("; ".join(found for role in fitting for found in _foreign(user.unit, role, about)))


def sights_of(user: User) -> tuple[Sight, ...]:
    """What of the cases ``user`` may see: something for each of the roles that look at cases at all.

    Whoever answers for the district sees those for which a town has wanted to call it, confidential ones too. Who is of
    a department that is complained of sees nothing of it, whatever the role.
    """
    of = user.unit.department
    asked = (Sight(asked=True, of=of),) if answers_for_district(user) else ()
    own = tuple(
        Sight(**{part: getattr(user.unit, part) for part in ABOUT[role]}, confidential=role in SEES_CONFIDENTIAL, of=of)
        for role in user.roles
        if role in PAGES["board"]
    )
    return own + asked


def answers_for_district(user: User) -> bool:
    """Whether ``user`` decides for the district about what towns call it for."""
    return any(role in _DISTRICT for role in user.roles)


def _roles(user: User, allowed: tuple[UserRole, ...], what: str) -> list[UserRole]:
    if user.disabled:
        raise Forbidden(f"expected a user who is not disabled, found {user.name}")
    mine = [role for role in user.roles if role in allowed]
    if not mine:
        listed = " or ".join(allowed) or "no person"
        raise Forbidden(f"{what}: expected the role {listed}, found {', '.join(user.roles)}")
    return mine


def _foreign(own: Unit, role: UserRole, about: Unit) -> list[str]:
    """In which parts of the unit ``about`` is not the user's own."""
    return [
        f"{part}: expected {mine}, whom the user acts for, found {found or 'none'}"
        for part in ABOUT[role]
        if (mine := getattr(own, part)) and (found := getattr(about, part)) != mine
    ]
