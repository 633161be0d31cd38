"""Addresses of the emulated AWS on the command line of its servers."""

from urllib.parse import urlsplit

from aws_emulator.errors import CommandError


def parse_loopback(url: str, option: str = "--endpoint") -> tuple[str, int]:
    """Return the (host, port) of an address.

    The servers send test credentials and tokens there, so it must not be a remote host.

    Raises:
        CommandError: The address isn't HTTP on the loopback with a port.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "localhost"} or not port:
        raise CommandError(f"{option} must be an address such as http://127.0.0.1:4566, not {url}.")
    return parts.hostname, port
