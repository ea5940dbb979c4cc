"""The HTTP server: a socket, uvicorn, and a stop that finishes what is in flight."""

from __future__ import annotations

import ipaddress
import logging
import socket
import time
from types import FrameType

import uvicorn

from trm_edge.errors import ConfigError
from trm_edge.serve.application import make_application
from trm_edge.serve.request_handler import RequestHandler

logger = logging.getLogger(__name__)

_LAST_RESPONSES_SECONDS = 5  # for the last bytes of replies that are written when all is solved
_IDLE_CONNECTION_SECONDS = 65  # longer than the common minute of a proxy, which then closes first
_BACKLOG = 2048


def open_socket(host: str, port: int) -> socket.socket:
    """Open the socket that the server listens on.

    Args:
        host: an address or a name of this machine.
        port: 0 to 65535; 0: a free one.

    Raises:
        ConfigError: it cannot be opened; says why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {reason}. Choose another --host or --port."
        ) from error


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address.

    Args:
        host: an address or a name.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run_server(handler: RequestHandler, listener: socket.socket, host: str, name: str) -> int:
    """Serve until a signal comes and what is there is answered.

    Args:
        handler: an entered one.
        listener: an open socket.
        host: that it was opened for.
        name: of what is served, for the log.

    Returns:
        Requests that the stop ended without an answer.
    """
    server = Server(handler)
    if not is_loopback(host):
        logger.warning(
            "other machines can reach %s, and this server asks nobody who they are. Put "
            "authentication in front of it.",
            host,
        )
    address = f"[{host}]" if ":" in host else host
    port = listener.getsockname()[1]
    logger.info("serving %s on http://%s:%d; stop with Ctrl-C", name, address, port)
    server.run(sockets=[listener])
    if server.broken_off:
        logger.error("%d requests were broken off", server.broken_off)
    return server.broken_off


class Server(uvicorn.Server):
    """A uvicorn server that keeps answering until all requests that were taken on are solved.

    The first SIGTERM or Ctrl-C makes the handler refuse work; ``/readyz`` says so while the rest is
    solved. After the grace period, or with a second signal, the rest is broken off.

    Args:
        handler: an entered one.

    Attributes:
        broken_off: requests that the stop ended without an answer.
    """

    def __init__(self, handler: RequestHandler) -> None:
        config = uvicorn.Config(
            make_application(handler),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_IDLE_CONNECTION_SECONDS,
            timeout_graceful_shutdown=_LAST_RESPONSES_SECONDS,
        )
        super().__init__(config)
        self.broken_off = 0
        self._handler = handler
        self._stop_at: float | None = None  # by time.monotonic(), when the rest is broken off

    @property
    def is_stopping(self) -> bool:
        """Whether a signal came."""
        return self._stop_at is not None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop taking work; with the second signal, stop at once.

        Args:
            sig: number of the signal.
            frame: where it came.
        """
        now = time.monotonic()
        if self._stop_at is None:
            self._stop_at = now + self._handler.limits.grace_seconds
        else:
            self._stop_at = now

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether the server can end.

        Args:
            counter: number of the tick.
        """
        if self._stop_at is not None and not self.should_exit:
            self._go_on_stopping(self._stop_at)
        return await super().on_tick(counter)

    def _go_on_stopping(self, stop_at: float) -> None:
        # Not in the signal's handler: it may have come while this thread held the queue's lock.
        self._handler.stop()
        if self._handler.is_drained:
            self.should_exit = True
        elif time.monotonic() >= stop_at:
            self.broken_off = self._handler.break_off()
            self.should_exit = True
