"""What the command line can do, and which variables it reads, is told in the README."""

import re
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App

from services.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(of: App, before: str = "hujiao") -> Iterator[str]:
    """Every command and sub-command, as it is typed."""
    for name in of:
        if not name.startswith("-"):
            yield f"{before} {name}"
            yield from commands(of[name], f"{before} {name}")


def variables() -> set[str]:
    """Every environment variable that the code reads."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "services").rglob("*.py")]
    return {name for source in sources for name in re.findall(r"\bHUJIAO_[A-Z_]+\b", source)}


def is_named(command: str) -> bool:
    """``hujiao act note`` counts as named by itself, or as ``act note``, or by a list of acts that holds `note`."""
    words = command.split()
    return re.search(rf"(?<![\w-]){re.escape(' '.join(words[1:]))}(?![\w-])", README) is not None or (
        len(words) > 2 and f"`{words[-1]}`" in README and f"hujiao {words[1]}" in README
    )


def test_there_are_commands_and_variables_to_be_told_of() -> None:
    assert {"hujiao replay", "hujiao act approve", "hujiao parked release", "hujiao district new"} <= set(commands(app))
    assert {f"hujiao topology {name}" for name in ("plan", "apply", "check", "credentials", "mosquitto")} <= set(
        commands(app)
    )
    assert {"HUJIAO_DATA", "HUJIAO_MANAGEMENT_URL", "HUJIAO_SECRET_FILE"} <= variables()


def test_every_command_is_named_in_the_readme() -> None:
    missing = [command for command in commands(app) if not is_named(command)]

    assert missing == []


def test_every_variable_is_named_in_the_readme() -> None:
    missing = sorted(name for name in variables() if name not in README)

    assert missing == []


def test_the_readme_names_no_command_that_is_not_there() -> None:
    known = {command.split()[1] for command in commands(app)}
    told = set(re.findall(r"(?:^|[`$ ])hujiao ([a-z][a-z-]+)", README, flags=re.MULTILINE))

    assert sorted(told - known) == []


def test_every_command_says_what_it_is_for() -> None:
    silent = [
        command
        for command in commands(app)
        if not (of := command_of(command)).help or len(str(of.help)) < len("Show it.")
    ]

    assert silent == []


def command_of(command: str) -> App:
    found = app
    for word in command.split()[1:]:
        found = found[word]
    return found
