"""What several tests of the whole system stand on."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from tests.system.gated import Gated

HOST = "127.0.0.1"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def url(house: Gated) -> Iterator[str]:
    """Where a module's house answers over real HTTP."""
    with socket.create_server((HOST, 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="warning", lifespan="off"))
        serving = threading.Thread(target=server.run, args=([listener],), daemon=True)
        serving.start()
        yield f"http://{HOST}:{listener.getsockname()[1]}"
        house.window.live.end()
        server.should_exit = True
        serving.join(timeout=PATIENCE_S)
        assert not serving.is_alive(), "expected open streams to let the server stop"
