"""The proxy between a client and a server: passes on faithfully, and breaks links on demand."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from deploy.processes import until
from tests.proxy import CHUNK_BYTES, HOST, Proxy

PATIENCE_S = 10.0
NOT_YET_S = 0.2


def echo(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while words := connection.recv(4096):
            connection.sendall(words)


@pytest.fixture
def echo_port() -> Iterator[int]:
    """Somebody who says everything again, and ends when the other has ended."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxy(echo_port) as opened:
        yield opened


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), PATIENCE_S)


def answer(link: socket.socket, words: bytes) -> bytes:
    link.sendall(words)
    return link.recv(len(words))


def test_what_was_sent_arrives_whole_before_the_end_does(proxy: Proxy) -> None:
    words = bytes(range(256)) * 4 * 1024
    with connect(proxy) as link:
        sending = threading.Thread(target=lambda: (link.sendall(words), link.shutdown(socket.SHUT_WR)))
        sending.start()

        heard = b"".join(iter(lambda: link.recv(65536), b""))

        sending.join()
        assert heard == words


def test_links_are_counted(proxy: Proxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        assert answer(one, b"one") == b"one"
        assert answer(other, b"other") == b"other"
        assert (proxy.links, proxy.accepted) == (2, 2)
        other.shutdown(socket.SHUT_WR)
        assert other.recv(1) == b""

    assert until(lambda: proxy.links == 0, PATIENCE_S)
    assert proxy.accepted == 2


def test_cut_resets_old_and_new_links_until_it_is_mended(proxy: Proxy) -> None:
    with connect(proxy) as link:
        assert answer(link, b"before") == b"before"

        proxy.cut()

        assert proxy.links == 0
        with pytest.raises(ConnectionResetError):
            link.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as link:
        link.recv(1)

    proxy.mend()

    with connect(proxy) as link:
        assert answer(link, b"after") == b"after"


def test_while_it_is_frozen_nobody_hears_anything_and_then_everything(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert answer(old, b"before") == b"before"

        proxy.freeze()

        with connect(proxy) as new:
            for link in (old, new):
                link.settimeout(NOT_YET_S)
                with pytest.raises(TimeoutError):
                    answer(link, b"hello")
                link.settimeout(PATIENCE_S)
            proxy.thaw()
            assert old.recv(5) == b"hello"
            assert new.recv(5) == b"hello"


def test_a_frozen_link_can_be_cut(proxy: Proxy) -> None:
    proxy.freeze()
    with connect(proxy) as link:
        link.sendall(b"hello")

        proxy.cut()

        with pytest.raises(ConnectionResetError):
            link.recv(1)


def test_slow_means_a_wait_before_each_chunk_in_each_direction(proxy: Proxy) -> None:
    with connect(proxy) as link:
        proxy.slow(0.05)
        begun = time.monotonic()

        answer(link, b"slowly")

        assert time.monotonic() - begun >= 0.1
        proxy.slow(0)
        assert answer(link, b"fast" * CHUNK_BYTES)


def test_without_a_server_behind_it_links_are_reset() -> None:
    with socket.create_server((HOST, 0)) as gone:
        port = gone.getsockname()[1]
    with Proxy(port) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as link:
        link.recv(1)


def test_closing_ends_all_links_and_frees_the_port(echo_port: int) -> None:
    proxy = Proxy(echo_port)
    with connect(proxy) as link:
        assert answer(link, b"hello") == b"hello"

        proxy.close()
        proxy.close()

        with pytest.raises(ConnectionResetError):
            link.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
