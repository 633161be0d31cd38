"""`python -m aws_emulator.route53`: answer DNS queries from the deployed hosted zones."""

import signal
import sys
import threading
from collections.abc import Sequence

from dnslib import DNSRecord
from dnslib.server import (
    BaseResolver,
    DNSHandler,
    DNSServer,
)

from aws_emulator.endpoint import Endpoint
from aws_emulator.errors import CommandError
from aws_emulator.route53.messages import respond
from aws_emulator.route53.service import Service, Timing
from aws_emulator.route53.settings import Settings, parse
from aws_emulator.route53.zone_reader import read


class _Resolver(BaseResolver):  # type: ignore[misc]  # without types
    """Answer the server's requests with a service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """Return the response to a query."""
        return respond(request, handler.client_address[0], self._service.answer)


class _Silent:
    """A logger of dnslib that writes nothing."""

    def __getattr__(self, _name: str) -> object:
        return lambda *_, **__: None


def start_servers(service: Service, port: int) -> list[DNSServer]:
    """Start the servers for UDP and TCP on the loopback.

    Raises:
        CommandError: The port is in use.
    """
    servers = []
    try:
        for is_tcp in (False, True):
            server = DNSServer(_Resolver(service), "127.0.0.1", port, tcp=is_tcp, logger=_Silent())
            servers.append(server)
    except OSError as error:
        for server in servers:
            server.server.server_close()
        raise CommandError(f"Port {port} is in use. Choose another with --port.") from error
    for server in servers:
        server.start_thread()
    return servers


def stop_servers(servers: list[DNSServer]) -> None:
    """Stop servers, and close their sockets."""
    for server in servers:
        server.stop()
        server.server.server_close()


def _run(settings: Settings) -> None:
    settings.state.mkdir(parents=True, exist_ok=True)
    status = settings.state / "status.json"
    status.unlink(missing_ok=True)
    client = Endpoint(settings.endpoint, settings.location).client("route53")
    timing = Timing(settings.speed)
    service = Service(lambda: read(client), status, settings.location, settings.https_port, timing)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    servers = start_servers(service, settings.port)
    try:
        service.load()
        service.run(stopped)
    finally:
        stop_servers(servers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer until SIGINT or SIGTERM and return 0, or return 1 on a CommandError."""
    try:
        _run(parse(arguments))
    except CommandError as error:
        print(f"route53: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
