"""Give the catalogue's packages the certificate authorities of Amazon RDS.

    python -m tools.deployment.database_authorities <Region>

prints the SHA-256 of a Region's authorities, for the image of the catalogue's tasks.

Neither Lambda's runtime nor a container trusts them, so the catalogue would refuse the database's
certificate (Amazon Aurora, "Using SSL/TLS to encrypt a connection to a DB cluster"). They come over
TLS from AWS's own host at each deployment, because AWS adds and replaces them.
"""

import ssl
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from aws_emulator.errors import CommandError
from tools.cli import exit_code

#: src/catalogue/database.py reads the file.
FILE: Final = "rds_authorities.pem"
URL: Final = "https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
_TIMEOUT_S: Final = 30

#: Returns the content of a URL.
type Fetch = Callable[[str], bytes]


def install(build: Path, region: str, fetch: Fetch | None = None) -> list[Path]:
    """Write a Region's authorities to the built packages of the catalogue; return the files.

    Args:
        build: The output folder of `sam build`.
        region: The Region of the database.
        fetch: Returns the content of a URL; by default, a request over TLS.

    Raises:
        CommandError: The authorities can't be read, or the catalogue isn't built.
    """
    content = authorities(region, fetch)
    packages = sorted(build.glob("**/Catalogue*Function/catalogue"))
    if not packages:
        raise CommandError("The catalogue isn't built. Run `make build`, then deploy again.")
    for package in packages:
        (package / FILE).write_bytes(content)
    print(f"Added the authorities of Amazon RDS in {region}: SHA-256 {digest(content)}")
    return [it / FILE for it in packages]


def authorities(region: str, fetch: Fetch | None = None) -> bytes:
    """Return a Region's authorities, which have names of Amazon RDS, in PEM.

    Raises:
        CommandError: They can't be read, or have other names.
    """
    url = URL.format(region=region)
    try:
        content = (fetch or _fetch)(url)
        names = _names(content.decode("ascii"))
    except (OSError, ValueError) as problem:
        raise CommandError(
            f"The certificate authorities of Amazon RDS can't be read at {url}: {problem}. Check "
            "the connection, and deploy again."
        ) from problem
    if not any(it.startswith(f"Amazon RDS {region} Root CA") for it in names):
        raise CommandError(
            f"{url} has no root of Amazon RDS in {region}, only: {', '.join(names) or 'nothing'}. "
            "Deploy again, or ask AWS Support."
        )
    return content


def digest(content: bytes) -> str:
    """Return the SHA-256 of authorities as `ADD --checksum` of a Dockerfile has it."""
    return sha256(content).hexdigest()


def _names(text: str) -> list[str]:
    """Return the common names of the authorities.

    Raises:
        OSError: The text isn't a list of certificates in PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)
    certificates: list[dict[str, Any]] = context.get_ca_certs()
    subjects = [dict(pair for row in it["subject"] for pair in row) for it in certificates]
    return [it.get("commonName", "") for it in subjects]


def _fetch(url: str) -> bytes:
    with urlopen(url, timeout=_TIMEOUT_S) as response:
        content: bytes = response.read()
        return content


def main(arguments: Sequence[str], fetch: Fetch | None = None) -> int:
    """Print the digest of a Region's authorities.

    Raises:
        CommandError: The Region is missing, or its authorities can't be read.
    """
    if len(arguments) != 1:
        raise CommandError(
            "Name one Region: `python -m tools.deployment.database_authorities eu-west-2`."
        )
    print(digest(authorities(arguments[0], fetch)))
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(lambda: main(sys.argv[1:])))
