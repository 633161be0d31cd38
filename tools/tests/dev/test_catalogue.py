"""How a local run reaches its course catalogue, without servers."""

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from aws_emulator.route53.locations import service_address
from aws_emulator.route53.zone_reader import parse_check, parse_zone
from tools.dev import catalogue
from tools.regional import tier as regional
from tools.stack import StackTarget

REGIONS = ("eu-west-2", "ap-south-1")
NAMES = {"Domain": "school.example", "HostedZoneId": "Z1"}


@pytest.fixture(autouse=True)
def _no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regional, "install_requirements", lambda _folder: [])
    monkeypatch.setattr(regional, "free_port", iter(range(20_000, 21_000)).__next__)


class Route53:
    """Remember the health checks and records."""

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []

    def create_health_check(self, **parameters: Any) -> dict[str, Any]:
        self.checks.append({"Id": f"check-{len(self.checks)}", **parameters})
        return {"HealthCheck": self.checks[-1]}

    def change_resource_record_sets(self, **parameters: Any) -> None:
        assert parameters["HostedZoneId"] == NAMES["HostedZoneId"]
        changes = parameters["ChangeBatch"]["Changes"]
        self.records += [it["ResourceRecordSet"] for it in changes if it["Action"] == "UPSERT"]


def test_without_a_domain_the_edge_reaches_the_load_balancer_of_the_home(tmp_path: Path) -> None:
    tier = regional.Tier(tmp_path / "catalogue", REGIONS)
    port = tier.settings["eu-west-2"].balancer_port
    assert catalogue.parameters(tier, "") == {"LocalCatalogue": f"localhost:{port}"}
    assert len({it.balancer_port for it in tier.settings.values()}) == len(REGIONS)


def test_without_servers_the_edge_has_no_catalogue() -> None:
    assert catalogue.parameters(None, "school.example") == {}


def test_with_a_domain_visitors_reach_the_nearest_healthy_load_balancer(tmp_path: Path) -> None:
    hosts = {region: service_address(region) for region in REGIONS}
    tier = regional.Tier(tmp_path / "catalogue", REGIONS, hosts=hosts)
    (port,) = {it.balancer_port for it in tier.settings.values()}
    domain = NAMES["Domain"]
    assert catalogue.parameters(tier, domain) == {"LocalCatalogue": f"global-alb.{domain}:{port}"}
    route53 = Route53()
    catalogue.create_names(tier, route53, NAMES)
    zone = parse_zone(f"{domain}.", [it | {"Name": f"{it['Name']}."} for it in route53.records])
    nearest = zone.records[f"global-alb.{domain}.", "A"]
    assert {it.region: it.values for it in nearest} == {it: (hosts[it],) for it in REGIONS}
    checks = {it["Id"]: parse_check(it) for it in route53.checks}
    for record in nearest:
        check = checks[str(record.health_check)]
        # The check asks a name that doesn't depend on it.
        (own,) = zone.records[f"{check.host}.", "A"]
        assert (own.values, own.health_check, check.port) == (record.values, None, port)
        assert check.path == "/catalogue/health"


def test_missing_keys_end_the_start_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError("refused")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    target = StackTarget("http://127.0.0.1:9", "us-east-1")
    tier = regional.Tier(tmp_path / "catalogue", ("us-east-1",))
    outputs = {"UserPoolId": "us-east-1_a", "UserPoolClientId": "c"}
    with pytest.raises(CommandError, match="The user pool's keys can't be read"):
        catalogue.start(tier, target, outputs)
