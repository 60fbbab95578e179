"""用户: who may log in, as facts and requests of one user stream. Passwords and tokens are kept elsewhere."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from events.envelope import Fact, Request
from events.patterns import END
from events.report import Person

UserRole = Literal[
    "intake_clerk",
    "village_clerk",
    "command_centre",
    "platform_head",
    "department_officer",
    "reviewer",
    "follow_up_clerk",
    "district_command",
    "district_leader",
    "town_committee",
    "personnel",
    "analyst",
    "privacy_officer",
    "administrator",
]
"""话务员、村网格员、镇指挥中心、台长、部门值班员、审核员、回访员、区指挥中心、区值班领导、镇党委、区人事部门、分析员、隐私专员、管理员."""

UserName = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9.-]{{1,39}}{END}")]
UserRoles = Annotated[tuple[UserRole, ...], Meta(min_length=1, max_length=14)]


class Unit(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """所在单位, in the district's codes. An empty field stands for all: no town is every town of the district."""

    town: str = ""
    village: str = ""
    platform: str = ""
    department: str = ""


class UserAdded(Fact, frozen=True, kw_only=True):
    """已开通: ``person`` may act in these roles for this unit, and logs in as ``name``."""

    name: str
    person: str
    roles: tuple[UserRole, ...]
    unit: Unit


class UserDisabled(Fact, frozen=True, kw_only=True):
    """已停用: nobody acts under this name any more."""

    name: str


class AddUser(Request, frozen=True, kw_only=True, tag="user.add.v1"):
    """Let a person act for a unit. A disabled user may come back, also for another unit."""

    user: str
    name: UserName
    person: Person
    roles: UserRoles
    unit: Unit


class DisableUser(Request, frozen=True, kw_only=True, tag="user.disable.v1"):
    """Let nobody act under this name any more; what was done under it stays."""

    user: str
