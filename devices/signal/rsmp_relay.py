"""The relay between a site and its supervisor: a process of its own, so that it outlives the gateway.

    python -m devices.signal.rsmp_relay --listen 0.0.0.0 12111 --supervisor 192.0.2.20 12111 --socket relay.sock

What a site and its supervisor say to each other passes unread and unchanged; copies of it are kept, the newest 1 MiB,
for the gateway that attaches at the socket. A gateway that is slow, stopped or dead slows nothing. The process goes
into the background once it listens, and ends when told to (SIGTERM, or over the socket), or when for a while it has
neither a gateway nor a site. Threads that wait in the kernel: 12 MB instead of asyncio's 20, and no added latency.

At the socket, both ways big-endian: the relay sends records of kind (1 byte), number (8) and length (4), then as many
bytes: a notice (JSON, number 0) or a copied message without its form feed. The gateway sends numbers (8): this copy
and those before it need not be kept any more; or `END`.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import stat
import struct
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from devices.signal.rsmp_copies import Copies, Kind
from devices.signal.rsmp_splitter import MessageSplitter

if TYPE_CHECKING:
    from collections.abc import Sequence

PROTOCOL = 1
END = (1 << 64) - 1
NUMBER = struct.Struct("!Q")
IDLE_S = 120.0
KEEP_BYTES = 1 << 20
SPLICES_MAX = 8
CONNECT_DEADLINE_S = 5.0
HANDOVER_S = 1.0
"""A gateway that comes back may be there before its former connection is taken down."""
_TICK_S = 0.5
_CHUNK_BYTES = 65_536
# A cable that is pulled sends no FIN: either end is given up 25 s after it fell silent.
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class Splice:
    """One connection of a site and ours to the supervisor, tied together byte by byte until both have ended.

    Each direction is read only as fast as its other end takes it, and closed when its source closed it.
    """

    def __init__(self, site: socket.socket, supervisor: socket.socket, copies: Copies) -> None:
        self._site, self._supervisor, self._copies = site, supervisor, copies

    def run(self) -> None:
        """Pass bytes until both directions have ended."""
        back = threading.Thread(target=self._pump, args=(self._supervisor, self._site, Kind.SUPERVISOR), daemon=True)
        back.start()
        self._pump(self._site, self._supervisor, Kind.SITE)
        back.join()

    def _pump(self, source: socket.socket, target: socket.socket, kind: Kind) -> None:
        splitter = MessageSplitter()
        try:
            while data := source.recv(_CHUNK_BYTES):
                # Copied first: so an answer, which the other thread copies, never comes before its question.
                dropped = splitter.too_long, splitter.bytes_dropped
                for message in splitter.feed(data):
                    self._copies.add(kind, message)
                self._copies.lost(splitter.too_long - dropped[0], splitter.bytes_dropped - dropped[1])
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # Broken at either end: end both directions, as one connection would.
            for end in (self._site, self._supervisor):
                _shut_down(end)


def _shut_down(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already


class Relay:
    """Accepts sites at `listening`, and one gateway at a time at `control`."""

    def __init__(
        self,
        listening: socket.socket,
        control: socket.socket,
        supervisor: tuple[str, int],
        copies: Copies,
        idle_s: float,
    ) -> None:
        self._listening, self._control = listening, control
        self._supervisor, self._idle_s = supervisor, idle_s
        self._copies = copies
        self._splices = threading.BoundedSemaphore(SPLICES_MAX)
        self._attaching = threading.Lock()

    def run(self) -> None:
        """Serve until idle for long enough."""
        threading.Thread(target=self._serve_gateways, daemon=True).start()
        self._listening.settimeout(_TICK_S)
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < self._idle_s:
            try:
                site, _ = self._listening.accept()
            except OSError:  # mostly the tick; a connection that broke before it was accepted is nothing to us
                site = None
            if site is not None:
                threading.Thread(target=self._serve_site, args=(site,), daemon=True).start()
            if site is not None or self._attaching.locked() or self._copies.connections:
                idle_since = time.monotonic()

    def _serve_site(self, site: socket.socket) -> None:
        if not self._splices.acquire(blocking=False):
            site.close()
            return
        try:
            self._splice(site)
        except OSError as error:
            self._copies.tell({"notice": "unreachable", "why": error.strerror or str(error)})
        finally:
            site.close()
            self._splices.release()

    def _splice(self, site: socket.socket) -> None:
        with socket.create_connection(self._supervisor, CONNECT_DEADLINE_S) as supervisor:
            for end in (site, supervisor):
                end.settimeout(None)
                for option in _SOCKET_OPTIONS:
                    end.setsockopt(*option)
            self._copies.connected()
            try:
                Splice(site, supervisor, self._copies).run()
            finally:
                self._copies.disconnected()

    def _serve_gateways(self) -> None:
        while True:
            gateway, _ = self._control.accept()
            if self._attaching.acquire(timeout=HANDOVER_S):
                threading.Thread(target=self._serve_gateway, args=(gateway,), daemon=True).start()
            else:
                gateway.close()

    def _serve_gateway(self, gateway: socket.socket) -> None:
        place = {"listen": list(self._listening.getsockname()[:2]), "supervisor": list(self._supervisor)}
        self._copies.attach({"notice": "hello", "protocol": PROTOCOL, "pid": os.getpid(), **place})
        feeding = threading.Thread(target=self._feed, args=(gateway,), daemon=True)
        feeding.start()
        try:
            with gateway.makefile("rb") as numbers:
                while len(number := numbers.read(NUMBER.size)) == NUMBER.size:
                    if NUMBER.unpack(number)[0] == END:
                        os.kill(os.getpid(), signal.SIGTERM)
                    self._copies.settle(NUMBER.unpack(number)[0])
        except OSError:
            pass  # a gateway that was killed; the same as one that closed
        self._copies.detach()
        _shut_down(gateway)
        feeding.join()
        gateway.close()
        self._attaching.release()

    def _feed(self, gateway: socket.socket) -> None:
        try:
            while record := self._copies.next_record():
                gateway.sendall(record)
        except OSError:
            _shut_down(gateway)


def open_sockets(host: str, port: int, path: Path) -> tuple[socket.socket, socket.socket]:
    """Listen for sites and for the gateway. Who holds the TCP port may replace the socket. Raises OSError."""
    listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        control.bind(str(path))
    finally:
        os.umask(umask)
    control.listen()
    return listening, control


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devices.signal.rsmp_relay",
        description="Passes RSMP between a site and its supervisor, with copies for a gateway. Goes to the background.",
    )
    parser.add_argument("--listen", nargs=2, required=True, metavar=("HOST", "PORT"), help="where the site connects")
    parser.add_argument("--supervisor", nargs=2, required=True, metavar=("HOST", "PORT"), help="the site's supervisor")
    parser.add_argument("--socket", type=Path, required=True, metavar="PATH", help="where the gateway attaches")
    parser.add_argument("--idle-s", type=float, default=IDLE_S, help=f"ends after so long without anyone ({IDLE_S:g})")
    parser.add_argument("--keep-bytes", type=int, default=KEEP_BYTES, help=f"copies that are kept ({KEEP_BYTES})")
    return parser.parse_args(argv)


def _go_to_background() -> None:
    """Let nothing of the process that started us be held: its pipes, its folder."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.close(nothing)
    os.chdir("/")


def main(argv: Sequence[str] | None = None) -> int:
    """Start the relay in the background; gives the exit code of the start: 0, or 1 with a sentence on stderr."""
    options = _arguments(argv)
    path: Path = options.socket.absolute()
    try:
        listening, control = open_sockets(options.listen[0], int(options.listen[1]), path)
    except OSError as error:
        sys.stderr.write(f"cannot listen at {' port '.join(options.listen)} and {path}: {error.strerror or error}\n")
        return 1
    if os.fork():
        return 0
    _go_to_background()

    def end(*_: object) -> None:
        path.unlink(missing_ok=True)
        os._exit(0)  # at once: threads that wait in the kernel would be waited for

    signal.signal(signal.SIGTERM, end)
    supervisor = options.supervisor[0], int(options.supervisor[1])
    Relay(listening, control, supervisor, Copies(options.keep_bytes), options.idle_s).run()
    end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
