"""The READMEs tell of every role what it may do and see, as the code has it."""

from pathlib import Path
from typing import get_args

import pytest

from events.user import UserRole
from services.people.authority import ABOUT, ACTS, PAGES, WORDS

ROOT = Path(__file__).resolve().parents[2]
CHINESE = {
    "intake_clerk": "话务员",
    "village_clerk": "村网格员",
    "command_centre": "镇指挥中心",
    "platform_head": "台长",
    "department_officer": "部门值班员",
    "reviewer": "审核员",
    "follow_up_clerk": "回访员",
    "district_command": "区指挥中心",
    "district_leader": "区值班领导",
    "town_committee": "镇党委",
    "personnel": "区人事部门",
    "analyst": "分析员",
    "privacy_officer": "隐私专员",
    "administrator": "管理员",
}


def row(role: UserRole) -> str:
    """A role's line in the table: what binds it, its acts, its pages, and when it may open words."""
    acts = [str(act.__struct_config__.tag).removesuffix(".v1") for act, roles in ACTS.items() if role in roles]
    pages = [page for page, roles in PAGES.items() if role in roles]
    cells = [
        f"`{role}` {CHINESE[role]}",
        " ".join(ABOUT[role]),
        " ".join(f"`{act}`" for act in acts),
        " ".join(pages),
        " ".join(WORDS.get(role, ())),
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
@pytest.mark.parametrize("role", get_args(UserRole))
def test_the_readme_tells_what_a_role_may_do_and_see(role: UserRole, readme: str) -> None:
    lines = (ROOT / readme).read_text(encoding="utf-8").splitlines()

    assert row(role) in lines
