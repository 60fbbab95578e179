"""`story`: what the reform is told by, played before your eyes through the real services."""

import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from services.cli.houses import Json
from services.cli.screen import Exit, as_text, out, print_json
from services.runtime.errors import HujiaoError
from services.runtime.places import Folder
from services.stories import district, mining, road, secondment
from services.stories.stage import Stage, Story, in_shanghai

Name = Literal["district", "mining", "road", "secondment"]
STORIES: Mapping[Name, Story] = {
    "district": district.STORY,
    "mining": mining.STORY,
    "road": road.STORY,
    "secondment": secondment.STORY,
}

START = in_shanghai(2026, 3, 2, 9, 0)
"""Every story begins on a Monday morning."""


def story(
    name: Name,
    *,
    pace: Annotated[float, Parameter(help="Seconds between what is told; 0 tells all at once.")] = 1.0,
    keep: Annotated[Path | None, Parameter(help="Keep the township in this new folder.")] = None,
    page: Annotated[
        Path | None, Parameter(help="Write a page of what came of it here, where the story has one.")
    ] = None,
    as_json: Json = False,
) -> Exit:
    """Watch one of the reform's stories from its first report to its end.

    A township of its own on a virtual clock, with every service and nothing simulated. It ends with what it has shown,
    each figure counted in the log; the exit status says whether it went as the story goes.
    """
    if keep is not None and keep.exists():
        raise HujiaoError(f"--keep: expected a folder that is not there yet, found {keep}")
    draw = STORIES[name].page
    if page is not None and draw is None:
        having = ", ".join(known for known, one in STORIES.items() if one.page)
        raise HujiaoError(f"--page: expected a story that has a page ({having}), found {name}")

    def tell(at: datetime, what: str) -> None:
        if not as_json:
            out.print(f"{as_text(at)}  {what}", markup=False)
            time.sleep(max(0.0, pace))

    with tempfile.TemporaryDirectory(prefix="hujiao-story-") as scratch:
        stage = Stage(Folder(keep or Path(scratch)), START, tell)
        with stage.house:
            proof = STORIES[name].play(stage)
            if page is not None and draw is not None:
                page.write_text(draw(stage), encoding="utf-8")
    shown = msgspec.to_builtins(proof)
    if as_json:
        print_json(shown)
    else:
        out.print(", ".join(f"{figure} {value}" for figure, value in shown.items()), markup=False)
        out.print("It held." if proof.held else "It did NOT hold.", style="green" if proof.held else "red")
    return Exit.DONE if proof.held else Exit.FAULT_FOUND
