"""Read the facts about an AWS account that the checks need. Each method makes read-only calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from aws_emulator.stack_failures import is_missing
from tools.cli import reason_of
from tools.deployment.preflight.catalogue import Networks
from tools.deployment.preflight.user_pool import UserPool
from tools.stack import outputs_of, parameters_of

_CONFIG: Final = Config(
    retries={"mode": "standard"}, connect_timeout=5, read_timeout=30, user_agent_extra="preflight"
)
#: IAM accepts at most this many ActionNames per SimulatePrincipalPolicy request in practice.
_SIMULATED_ACTIONS: Final = 50
#: Service Quotas, Amazon VPC, "VPCs per Region".
_VPCS_PER_REGION: Final = "L-F678F1CE"


@dataclass(frozen=True)
class Caller:
    """The identity of the credentials."""

    account: str
    arn: str

    @property
    def policy_source_arn(self) -> str:
        """The ARN that IAM's policy simulator accepts: the role of an assumed-role session.

        IAM User Guide, "IAM identifiers": a session's ARN is
        arn:aws:sts::<account>:assumed-role/<role>/<session>. The role's path isn't in it.
        """
        _, partition, _, _, account, resource = self.arn.split(":", 5)
        kind, _, rest = resource.partition("/")
        if kind != "assumed-role":
            return self.arn
        return f"arn:{partition}:iam::{account}:role/{rest.split('/')[0]}"


@dataclass(frozen=True)
class Concurrency:
    """A Region's Lambda quota and the part of it that isn't reserved, in executions."""

    limit: int
    unreserved: int


@dataclass(frozen=True)
class Stack:
    """A CloudFormation stack's status, outputs and parameters."""

    status: str
    outputs: dict[str, str]
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sender:
    """Amazon SES in one Region: the sandbox, and the first verified identity of the sender."""

    production_access: bool
    verified_identity: str | None


@dataclass(frozen=True)
class HostedZone:
    """A hosted zone: its name and its name servers, without dots at the end."""

    name: str
    name_servers: frozenset[str]


