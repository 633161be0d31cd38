"""The checks of `make preflight`, as functions of facts about an account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.deployment.environments import Environment, read_environment
from tools.deployment.preflight import checks
from tools.deployment.preflight.account import Caller, Concurrency, HostedZone, Sender, Stack
from tools.deployment.preflight.findings import Finding, Severity, error, ok, summary, warning

EXECUTIONS = st.integers(min_value=0, max_value=5000)


def environment(name: str = "default") -> Environment:
    return read_environment(name)


def severities(findings: list[Finding]) -> list[Severity]:
    return [it.severity for it in findings]


@pytest.mark.parametrize(
    ("domain", "zone", "severity"),
    [
        ("", None, Severity.OK),
        ("school.example", "school.example", Severity.OK),
        ("learn.school.example", "school.example", Severity.OK),
        ("school.example", None, Severity.ERROR),
        ("school.example", "example.org", Severity.ERROR),
        ("myschool.example", "school.example", Severity.ERROR),
    ],
)
def test_domain_must_be_in_its_hosted_zone(
    domain: str, zone: str | None, severity: Severity
) -> None:
    assert checks.check_zone(domain, "Z1", zone).severity is severity


def test_domain_changes_only_in_two_deployments() -> None:
    assert checks.check_domain_change("a.example", "").severity is Severity.OK
    assert checks.check_domain_change("a.example", "a.example").severity is Severity.OK
    assert checks.check_domain_change("", "a.example").severity is Severity.OK
    finding = checks.check_domain_change("b.example", "a.example")
    assert finding.severity is Severity.ERROR
    assert "without Domain and HostedZoneId first" in finding.remedy


SERVERS = frozenset({"ns-1.awsdns-01.com", "ns-2.awsdns-02.net"})


@pytest.mark.parametrize(
    ("answering", "severity"),
    [
        (set(SERVERS), Severity.OK),
        # A resolver may give a part of them.
        ({"ns-1.awsdns-01.com"}, Severity.OK),
        ({"ns1.registrar.example"}, Severity.ERROR),
        (set(), Severity.ERROR),
    ],
)
def test_zone_that_is_not_delegated_stops_a_deployment(
    answering: set[str], severity: Severity
) -> None:
    """CloudFormation would wait for the validation of the certificates for hours."""
    finding = checks.check_delegation(HostedZone("school.example", SERVERS), answering)
    assert finding.severity is severity
    if severity is Severity.ERROR:
        assert all(it in finding.remedy for it in SERVERS)
        assert (", ".join(sorted(answering)) or "are none") in finding.observation


def test_existing_record_of_the_domain_stops_a_deployment() -> None:
    """Otherwise CloudFormation refuses it after the certificate and the distribution."""
    finding = checks.check_zone("a.example", "Z1", "a.example", ["A a.example"])
    assert finding.severity is Severity.ERROR
    assert "A a.example" in finding.observation


@pytest.mark.parametrize(
    ("arn", "source"),
    [
        ("arn:aws:iam::111122223333:user/asha", "arn:aws:iam::111122223333:user/asha"),
        (
            "arn:aws:sts::111122223333:assumed-role/meridian-deployer/run-7",
            "arn:aws:iam::111122223333:role/meridian-deployer",
        ),
        (
            "arn:aws-cn:sts::111122223333:assumed-role/r/s",
            "arn:aws-cn:iam::111122223333:role/r",
        ),
    ],
)
def test_simulator_gets_the_role_of_a_session(arn: str, source: str) -> None:
    assert Caller("111122223333", arn).policy_source_arn == source


def test_root_user_is_a_warning() -> None:
    caller = Caller("111122223333", "arn:aws:iam::111122223333:root")
    assert checks.check_caller(caller).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("CREATE_COMPLETE", Severity.OK),
        ("UPDATE_COMPLETE", Severity.OK),
        ("UPDATE_ROLLBACK_COMPLETE", Severity.OK),
        ("REVIEW_IN_PROGRESS", Severity.OK),
        ("ROLLBACK_COMPLETE", Severity.WARNING),
        ("ROLLBACK_FAILED", Severity.WARNING),
        ("DELETE_FAILED", Severity.ERROR),
        ("UPDATE_ROLLBACK_FAILED", Severity.ERROR),
        ("UPDATE_IN_PROGRESS", Severity.ERROR),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Severity.ERROR),
    ],
)
def test_stack_status_decides_whether_a_deployment_can_start(
    status: str, severity: Severity
) -> None:
    finding = checks.check_stack("s", "eu-west-2", Stack(status, {}))
    assert finding.severity is severity
    # The stack's Region is often not that of the AWS CLI.
    assert ("aws " not in finding.remedy) or ("--region eu-west-2" in finding.remedy)


def test_missing_stack_is_no_problem() -> None:
    assert checks.check_stack("s", "eu-west-2", None).severity is Severity.OK


@given(limit=EXECUTIONS, needed=EXECUTIONS, others=EXECUTIONS, already=EXECUTIONS)
def test_reserved_concurrency_is_accepted_exactly_when_lambda_accepts_it(
    limit: int, needed: int, others: int, already: int
) -> None:
    """`others` is reserved by other functions, `already` by the deployed version of ours."""
    quota = Concurrency(limit, max(limit - others - already, 0))
    reserved_before = limit - quota.unreserved - already
    finding = checks.check_reserved_concurrency("us-east-1", "all", quota, needed, already)
    accepted = needed == 0 or limit - reserved_before - needed >= 100
    assert (finding.severity is Severity.OK) is accepted


@pytest.mark.parametrize(
    ("mode", "severity"), [("auto", Severity.WARNING), ("all", Severity.ERROR)]
)
def test_young_account_is_told_how_to_raise_the_quota(mode: str, severity: Severity) -> None:
    finding = checks.check_reserved_concurrency("us-east-1", mode, Concurrency(10, 10), 67, 0)
    assert finding.severity is severity
    assert "reserve 67" in finding.observation
    assert "--quota-code L-B99A9384" in finding.remedy


def test_account_that_reserves_nothing_needs_no_quota() -> None:
    finding = checks.check_reserved_concurrency("us-east-1", "none", Concurrency(10, 10), 67, 0)
    assert finding.severity is Severity.OK


@pytest.mark.parametrize(
    ("mode", "unreserved", "severity"),
    [
        ("auto", 187, Severity.OK),
        ("auto", 186, Severity.ERROR),
        ("auto", 10, Severity.ERROR),
        ("all", 186, Severity.ERROR),
        ("none", 10, Severity.OK),
    ],
)
def test_reservation_of_a_function_itself_is_refused_if_the_quota_is_too_small(
    mode: str, unreserved: int, severity: Severity
) -> None:
    """No custom resource adapts it, so the nested stack would fail."""
    quota = Concurrency(unreserved, unreserved)
    finding = checks.check_reserved_concurrency("us-east-1", mode, quota, 67, 0, 20)
    assert finding.severity is severity
    if mode == "auto" and severity is Severity.ERROR:
        assert "ReservedConcurrency=none" in finding.remedy


def test_edge_quota_below_the_default_names_the_region() -> None:
    quotas = dict.fromkeys(checks.EDGE_REGIONS, Concurrency(1000, 1000))
    assert checks.check_edge_quotas(quotas).severity is Severity.OK
    finding = checks.check_edge_quotas(quotas | {"eu-west-2": Concurrency(10, 10)})
    assert finding.severity is Severity.WARNING
    assert "eu-west-2 10" in finding.observation


@pytest.mark.parametrize(
    ("owner", "own_pool", "severity"),
    [
        (None, None, Severity.OK),
        ("us-east-1_a", "us-east-1_a", Severity.OK),
        ("us-east-1_b", "us-east-1_a", Severity.ERROR),
        ("us-east-1_b", None, Severity.ERROR),
    ],
)
def test_sign_in_domain_of_another_pool_is_an_error(
    owner: str | None, own_pool: str | None, severity: Severity
) -> None:
    assert checks.check_domain("meridian-dev-1", owner, own_pool).severity is severity


@pytest.mark.parametrize(
    ("address", "sender", "expected"),
    [
        ("a@b.example", Sender(production_access=True, verified_identity="b.example"), ["OK"]),
        ("a@b.example", Sender(production_access=True, verified_identity=None), ["ERROR"]),
        (
            "a@b.example",
            Sender(production_access=False, verified_identity=None),
            ["ERROR", "WARNING"],
        ),
        ("", Sender(production_access=False, verified_identity=None), ["WARNING"]),
    ],
)
def test_email_findings_name_identity_and_sandbox(
    address: str, sender: Sender, expected: list[str]
) -> None:
    findings = checks.check_sender(address, sender, "us-east-1")
    assert [it.severity.name for it in findings] == expected


def test_edge_needs_home_stack_and_no_replica() -> None:
    home = Stack("CREATE_COMPLETE", {"UserPoolArn": "arn"})
    check = checks.check_regional_prerequisites
    assert severities(check(environment("edge"), home, None)) == [Severity.OK]
    (finding,) = check(environment("edge"), None, None)
    assert finding.severity is Severity.ERROR
    assert finding.remedy.endswith("make deploy PLACE=prod")


@pytest.mark.parametrize(
    ("parameters", "status", "severity"),
    [
        ({"Stage": "prod", "HomeRegion": "eu-west-2"}, "UPDATE_COMPLETE", Severity.OK),
        ({"Stage": "prod", "HomeRegion": "us-east-1"}, "UPDATE_COMPLETE", Severity.ERROR),
        # Deployed before the parameter existed.
        ({"Stage": "prod"}, "UPDATE_COMPLETE", Severity.ERROR),
        # Nothing of it remains.
        ({"Stage": "prod", "HomeRegion": "us-east-1"}, "ROLLBACK_COMPLETE", Severity.OK),
    ],
)
def test_another_home_than_the_deployed_one_is_refused(
    parameters: dict[str, str], status: str, severity: Severity
) -> None:
    deployed = {"meridian-prod-us-east-1": Stack(status, {}, parameters)}
    finding = checks.check_home(environment("london"), deployed)
    assert finding.severity is severity
    if severity is Severity.ERROR:
        assert "meridian-prod-us-east-1 has HomeRegion=us-east-1" in finding.observation
        assert "Set HomeRegion=us-east-1" in finding.remedy


def test_stage_without_stacks_can_have_any_home() -> None:
    assert checks.check_home(environment("london"), {}).severity is Severity.OK


def test_regional_environment_needs_home_stack_and_replica() -> None:
    london = environment("london")
    home = Stack("CREATE_COMPLETE", {"UserPoolArn": "arn"})
    check = checks.check_regional_prerequisites
    assert severities(check(london, home, "arn")) == [Severity.OK]
    assert severities(check(london, None, "arn")) == [Severity.ERROR]
    assert severities(check(london, home, None)) == [Severity.ERROR]
    assert severities(check(london, None, None)) == [Severity.ERROR] * 2


def test_denied_actions_are_listed_up_to_eight() -> None:
    assert checks.check_permissions([]).severity is Severity.OK
    finding = checks.check_permissions([f"s3:Action{it}" for it in range(10)])
    assert finding.severity is Severity.WARNING
    assert "s3:Action7 and 2 more" in finding.observation


@given(st.lists(st.sampled_from(list(Severity))))
def test_summary_counts_every_finding_once(kinds: list[Severity]) -> None:
    make = {
        Severity.OK: lambda: ok("c", "o"),
        Severity.WARNING: lambda: warning("c", "o", "r"),
        Severity.ERROR: lambda: error("c", "o", "r"),
    }
    numbers = [
        int(word) for word in summary([make[it]() for it in kinds]).split() if word.isdigit()
    ]
    assert numbers == [kinds.count(it) for it in Severity]


def test_problem_without_a_remedy_does_not_exist() -> None:
    """The only constructors of problems, `warning` and `error`, require a remedy."""
    for finding in (warning("c", "o", "r"), error("c", "o", "r")):
        assert len(finding.lines()) == 2


def test_summary_counts_one_finding_of_each_severity() -> None:
    findings = [ok("a", ""), warning("b", "", ""), error("c", "", "")]
    assert summary(findings) == "1 check passed, 1 warning, 1 error"
