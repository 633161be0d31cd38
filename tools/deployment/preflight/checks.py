"""The checks of `make preflight`: pure functions from facts about an account to findings."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from tools.deployment import leftovers
from tools.deployment.environments import Environment
from tools.deployment.fixed_names import TakenName, describe_taken_name
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight.account import Caller, Concurrency, HostedZone, Sender, Stack
from tools.deployment.preflight.findings import Finding, error, ok, warning
from tools.stack import DEFAULT_HOME_REGION

#: The Regions of CloudFront's regional edge caches, where Lambda@Edge functions run (Amazon
#: CloudFront Developer Guide, "Quotas on Lambda@Edge": the quota is per Region).
EDGE_REGIONS: Final = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ap-south-1", "ap-northeast-1",
    "ap-northeast-2", "ap-southeast-1", "ap-southeast-2", "eu-central-1", "eu-west-1",
    "eu-west-2", "sa-east-1",
)  # fmt: skip
#: Lambda keeps this many executions unreserved (AWS Lambda Developer Guide, "Configuring reserved
#: concurrency for a function").
MIN_UNRESERVED_EXECUTIONS: Final = 100
#: The statuses of a stack whose creation failed. CloudFormation can only delete such a stack
#: (AWS CloudFormation User Guide, "Troubleshooting CloudFormation", ROLLBACK_COMPLETE).
NEVER_COMPLETE: Final = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
#: The default quota of an account that isn't new.
DEFAULT_QUOTA_EXECUTIONS: Final = 1000
#: The observation of a check that couldn't be made begins with it.
UNREADABLE: Final = "couldn't be checked"
_RAISE_QUOTA: Final = (
    "Request a higher quota: aws service-quotas request-service-quota-increase --service-code "
    "lambda --quota-code L-B99A9384 --desired-value 1000 --region {region}"
)


def check_caller(caller: Caller) -> Finding:
    """Report the identity that will deploy; the account's root user isn't fit for it."""
    if caller.arn.endswith(":root"):
        return warning(
            "credentials",
            f"the root user of account {caller.account}",
            "Use a role or an IAM Identity Center user; root credentials can't be restricted.",
        )
    return ok("credentials", f"{caller.arn}")


def check_region(region: str, *, enabled: bool) -> Finding:
    """Check that the account has enabled the Region."""
    if enabled:
        return ok("Region", f"{region} is enabled")
    return error(
        "Region",
        f"{region} isn't enabled in this account",
        f"Enable it, which takes minutes: aws account enable-region --region-name {region}",
    )


def check_stack(name: str, region: str, stack: Stack | None) -> Finding:
    """Check that CloudFormation accepts a deployment in the stack's state."""
    if stack is None:
        return ok("stack", f"{name} doesn't exist yet")
    if stack.status in NEVER_COMPLETE:
        return warning(
            "stack",
            f"{name} is in {stack.status}: its creation failed",
            "`make deploy` deletes the failed stack first. Or delete it now: "
            f"aws cloudformation delete-stack --stack-name {name} --region {region}",
        )
    if stack.status == "DELETE_FAILED":
        return error(
            "stack",
            f"{name} is in {stack.status}, which accepts no update",
            f"Delete the failed stack: aws cloudformation delete-stack --stack-name {name} "
            f"--region {region}",
        )
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return error(
            "stack",
            f"{name} is in UPDATE_ROLLBACK_FAILED",
            "Read the stack's events, solve the cause, then: "
            f"aws cloudformation continue-update-rollback --stack-name {name} --region {region}",
        )
    if stack.status == "REVIEW_IN_PROGRESS":
        return ok("stack", f"{name} has a change set and no resources yet")
    if stack.status.endswith("_IN_PROGRESS"):
        return error(
            "stack",
            f"{name} is in {stack.status}",
            "Another deployment is running. Wait until it ends.",
        )
    return ok("stack", f"{name} is in {stack.status}")


