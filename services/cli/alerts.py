"""`hujiao alerts`: the channels over which departments are alerted, and whom no alert has reached."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from projections.queries import Questions
from services.alerting import channels_in
from services.cli.houses import DEFAULT_DATA, DEFAULT_DISTRICT, Data, District, Json, existing_house
from services.cli.screen import Exit, out, print_json, table
from services.rules.book import RuleBook
from services.runtime.district import find_district, load_district

SHOWN = ("town", "department", "handling_class", "case", "acknowledge_due", "failed_at", "failed")

alerts = App(name="alerts", help="How departments are alerted of their calls, and whom that did not reach.")


@alerts.command
def check(
    file: Annotated[Path, Parameter(env_var="HUJIAO_ALERTS", help="The file of channels and routes.")],
    *,
    district: District = DEFAULT_DISTRICT,
) -> Exit:
    """Check a file of channels and routes against a district's files; sends nothing."""
    channels = channels_in(file, RuleBook(load_district(find_district(district))))
    listed = ", ".join(f"{channel.name} ({channel.__struct_config__.tag})" for channel in channels.channel) or "none"
    out.print(f"[green]Good[/green]: channels {listed}; {len(channels.route)} routes.")
    return Exit.DONE


@alerts.command
def dead(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show who is called, has not acknowledged, and was reached on no channel: somebody should go and tell them.

    One line for each channel that failed, with the reason: refused, not_in_time, dead_letter (tried as often as it may
    be) or unknown_channel (configured no more).
    """
    with existing_house(data) as house:
        found = Questions(house.views.database).unreached()
    if as_json:
        print_json(found)
    else:
        table("Reached on no channel", SHOWN, ([row[name] for name in SHOWN] for row in found))
    return Exit.DONE
