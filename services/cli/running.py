"""`run`: one service as a process of its own, beside others here or elsewhere; `environment`: what each is told."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from services.cli.houses import DEFAULT_DATA, AlertsFile, Data, existing_place
from services.cli.screen import Exit, out
from services.cli.topology import SecretFile, write_private
from services.processes import process
from services.processes.process import DEFAULT_PORT, LOOPBACK, Settings
from services.provisioning.environment import Named, environments, written
from services.provisioning.secret import ensure_secret
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
    "alerts",
]


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
    probe_host: Annotated[
        str, Parameter(env_var="HUJIAO_PROBE_HOST", help="The address of this machine at which the probe answers.")
    ] = LOOPBACK,
    port: Annotated[
        int, Parameter(env_var="HUJIAO_PORT", validator=Number(gte=1, lte=65535), help="The web's port.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str, Parameter(env_var="HUJIAO_HOST", help="The web's address; beyond this machine only behind TLS.")
    ] = LOOPBACK,
    alerts: AlertsFile = None,
) -> Exit:
    """Run one service until SIGTERM; the others run beside it, here or on other machines.

    intake takes what hotlines publish, terminals what comes over MQTT, departments their acts; command_centre,
    platforms and disclosure react; clock lets time run out; relay publishes facts; projections keeps the views; web
    answers over HTTP; alerts tells departments over the channels of a file, or nobody without one. Two of the same
    service do no harm: they share the work, or one stands by.

    Parameters
    ----------
    platform
        Of the platforms' queues only those of this platform, such as P4.
    town
        Of the platforms' queues only those of this town, by alias or code.
    """
    if (platform or town) and service != "platforms":
        raise HujiaoError(f"--platform, --town: expected the service platforms, found {service}")
    tracing.set_up(service)
    settings = Settings(
        broker_url=broker,
        management_url=management,
        mqtt_url=mqtt,
        window_url=window,
        probe_port=probe,
        probe_host=probe_host,
        town=town,
        platform=platform,
        host=host,
        port=port,
        alerts=alerts,
    )
    asyncio.run(process.run(service, existing_place(data), settings))
    return Exit.DONE


def environment(
    folder: Path,
    *,
    secret_file: SecretFile,
    store: str = "postgresql://127.0.0.1:5432/hujiao",
    broker: str = "amqp://127.0.0.1:5672/hujiao",
    management: str = "http://127.0.0.1:15672",
    mqtt: str = "mqtt://127.0.0.1:1883",
    window: str = "",
    probe_host: str = LOOPBACK,
) -> Exit:
    """Write a file of environment variables for each service: where the servers are, its own users and passwords.

    Asks no server. Whoever runs a service needs its file and no other: SERVICE.env. provision.env is for `store apply`,
    `topology apply` and `district load`; postgres.env, rabbitmq.env and grafana.env give the container images of those
    servers their administrators. The same secret and addresses always give the same files, each for its owner alone.
    A missing secret file is created.

    Parameters
    ----------
    store
        The database of PostgreSQL, without a user.
    broker
        RabbitMQ and its vhost, without a user; every node of a cluster, with spaces between.
    management
        RabbitMQ's management interface, of every node.
    mqtt
        Mosquitto, without a user.
    window
        Where links to cases lead.
    probe_host
        The address at which the services' probes answer; their ports begin at 9101.
    """
    secret = ensure_secret(secret_file)
    servers = Named(secret, store=store, broker=broker, management=management, mqtt=mqtt)
    everybody = dict(environments(secret, servers, window, probe_host))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, variables in everybody.items():
        write_private(folder / f"{name}.env", written(variables))
    out.print(f"Wrote {len(everybody)} files to {folder}: {', '.join(everybody)}.")
    return Exit.DONE
