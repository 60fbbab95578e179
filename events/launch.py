"""启动清单: for which matters a town may call the district, as facts and requests of one stream of the district."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from events.envelope import Fact, Request
from events.patterns import END, PRINTABLE
from events.report import Person

Condition = Literal["cross_town", "beyond_competence", "headcount", "repeat", "overdue_at_town", "casualties_or_media"]
"""On which condition a town may call: 涉及两镇以上、超出镇级权限、人手不足、反复上报、镇级逾期、有伤亡或舆情."""

CONDITIONS: tuple[Condition, ...] = (
    "cross_town",
    "beyond_competence",
    "headcount",
    "repeat",
    "overdue_at_town",
    "casualties_or_media",
)
"""All of them: what is enough where the configuration says ``condition`` and no list is published."""

Citation = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Text = Annotated[str, Meta(max_length=500)]
Duration = Annotated[str, Meta(pattern=rf"^([1-9][0-9]{{0,3}}(min|h|wh|wd|d))?{END}")]


class LaunchItem(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line of the list: for this matter a town may call this bureau on this platform of the district.

    With ``conditions`` only on one of them, and with evidence; ``evidence_required`` says which. An empty
    ``platform`` is the bureau's own. The limits are those of the handling class unless they are given here.
    """

    matter: str
    bureau: str
    platform: str = ""
    conditions: tuple[Condition, ...] = ()
    evidence_required: Text = ""
    acknowledge: Duration = ""
    arrive: Duration = ""
    legal_basis: Text = ""


class LaunchListPublished(Fact, frozen=True, kw_only=True):
    """已发布: from the first minute of ``effective_from`` in Asia/Shanghai this list holds, and no older one."""

    version: int
    items: tuple[LaunchItem, ...]
    effective_from: date
    citation: str
    by: str


class PublishLaunchList(Request, frozen=True, kw_only=True, tag="launch.publish.v1"):
    """Publish the whole list anew; the same again changes nothing. ``citation`` says by which decision."""

    launch: str
    items: Annotated[tuple[LaunchItem, ...], Meta(min_length=1, max_length=500)]
    effective_from: date
    citation: Citation
    by: Person