def check_home(environment: Environment, deployed: Mapping[str, Stack]) -> Finding:
    """Check that the environment has the home Region of the stage's deployed stacks.

    Another home would get an empty user pool and empty tables, and the stacks of the first home
    would lose their tasks.

    Args:
        environment: The environment to deploy.
        deployed: The stage's existing stacks by name.
    """
    homes = {
        name: it.parameters.get("HomeRegion", DEFAULT_HOME_REGION)
        for name, it in deployed.items()
        if it.parameters and it.status not in NEVER_COMPLETE | {"REVIEW_IN_PROGRESS"}
    }
    others = {name: it for name, it in homes.items() if it != environment.home_region}
    if not others:
        return ok("home", f"{environment.home_region} has the data and the users")
    listed = ", ".join(f"{name} has HomeRegion={it}" for name, it in sorted(others.items()))
    return error(
        "home",
        f"{environment.name} has HomeRegion={environment.home_region}, but {listed}. A parameter "
        "doesn't move users and tables",
        f"Set HomeRegion={next(iter(others.values()))} in the parameter_overrides of all "
        "environments of the stage, or deploy another Stage: docs/deploying.md#another-home",
    )


def check_leftovers(present: Sequence[ExistingResource], environment: str) -> Finding:
    """Check that no resource of an earlier stack has a name that the templates need.

    `environment` is the name of the environment, for the remedy.
    """
    if stopping := leftovers.refused(present):
        listed = "; ".join(leftovers.describe(it) for it in stopping)
        return error(
            "leftovers",
            f"resources of an earlier stack can't be adopted: {listed}",
            "Deploy with another Stage, or back up the data "
            "(docs/deploying.md#repeat-a-failed-deployment), and delete the resources: "
            + "; ".join(leftovers.deletion(it) for it in stopping),
        )
    if present:
        listed = "; ".join(leftovers.describe(it) for it in present)
        return warning(
            "leftovers",
            f"an earlier stack left resources behind: {listed}",
            "`make deploy` adopts those with data and deletes the empty ones. Or delete the empty "
            f"ones now: make leftovers REMOVE=1 PLACE={environment}",
        )
    return ok("leftovers", "no resource of an earlier stack is in the way")


def check_fixed_names(taken: Sequence[TakenName]) -> Finding:
    """Check that no other resource has a name that the deployment needs."""
    if not taken:
        return ok("fixed names", "all other names of the templates are free or in use by us")
    listed = "; ".join(describe_taken_name(it) for it in taken)
    return error(
        "fixed names",
        f"resources without a stack have names that the templates need: {listed}",
        "Deploy with another Stage, or delete them: " + "; ".join(it.deletion for it in taken),
    )


def check_reserved_concurrency(
    region: str, mode: str, quota: Concurrency, needed: int, already_reserved: int, fixed: int = 0
) -> Finding:
    """Check that Lambda accepts the reserved concurrency of the templates, in executions.

    Args:
        region: The Region of the environment.
        mode: The parameter ReservedConcurrency: auto, all or none.
        quota: The Region's quota.
        needed: The sum that the environment's custom resources reserve; less with auto.
        already_reserved: The part of it that the deployed functions have already.
        fixed: What its functions reserve themselves, also with auto.
    """
    check = "reserved concurrency"
    free = quota.unreserved + already_reserved - MIN_UNRESERVED_EXECUTIONS
    if mode == "none" or needed + fixed <= max(free, 0):
        reserved = 0 if mode == "none" else needed + fixed
        return ok(check, f"{reserved} of {quota.limit} executions in {region}")
    if mode == "auto" and fixed:
        # The custom resource comes first, and leaves less than the function needs.
        return error(
            check,
            f"the catalogue's function reserves {fixed} executions and the others {needed}, but "
            f"Lambda's quota in {region} is {quota.limit} with {quota.unreserved} unreserved, and "
            f"Lambda keeps {MIN_UNRESERVED_EXECUTIONS} unreserved",
            _RAISE_QUOTA.format(region=region)
            + ". Until then deploy with ReservedConcurrency=none.",
        )
    needed += fixed
    report = warning if mode == "auto" else error
    return report(
        check,
        f"the functions reserve {needed} executions, but Lambda's quota in {region} is "
        f"{quota.limit} with {quota.unreserved} unreserved, and Lambda keeps "
        f"{MIN_UNRESERVED_EXECUTIONS} unreserved",
        _RAISE_QUOTA.format(region=region)
        + ". Afterwards deploy with ReservedConcurrency=all. Until then auto reserves what the "
        "quota allows.",
    )


