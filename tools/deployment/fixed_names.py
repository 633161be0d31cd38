"""Look up the resources with a fixed name that no template retains, and name their deletion.

CloudFormation deletes them with their stack. One that exists without a stack is of a failed
deletion, or of another application, and the deployment would fail with "already exists".
`retained_resources` looks up the types with data.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from tools.deployment import catalogue
from tools.deployment.environments import Environment
from tools.deployment.retained_resources import Clients
from tools.deployment.templates import NamedResource
from tools.stack import EDGE_REGION

#: (client, name, start of ARNs as arn:aws:<service>:<Region>:<account>) -> true if it exists.
type Lookup = Callable[[Any, str, str], object]

_NOT_FOUND: Final = {
    *("DBClusterNotFoundFault", "GlobalClusterNotFoundFault", "LoadBalancerNotFound"),
    *("EntityNotFoundException", "NotFound", "NotFoundException", "ResourceNotFoundException"),
    *("StateMachineDoesNotExist", "TrailNotFoundException"),
}


@dataclass(frozen=True)
class TakenName:
    """A resource that has the name of a resource in the templates, and its deletion."""

    resource: NamedResource
    #: A command of the AWS CLI, or two.
    deletion: str


@dataclass(frozen=True)
class _NamedType:
    """Describe a type: boto3's service, how to find a name, and how to delete the resource."""

    service: str
    lookup: Lookup
    deletion: str


def _workgroup(athena: Any, name: str, _arn: str) -> bool:
    page = athena.list_work_groups(MaxResults=50)
    while page.get("NextToken") and name not in {it["Name"] for it in page["WorkGroups"]}:
        page = athena.list_work_groups(MaxResults=50, NextToken=page["NextToken"])
    return name in {it["Name"] for it in page["WorkGroups"]}


def _log_group(logs: Any, name: str, _arn: str) -> bool:
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(it["logGroupName"] == name for it in groups)


def _rule(events: Any, name: str, _arn: str) -> bool:
    """Look the rule up on each bus: its template refers to the bus."""
    return any(
        rule["Name"] == name
        for bus in events.list_event_buses()["EventBuses"]
        for rule in events.list_rules(NamePrefix=name, EventBusName=bus["Name"])["Rules"]
    )


def _web_acl(wafv2: Any, name: str, arn: str) -> bool:
    scopes = ["REGIONAL", "CLOUDFRONT"] if f":{EDGE_REGION}:" in arn else ["REGIONAL"]
    acls = (acl for scope in scopes for acl in wafv2.list_web_acls(Scope=scope)["WebACLs"])
    return any(acl["Name"] == name for acl in acls)


def _cloudfront(kind: str, plural: str, *path: str) -> _NamedType:
    """Describe a type of CloudFront, which has IDs and lists instead of a lookup by name.

    `path` leads from an item of the list to its name.
    """

    def lookup(cloudfront: Any, name: str, _arn: str) -> bool:
        only_own = {"Type": "custom"} if plural.endswith("policies") else {}
        answer = getattr(cloudfront, f"list_{plural.replace('-', '_')}")(**only_own)
        (listed,) = (it for key, it in answer.items() if key.endswith("List"))
        return any(_at(item, path) == name for item in listed.get("Items", []))

    deletion = (
        f"aws cloudfront list-{plural}, then aws cloudfront delete-{kind} --id <ID of {{name}}> "
        f"--if-match <ETag of aws cloudfront get-{kind} --id <ID>>"
    )
    return _NamedType("cloudfront", lookup, deletion)


