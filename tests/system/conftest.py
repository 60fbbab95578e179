"""What several tests of the whole system stand on."""

import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from tests.servers import need
from tests.system.gated import Gated
from tests.system.screens import DESKTOP, Screen, browser

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


@pytest.fixture(scope="module")
def screen(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """A browser for a module's house."""
    need("chromium-driver", there=shutil.which("chromedriver") is not None)
    with browser(url, tmp_path_factory.mktemp("profile")) as screen:
        screen.size(*DESKTOP)
        yield screen
