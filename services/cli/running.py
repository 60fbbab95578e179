"""`run`: one service as a process of its own, beside others on this machine or elsewhere."""

import asyncio
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from services import processes
from services.cli.houses import DEFAULT_DATA, Data, existing_place
from services.cli.screen import Exit
from services.runtime import tracing
from services.runtime.errors import HujiaoError

Service = Literal[
    "intake",
    "terminals",
    "departments",
    "command_centre",
    "platforms",
    "disclosure",
    "clock",
    "relay",
    "projections",
    "web",
]


def register(app: App) -> None:
    """Add the commands of this file."""
    app.command(run, group="Serve")


def run(
    service: Service,
    *,
    platform: str = "",
    town: str = "",
    data: Data = DEFAULT_DATA,
    broker: Annotated[str, Parameter(env_var="HUJIAO_BROKER_URL", help="amqp://user:password@host:port/vhost")] = "",
    management: Annotated[
        str,
        Parameter(env_var="HUJIAO_MANAGEMENT_URL", help="http://user:password@host:port, to check the topology."),
    ] = "",
    mqtt: Annotated[str, Parameter(env_var="HUJIAO_MQTT_URL", help="mqtt://user:password@host:port")] = "",
    window: Annotated[str, Parameter(env_var="HUJIAO_WINDOW_URL", help="Where links to cases lead.")] = "",
    probe: Annotated[
        int,
        Parameter(env_var="HUJIAO_PROBE_PORT", validator=Number(gte=0, lte=65535), help="/live, /ready, /metrics."),
    ] = 0,
    port: Annotated[
        int, Parameter(env_var="HUJIAO_PORT", validator=Number(gte=1, lte=65535), help="The web's port.")
    ] = processes.DEFAULT_PORT,
) -> Exit:
    """Run one service until SIGTERM; the others run beside it, here or on other machines.

    intake takes what hotlines publish, terminals what comes over MQTT, departments their acts; command_centre,
    platforms and disclosure react; clock lets time run out; relay publishes facts; projections keeps the views; web
    answers over HTTP. Two of the same service do no harm: they share the work, or one stands by.

    Parameters
    ----------
    platform
        Of the platforms' queues only those of this platform, such as P4.
    town
        Of the platforms' queues only those of this town, by alias or code.
    """
    if (platform or town) and service != "platforms":
        raise HujiaoError(f"--platform, --town: expected the service platforms, found {service}")
    serve = processes.SERVICES[service]
    if service == "platforms":
        serve = processes.platforms(town, platform)
    elif service == "web":
        serve = processes.web(port)
    tracing.set_up(service)
    settings = processes.Settings(broker, management, mqtt, window, probe)
    asyncio.run(processes.run(service, existing_place(data), settings, serve))
    return Exit.DONE
