"""The command `hujiao`: what it can do, and how it ends when something goes wrong."""

import gc
import logging
import os
import sqlite3
import sys
from importlib.metadata import version

import structlog
from cyclopts import App
from sqlalchemy.exc import SQLAlchemyError

from services.cli.screen import Exit, err
from services.decisions import Rejected
from services.provisioning.management import NotTaken, TopologyDiffers, Unreachable
from services.runtime.district import Faults
from services.runtime.errors import Busy, Conflict, Damaged, Ended, HujiaoError
from services.runtime.store import Unavailable

app = App(
    name="hujiao",
    version=version("hujiao"),
    help="""呼叫: residents report, the township calls, the departments report in.

Begin with `hujiao demo`: a whole district at work on invented reports, with a console in your browser.
Exit status: 0 done; 1 failed; 2 wrong use; 3 done in part (some lines refused); 4 rejected, not allowed as things
stand; 5 a check found a fault; 6 another process is serving this data directory.""",
    result_action="return_value",
)
_COMMANDS = {
    "Serve": ("serving:up", "serving:demo", "running:run"),
    "Play": ("playing:replay", "stories:story"),
    "Act": ("playing:report", "acting:act", "turnouts:turnout", "approvals:approval"),
    "Ask": ("reading:case", "reading:board", "reading:explain", "reading:status", "reading:query", "reading:asof"),
    "Keep": (
        "running:environment",
        "keeping:rebuild",
        "keeping:digest",
        "keeping:verify",
        "keeping:erase",
        "keeping:receipt_key",
        "keeping:schema",
        "keeping:parked",
        "keeping:district",
        "alerts:alerts",
        "store:store",
        "topology:topology",
        "users:user",
        "people:person",
        "rosters:roster",
        "launching:launch",
    ),
}
"""The commands by group, each with the file that it is imported from when it is asked for, and not before."""

for group, commands in _COMMANDS.items():
    for command in commands:
        app.command(f"services.cli.{command}", group=group)


def main() -> None:
    """Run the command line and exit with a status that means something."""
    gc.freeze()  # what was imported stays to the end: to look through it once more then would take most of a second
    _log_to_stderr()
    if set(sys.argv[1:]) <= set(app.help_flags):  # the page of all commands says of each what it does
        for name in app:
            app[name]
    try:
        result = app(exit_on_error=False, print_error=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.DONE)
    except Exception as error:  # noqa: BLE001  # the last place to say it in a sentence; what is unknown is raised again
        sys.exit(_explain(error))
    sys.exit(result if isinstance(result, int) else Exit.DONE)


def _explain(error: Exception) -> Exit:
    match error:
        case Rejected() | Conflict():
            status = Exit.REJECTED
        case Busy():
            status = Exit.BUSY
        case Damaged() | TopologyDiffers():
            status = Exit.FAULT_FOUND
        case Unreachable() | NotTaken() | Unavailable() | Ended():
            status = Exit.FAILED
        case Faults():
            status = Exit.USAGE
        case HujiaoError() | ValueError():
            status = Exit.USAGE
        case SQLAlchemyError():
            found = getattr(error, "orig", error)
            err.print(f"sql: expected a question to the views, found: {found}", style="red", markup=False)
            return Exit.USAGE
        case sqlite3.Error() | OSError():
            status = Exit.FAILED
        case _ if type(error).__module__.startswith("cyclopts"):
            return Exit.USAGE
        case _:
            raise error
    err.print(str(error), style="red", markup=False)
    return status


def _log_to_stderr() -> None:
    """Our own lines in one form; those of the libraries only when they are about something that ended them."""
    logging.basicConfig(level=logging.ERROR)
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # a broken link is said once, by whoever begins again
    level = logging.getLevelNamesMapping().get(os.environ.get("HUJIAO_LOG", "WARNING").upper(), logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False)
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
