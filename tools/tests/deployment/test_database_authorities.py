"""The catalogue's packages get the authorities of Amazon RDS, and nothing else in their place."""

import datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aws_emulator.errors import CommandError
from tools.deployment.database_authorities import FILE, install, main

REGION = "eu-west-2"
URL = "https://truststore.pki.rds.amazonaws.com/eu-west-2/eu-west-2-bundle.pem"


def authority(name: str) -> bytes:
    """Return a self-signed authority in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(1).not_valid_before(start)
    builder = builder.not_valid_after(start + datetime.timedelta(days=36_500))
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    certificate = builder.add_extension(constraints, critical=True).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


ROOT_OF_RDS = authority(f"Amazon RDS {REGION} Root CA RSA2048 G1")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    for name in ("Function/CatalogueFunction", "Migration/CatalogueMigrationFunction"):
        (tmp_path / "CourseCatalogue" / name / "catalogue").mkdir(parents=True)
    return tmp_path


def test_both_packages_get_the_authorities_of_the_region(build: Path) -> None:
    urls = []

    def fetch(url: str) -> bytes:
        urls.append(url)
        return ROOT_OF_RDS

    files = install(build, REGION, fetch)
    assert urls == [URL]
    assert [it.read_bytes() for it in files] == [ROOT_OF_RDS, ROOT_OF_RDS]
    assert {it.name for it in files} == {FILE}
    assert len({it.parent.parent.name for it in files}) == 2


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\xff", ROOT_OF_RDS[:200]])
def test_other_content_stops_the_deployment(build: Path, content: bytes) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        install(build, REGION, lambda _: content)
    assert not list(build.rglob(FILE))


@pytest.mark.parametrize("name", ["Amazon RDS us-east-1 Root CA RSA2048 G1", "Another Root CA"])
def test_authority_of_another_region_or_owner_is_refused(build: Path, name: str) -> None:
    with pytest.raises(CommandError, match="no root of Amazon RDS in eu-west-2"):
        install(build, REGION, lambda _: authority(name))
    assert not list(build.rglob(FILE))


def test_catalogue_that_is_not_built_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="make build"):
        install(tmp_path, REGION, lambda _: ROOT_OF_RDS)


def test_lost_connection_is_reported_with_the_url(build: Path) -> None:
    def fetch(_: str) -> bytes:
        raise OSError("no route")

    with pytest.raises(CommandError, match=r"eu-west-2-bundle\.pem: no route"):
        install(build, REGION, fetch)


def test_command_prints_the_digest_of_checked_authorities(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The image's build compares it with what it downloads itself."""
    assert main([REGION], lambda _: ROOT_OF_RDS) == 0
    assert capsys.readouterr().out == f"{sha256(ROOT_OF_RDS).hexdigest()}\n"
    with pytest.raises(CommandError, match="no root of Amazon RDS"):
        main([REGION], lambda _: authority("Another Root CA"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [[], ["eu-west-2", "ap-south-1"]])
def test_command_needs_one_region(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="Name one Region"):
        main(arguments, lambda _: ROOT_OF_RDS)


def test_deployment_prints_the_digest_of_the_packages_authorities(
    build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(build, REGION, lambda _: ROOT_OF_RDS)
    assert f"SHA-256 {sha256(ROOT_OF_RDS).hexdigest()}\n" in capsys.readouterr().out