def _at(item: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        item = item[part]
    return item


#: A part of a command that reads the ARN of a load balancer.
_BALANCER_ARN: Final = (
    "$(aws elbv2 describe-load-balancers --names {name} --region {region} --query "
    "LoadBalancers[0].LoadBalancerArn --output text)"
)
#: The types of `named_resources` that the templates don't retain.
NAMED_TYPES: Final[Mapping[str, _NamedType]] = {
    "AWS::Athena::WorkGroup": _NamedType(
        "athena",
        _workgroup,
        "aws athena delete-work-group --work-group {name} --recursive-delete-option "
        "--region {region}",
    ),
    "AWS::CloudFront::CachePolicy": _cloudfront(
        *("cache-policy", "cache-policies", "CachePolicy", "CachePolicyConfig", "Name")
    ),
    "AWS::CloudFront::KeyGroup": _cloudfront(
        *("key-group", "key-groups", "KeyGroup", "KeyGroupConfig", "Name")
    ),
    "AWS::CloudFront::OriginAccessControl": _cloudfront(
        *("origin-access-control", "origin-access-controls", "Name")
    ),
    "AWS::CloudFront::OriginRequestPolicy": _cloudfront(
        *("origin-request-policy", "origin-request-policies", "OriginRequestPolicy"),
        *("OriginRequestPolicyConfig", "Name"),
    ),
    "AWS::CloudFront::ResponseHeadersPolicy": _cloudfront(
        *("response-headers-policy", "response-headers-policies", "ResponseHeadersPolicy"),
        *("ResponseHeadersPolicyConfig", "Name"),
    ),
    "AWS::CloudTrail::Trail": _NamedType(
        "cloudtrail",
        lambda client, name, _arn: client.get_trail(Name=name),
        "aws cloudtrail delete-trail --name {name} --region {region}",
    ),
    # Elastic Load Balancing, "Delete an Application Load Balancer": first its protection.
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _NamedType(
        "elbv2",
        lambda client, name, _arn: client.describe_load_balancers(Names=[name])["LoadBalancers"],
        f"aws elbv2 modify-load-balancer-attributes --load-balancer-arn {_BALANCER_ARN} "
        "--attributes Key=deletion_protection.enabled,Value=false --region {region}, then aws "
        f"elbv2 delete-load-balancer --load-balancer-arn {_BALANCER_ARN} --region {{region}}",
    ),
    "AWS::Events::EventBus": _NamedType(
        "events",
        lambda client, name, _arn: client.describe_event_bus(Name=name),
        "aws events delete-event-bus --name {name} --region {region}",
    ),
    "AWS::Events::Rule": _NamedType(
        "events",
        _rule,
        "aws events remove-targets and aws events delete-rule, each with --event-bus-name <bus> "
        "--region {region}, for the rule {name}",
    ),
    "AWS::Glue::Database": _NamedType(
        "glue",
        lambda client, name, _arn: client.get_database(Name=name),
        "aws glue delete-database --name {name} --region {region}",
    ),
    "AWS::Logs::LogGroup": _NamedType(
        "logs", _log_group, "aws logs delete-log-group --log-group-name {name} --region {region}"
    ),
    # Amazon Aurora, "Deleting Aurora DB clusters and DB instances": a cluster without instances.
    "AWS::RDS::DBCluster": _NamedType(
        "rds",
        lambda client, name, _arn: client.describe_db_clusters(DBClusterIdentifier=name),
        "aws rds modify-db-cluster --db-cluster-identifier {name} --no-deletion-protection "
        "--region {region}, then aws rds delete-db-instance --db-instance-identifier <ID> "
        "--region {region} for each instance, then aws rds delete-db-cluster "
        "--db-cluster-identifier {name} --final-db-snapshot-identifier {name}-last --region "
        "{region}, which keeps the data as a snapshot",
    ),
    "AWS::RDS::GlobalCluster": _NamedType(
        "rds",
        lambda client, name, _arn: client.describe_global_clusters(GlobalClusterIdentifier=name),
        "aws rds remove-from-global-cluster --global-cluster-identifier {name} "
        "--db-cluster-identifier <ARN of a cluster> --region {region} for each cluster, then aws "
        "rds modify-global-cluster --global-cluster-identifier {name} --no-deletion-protection "
        "--region {region}, then aws rds delete-global-cluster --global-cluster-identifier {name} "
        "--region {region}",
    ),
    "AWS::SNS::Topic": _NamedType(
        "sns",
        lambda client, name, arn: client.get_topic_attributes(TopicArn=f"{arn}:{name}"),
        "aws sns delete-topic --topic-arn {arn}:{name} --region {region}",
    ),
    "AWS::Scheduler::Schedule": _NamedType(
        "scheduler",
        lambda client, name, _arn: client.get_schedule(Name=name),
        "aws scheduler delete-schedule --name {name} --region {region}",
    ),
    "AWS::Serverless::Function": _NamedType(
        "lambda",
        lambda client, name, _arn: client.get_function_configuration(FunctionName=name),
        "aws lambda delete-function --function-name {name} --region {region}",
    ),
    "AWS::Serverless::StateMachine": _NamedType(
        "stepfunctions",
        lambda client, name, arn: client.describe_state_machine(
            stateMachineArn=f"{arn}:stateMachine:{name}"
        ),
        "aws stepfunctions delete-state-machine --state-machine-arn {arn}:stateMachine:{name} "
        "--region {region}",
    ),
    "AWS::WAFv2::WebACL": _NamedType(
        "wafv2",
        _web_acl,
        "aws wafv2 list-web-acls, then aws wafv2 delete-web-acl --name {name} with its ID, scope "
        "and lock token, each with --region {region}",
    ),
}
#: Services whose name in an ARN isn't boto3's.
_ARN_SERVICES: Final = {"stepfunctions": "states"}
#: SAM's types, and those that CloudFormation creates from them.
TRANSFORMED: Final = {
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine",
}


def taken_names(
    environment: Environment,
    expected: Iterable[NamedResource],
    owned: set[tuple[str, str]],
    clients: Clients,
    account: str,
) -> list[TakenName]:
    """Return the names of resources to create that another resource has.

    Args:
        environment: Its parameters tell which optional stacks the deployment creates.
        expected: The resources with a fixed name of the environment.
        owned: Types and logical IDs of the resources that its stack has already.
        clients: Makes a client for a service and a Region.
        account: The account's ID.

    Raises:
        ClientError: A call failed.
    """
    taken = []
    for resource in expected:
        kind = NAMED_TYPES.get(resource.type)
        is_owned = (TRANSFORMED.get(resource.type, resource.type), resource.logical_id) in owned
        if kind is None or resource.retained or is_owned or not is_selected(environment, resource):
            continue
        arn = ":".join(
            ("arn:aws", _ARN_SERVICES.get(kind.service, kind.service), resource.region, account)
        )
        if _exists(kind, clients(kind.service, resource.region), resource.name, arn):
            values = {"name": resource.name, "region": resource.region, "arn": arn}
            taken.append(TakenName(resource, kind.deletion.format(account=account, **values)))
    return taken


def describe_taken_name(taken: TakenName) -> str:
    """Return one line: type, name, Region and the template that has the name."""
    resource = taken.resource
    kind = resource.type.rpartition("::")[2]
    return f"{kind} {resource.name} in {resource.region} ({resource.source})"


def is_selected(environment: Environment, resource: NamedResource) -> bool:
    """Return whether the environment's parameters select the stack with a resource."""
    if resource.template == "stacks/audit.yaml":
        return environment.parameter("AuditTrail") == "true"
    if resource.template == "stacks/edge-request-logs.yaml":
        return environment.parameter("RequestLogs") == "true"
    if not resource.template.startswith("stacks/catalogue/"):
        return True
    if resource.type == "AWS::RDS::GlobalCluster" and not (
        environment.is_home and environment.parameter("GlobalDatabase") == "true"
    ):
        return False
    return catalogue.is_wanted(environment)


def _exists(kind: _NamedType, client: Any, name: str, arn: str) -> bool:
    """Return whether a resource has the name.

    Raises:
        ClientError: The call failed for another reason than a missing resource.
    """
    try:
        return bool(kind.lookup(client, name, arn))
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_FOUND:
            raise
        return False