def _aws_client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region, config=_CONFIG)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Account:
    """Read one AWS account.

    `region` is the Region of the environment; `client` makes a client for a service and a Region.
    """

    region: str
    client: Callable[[str, str], Any] = _aws_client

    def caller(self) -> Caller:
        """Return the identity of the credentials (AWS STS, GetCallerIdentity).

        Raises:
            CommandError: There are no valid credentials.
        """
        identity = self._call("sts", lambda it: it.get_caller_identity())
        return Caller(str(identity["Account"]), str(identity["Arn"]))

    def region_is_enabled(self) -> bool:
        """Return whether the account has enabled the Region (AWS Account Management).

        Raises:
            CommandError: AWS refused the call.
        """
        response = self._call(
            "account", lambda it: it.get_region_opt_status(RegionName=self.region), "us-east-1"
        )
        return response["RegionOptStatus"] in ("ENABLED", "ENABLED_BY_DEFAULT")

    def concurrency(self, region: str | None = None) -> Concurrency:
        """Return a Region's Lambda quota (GetAccountSettings).

        Raises:
            CommandError: AWS refused the call.
        """
        settings = self._call("lambda", lambda it: it.get_account_settings(), region)
        limits = settings["AccountLimit"]
        return Concurrency(
            int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
        )

    def reserved_concurrency(self, prefix: str) -> int:
        """Return the reserved concurrency of the functions whose names start with `prefix`.

        Raises:
            CommandError: AWS refused a call.
        """

        def read(client: Any) -> int:
            total = 0
            for page in client.get_paginator("list_functions").paginate():
                for function in page["Functions"]:
                    if function["FunctionName"].startswith(prefix):
                        name = function["FunctionName"]
                        reserved = client.get_function_concurrency(FunctionName=name)
                        total += int(reserved.get("ReservedConcurrentExecutions") or 0)
            return total

        return int(self._call("lambda", read))

    def stack(self, name: str, region: str | None = None) -> Stack | None:
        """Return a stack, or None if there is none with this name.

        Raises:
            CommandError: AWS refused the call.
        """

        def read(client: Any) -> Stack | None:
            try:
                (stack,) = client.describe_stacks(StackName=name)["Stacks"]
            except ClientError as problem:
                if is_missing(problem):
                    return None
                raise
            return Stack(str(stack["StackStatus"]), outputs_of(stack), parameters_of(stack))

        deployed_stack: Stack | None = self._call("cloudformation", read, region)
        return deployed_stack

    def networks(self) -> Networks:
        """Return the Region's VPCs and their quota.

        Raises:
            CommandError: AWS refused a call.
        """

        def count(client: Any) -> int:
            return sum(
                len(page["Vpcs"]) for page in client.get_paginator("describe_vpcs").paginate()
            )

        quota = self._call(
            "service-quotas",
            lambda it: it.get_service_quota(ServiceCode="vpc", QuotaCode=_VPCS_PER_REGION),
        )
        return Networks(int(self._call("ec2", count)), int(quota["Quota"]["Value"]))

    def database_versions(self, engine: str) -> list[str]:
        """Return the versions of an engine with which a database can be created in the Region.

        Raises:
            CommandError: AWS refused the call.
        """

        def read(client: Any) -> list[str]:
            pages = client.get_paginator("describe_db_engine_versions").paginate(Engine=engine)
            return [str(it["EngineVersion"]) for page in pages for it in page["DBEngineVersions"]]

        versions: list[str] = self._call("rds", read)
        return versions

    def domain_owner(self, domain: str) -> str | None:
        """Return the ID of the user pool that has a Cognito domain prefix; None if it is free.

        Only pools of this account are visible. A prefix that another account has looks free.

        Raises:
            CommandError: AWS refused the call.
        """
        response = self._call("cognito-idp", lambda it: it.describe_user_pool_domain(Domain=domain))
        owner = response["DomainDescription"].get("UserPoolId")
        return str(owner) if owner else None

    def user_pool(self, pool_id: str) -> UserPool | None:
        """Return a user pool with its groups and domains, or None if the Region has none.

        Raises:
            CommandError: AWS refused a call.
        """

        def read(client: Any) -> UserPool | None:
            try:
                described = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
            except client.exceptions.ResourceNotFoundException:
                return None
            pages = client.get_paginator("list_groups").paginate(UserPoolId=pool_id)
            groups = frozenset(it["GroupName"] for page in pages for it in page["Groups"])
            versions = {}
            for domain in filter(None, (described.get("Domain"), described.get("CustomDomain"))):
                details = client.describe_user_pool_domain(Domain=domain)["DomainDescription"]
                is_name = "." in domain
                host = domain if is_name else f"{domain}.auth.{self.region}.amazoncognito.com"
                versions[host] = int(details.get("ManagedLoginVersion") or 1)
            pages = client.get_paginator("list_identity_providers").paginate(UserPoolId=pool_id)
            providers = frozenset(it["ProviderName"] for page in pages for it in page["Providers"])
            return UserPool(described, groups, versions, providers)

        pool: UserPool | None = self._call("cognito-idp", read)
        return pool

    def sender(self, address: str) -> Sender:
        """Return SES's state for a sender address, whose domain may be verified instead.

        An empty address has no identity.

        Raises:
            CommandError: AWS refused a call.
        """

        def read(client: Any) -> Sender:
            production = bool(client.get_account().get("ProductionAccessEnabled"))
            for identity in filter(None, (address, address.rpartition("@")[2])):
                try:
                    details = client.get_email_identity(EmailIdentity=identity)
                except client.exceptions.NotFoundException:
                    continue
                if details.get("VerifiedForSendingStatus"):
                    return Sender(production, identity)
            return Sender(production, None)

        sender: Sender = self._call("sesv2", read)
        return sender

    def zone(self, zone_id: str) -> HostedZone | None:
        """Return a public hosted zone; None if there is none.

        Raises:
            CommandError: AWS refused the call.
        """

        def read(client: Any) -> HostedZone | None:
            try:
                response = client.get_hosted_zone(Id=zone_id)
            except client.exceptions.NoSuchHostedZone:
                return None
            zone = response["HostedZone"]
            if zone.get("Config", {}).get("PrivateZone", False):
                return None
            servers = response.get("DelegationSet", {}).get("NameServers", [])
            name = str(zone["Name"]).removesuffix(".")
            return HostedZone(name, frozenset(str(it).rstrip(".").lower() for it in servers))

        zone: HostedZone | None = self._call("route53", read)
        return zone

    def records(self, zone_id: str, names: Sequence[str]) -> list[str]:
        """Return the address records and aliases of a hosted zone with one of the names.

        Each is a text such as "A a.example", or "A a.example (x)" with the identifier x.

        Raises:
            CommandError: AWS refused the call.
        """

        def read(client: Any) -> list[str]:
            records = []
            pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
            for record in (it for page in pages for it in page["ResourceRecordSets"]):
                name = str(record["Name"]).removesuffix(".")
                if record["Type"] in ("A", "AAAA", "CNAME") and name in names:
                    identifier = record.get("SetIdentifier")
                    suffix = f" ({identifier})" if identifier else ""
                    records.append(f"{record['Type']} {name}{suffix}")
            return records

        listed: list[str] = self._call("route53", read)
        return listed

    def replica_stream_arn(self, table: str) -> str | None:
        """Return the stream of a table's replica in the Region; None if either doesn't exist.

        Raises:
            CommandError: AWS refused the call.
        """

        def read(client: Any) -> str | None:
            try:
                described = client.describe_table(TableName=table)["Table"]
            except client.exceptions.ResourceNotFoundException:
                return None
            arn = described.get("LatestStreamArn")
            return str(arn) if arn else None

        stream_arn: str | None = self._call("dynamodb", read)
        return stream_arn

    def denied_actions(self, source_arn: str, actions: Sequence[str]) -> list[str]:
        """Return the actions that the caller's policies don't allow (SimulatePrincipalPolicy).

        The simulation uses `Resource: *`, so a policy that allows an action on some resources
        only is reported as a denial.

        Raises:
            CommandError: AWS refused the call; the caller may not use the simulator.
        """

        def read(client: Any) -> list[str]:
            denied = []
            for start in range(0, len(actions), _SIMULATED_ACTIONS):
                names = list(actions[start : start + _SIMULATED_ACTIONS])
                pages = client.get_paginator("simulate_principal_policy").paginate(
                    PolicySourceArn=source_arn, ActionNames=names
                )
                denied += [
                    str(it["EvalActionName"])
                    for page in pages
                    for it in page["EvaluationResults"]
                    if it["EvalDecision"] != "allowed"
                ]
            return denied

        denied_actions: list[str] = self._call("iam", read)
        return denied_actions

    def _call(self, service: str, request: Callable[[Any], Any], region: str | None = None) -> Any:
        try:
            return request(self.client(service, region or self.region))
        except (ClientError, BotoCoreError) as problem:
            raise CommandError(
                f"{service}: {reason_of(problem)}. Check your credentials and their permissions."
            ) from problem
