"""A process that hears facts and dies of one: ``python -m tests.contract.victim JSON``. It prints how often it died.

It begins again after each death, as a process under supervision does, until it hears the last fact.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from events.envelope import Recorded
from services.runtime.places import Folder, Server
from tests.contract.subscribing import Store, cursor_on, queues_at

MOST_DEATHS = 20


def live(asked: dict[str, Any]) -> None:
    """Hear until the deadly fact or the last one."""
    store = Store(Server(asked["url"]) if "url" in asked else Folder(Path(asked["folder"])))
    effects = os.open(asked["effects"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def handle(facts: Sequence[Recorded]) -> None:
        for recorded in facts:
            os.write(effects, f"{recorded.id}\n".encode())
            if recorded.id == asked["deadly"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if recorded.id == asked["last"]:
                os._exit(0)

    subscription = queues_at(asked["broker"], asked["queues"], store) if "broker" in asked else cursor_on(store)
    asyncio.run(subscription.run(handle))


def main(asked: dict[str, Any]) -> int:
    """Live and die; gives how often."""
    for deaths in range(MOST_DEATHS):
        child = os.fork()
        if not child:
            live(asked)
        if os.waitpid(child, 0)[1] == 0:
            return deaths
    raise AssertionError(f"expected the deadly fact to be found out, found {MOST_DEATHS} deaths")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    sys.stdout.write(str(main(json.loads(sys.argv[1]))))
