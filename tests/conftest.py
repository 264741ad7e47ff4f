"""What every test gets: shapes and types checked as ganlab runs, one torch thread, no connection to another machine,
a cache of its own."""

import os
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

import tests.typecheck

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")
CACHE = tempfile.TemporaryDirectory(prefix="ganlab-tests-")
os.environ["GANLAB_CACHE"] = CACHE.name  # whoever runs the tests keeps their own as it is
tests.typecheck.install()  # must come before the first import of ganlab

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # test processes run side by side

LOOPBACK = ("localhost", "::1", "::", "0.0.0.0", "")


class NetworkForbidden(RuntimeError):
    """A test tried to reach another machine."""


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):  # a Unix socket's path
        return True
    host = str(address[0])
    return host in LOOPBACK or host.startswith(("127.", "::ffff:127."))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test keeps, another does not find."""
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path_factory.getbasetemp() / f"cache-{os.urandom(6).hex()}"))


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Connections that leave this machine raise `NetworkForbidden`, and so does asking for the name of another."""
    patch = pytest.MonkeyPatch()
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded(call: Any) -> Any:
        def checked(self: socket.socket, address: Any) -> Any:
            if not _is_local(address):
                raise NetworkForbidden(f"a test tried to connect to {address}")
            return call(self, address)

        return checked

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        if not _is_local((name,)) and name != socket.gethostname():
            raise NetworkForbidden(f"a test tried to look up {name}")
        return getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded(connect))
    patch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
    patch.setattr(socket, "getaddrinfo", resolve)
    yield
    patch.undo()