def check_edge_quotas(quotas: Mapping[str, Concurrency]) -> Finding:
    """Check the Lambda quota in the Regions where CloudFront runs the edge functions."""
    low = {region: it.limit for region, it in quotas.items() if it.limit < DEFAULT_QUOTA_EXECUTIONS}
    if not low:
        return ok("edge quotas", f"{len(quotas)} Regions allow {DEFAULT_QUOTA_EXECUTIONS} or more")
    listed = ", ".join(f"{region} {limit}" for region, limit in sorted(low.items()))
    return warning(
        "edge quotas",
        f"concurrent executions below {DEFAULT_QUOTA_EXECUTIONS}: {listed}. Above a Region's quota "
        "CloudFront answers 503 to its viewers",
        _RAISE_QUOTA.format(region="<region>"),
    )


def check_domain(domain: str, owner: str | None, own_pool: str | None) -> Finding:
    """Check that the prefix of Cognito's sign-in domain is free or belongs to the stack's pool."""
    if owner is None or owner == own_pool:
        return ok("sign-in domain", f"{domain} is {'free' if owner is None else 'in use by us'}")
    return error(
        "sign-in domain",
        f"the prefix {domain} belongs to the user pool {owner}",
        f"Delete the domain of that pool, or deploy another Stage: aws cognito-idp "
        f"delete-user-pool-domain --user-pool-id {owner} --domain {domain}",
    )


def check_zone(
    domain: str, zone_id: str, zone: str | None, existing: Sequence[str] = ()
) -> Finding:
    """Check that the records of the domain can be created.

    Args:
        domain: The parameter Domain; '' for none.
        zone_id: The parameter HostedZoneId.
        zone: The name of the public hosted zone with this ID; None if there is none.
        existing: The records of the zone that the deployment would create.
    """
    check = "domain name"
    if not domain:
        return ok(check, "none: the portal has CloudFront's domain name")
    if zone is None:
        return error(
            check,
            f"the account has no public hosted zone {zone_id or '(HostedZoneId is empty)'}",
            "List the zones, and set HostedZoneId in all environments of the stage: aws route53 "
            f"list-hosted-zones-by-name --dns-name {domain}",
        )
    if domain != zone and not domain.endswith(f".{zone}"):
        return error(
            check,
            f"{domain} isn't in the hosted zone {zone_id}, which is {zone}'s",
            "Set Domain or HostedZoneId in all environments of the stage.",
        )
    if existing:
        return error(
            check,
            f"{', '.join(existing)} exists in the hosted zone {zone_id}; the deployment creates "
            "records with these names",
            "Delete them, or deploy with another Domain: aws route53 change-resource-record-sets "
            f"--hosted-zone-id {zone_id} (with the action DELETE)",
        )
    return ok(check, f"{domain} is in the hosted zone of {zone}")


def check_domain_change(domain: str, deployed: str) -> Finding:
    """Check that a stack with a domain doesn't get another one in the same deployment.

    A user pool has one custom domain (Amazon Cognito, UserPoolType, CustomDomain), and
    CloudFormation creates the new one before it deletes the old one.
    """
    check = "change of the domain"
    if not domain or deployed in ("", domain):
        return ok(check, "none")
    return error(
        check,
        f"the stack has the domain {deployed}, and a user pool can't have two",
        f"Deploy the stage without Domain and HostedZoneId first, then with Domain={domain}.",
    )


