"""How the command line speaks: tables and colours for people, JSON for machines, exit codes that mean something."""

import enum
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from services.rules.calendar import SHANGHAI

WIDE = 180
"""Where the output is no terminal nobody folds it."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else WIDE)

QUIET_S = 2.0
_STORED_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,15}\+00:00")


class Exit(enum.IntEnum):
    """What the exit status of a command means."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    REJECTED = 4
    FAULT_FOUND = 5
    BUSY = 6


def print_json(value: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for people; empty columns stay, so that it always looks the same."""
    headings = (escape(column) for column in columns)
    shown = Table(*headings, title=title, title_justify="left", title_style="bold", header_style="dim", box=None)
    for row in rows:
        shown.add_row(*(value if isinstance(value, Text) else Text(as_text(value)) for value in row))
    out.print(shown)


def as_text(value: Any) -> str:
    """A value as people read it: times in Asia/Shanghai to the minute."""
    match value:
        case None:
            return ""
        case datetime():
            return f"{value.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
        case str() if _STORED_TIME.fullmatch(value):
            return as_text(datetime.fromisoformat(value))
        case _:
            return str(value)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar with rate and remaining time, shown once the work takes longer than two seconds.

    Gives a function to be called with how much is done.
    """
    started = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
    task = bar.add_task(what, total=total, rate="")
    shown = False

    def update(done: int) -> None:
        nonlocal shown
        elapsed = time.monotonic() - started
        if not shown and elapsed > QUIET_S and err.is_terminal:
            bar.start()
            shown = True
        bar.update(task, completed=done, rate=f"{done / max(elapsed, 0.001):,.0f}")

    try:
        yield update
    finally:
        if shown:
            bar.stop()