def check_delegation(zone: HostedZone, answering: Collection[str]) -> Finding:
    """Check that the parent of a hosted zone delegates to its name servers.

    Args:
        zone: The hosted zone of the domain.
        answering: The name servers that a resolver found for the zone.
    """
    check = "delegation"
    expected = ", ".join(sorted(zone.name_servers))
    if zone.name_servers & set(answering):
        return ok(check, f"{zone.name} is delegated to the name servers of the hosted zone")
    present = ", ".join(sorted(answering)) or "none"
    return error(
        check,
        f"the name servers of {zone.name} are {present}, not those of the hosted zone: the "
        "certificates would stay unvalidated and the deployment would wait for hours",
        f"Enter these name servers where {zone.name} is registered, or as its NS record in the "
        f"parent zone: {expected}. Resolvers can keep the old ones for two days.",
    )


def check_sender(address: str, sender: Sender, region: str) -> list[Finding]:
    """Check that Amazon SES sends emails from the address, and to everyone."""
    if not address:
        return [
            warning(
                "email",
                "the parameter Sender is empty, so students get no emails from SES",
                "Verify a domain in Amazon SES and set Sender=<address> in samconfig.toml.",
            )
        ]
    findings = []
    if sender.verified_identity is None:
        findings.append(
            error(
                "email",
                f"Amazon SES in {region} has no verified identity for {address}, so Cognito "
                "refuses the user pool",
                f"Verify the domain: aws sesv2 create-email-identity --email-identity "
                f"{address.rpartition('@')[2]} --region {region}",
            )
        )
    if not sender.production_access:
        findings.append(
            warning(
                "email",
                f"Amazon SES in {region} is in the sandbox: it sends 200 emails a day, and only to "
                "verified recipients",
                "Request production access: aws sesv2 put-account-details "
                f"--production-access-enabled --region {region} (and its other options)",
            )
        )
    return findings or [ok("email", f"{sender.verified_identity} is verified")]


def check_regional_prerequisites(
    environment: Environment, home: Stack | None, replica_stream: str | None
) -> list[Finding]:
    """Check what a stack takes from the home Region: the user pool, and a replica of the table.

    An edge without the home needs no replica.
    """
    findings = []
    if home is None or "UserPoolArn" not in home.outputs:
        findings.append(
            error(
                "home stack",
                f"stage {environment.stage} isn't deployed in the home Region",
                "Deploy the stage, which begins with the home Region: "
                f"make deploy PLACE={environment.stage}",
            )
        )
    if replica_stream is None and environment.is_serving:
        findings.append(
            error(
                "table replica",
                f"meridian-{environment.stage}-appointments has no replica with a stream in "
                f"{environment.region}",
                "Add the Region to ReplicaRegions of the home's environment, and deploy the stage: "
                f"make deploy PLACE={environment.stage}",
            )
        )
    replica = " and the table's replica" if environment.is_serving else ""
    return findings or [ok("home Region", f"the user pool{replica} can be used")]


def check_permissions(denied: Sequence[str]) -> Finding:
    """Check the actions that the deployment needs, as IAM's policy simulator decided them."""
    if not denied:
        return ok("permissions", "the caller may do everything that a deployment needs")
    shown = ", ".join(denied[:8]) + (f" and {len(denied) - 8} more" if len(denied) > 8 else "")
    return warning(
        "permissions",
        f"IAM's policy simulator denies {shown}",
        "Deploy with the role of pipeline/deployer.yaml, or add these actions to the caller's "
        "policies. The simulator ignores grants that are limited to single resources.",
    )


def check_unreadable(check: str, reason: str) -> Finding:
    """Report a check that couldn't be made."""
    return warning(check, f"{UNREADABLE}: {reason}", "Give the caller read permission.")
