"""Rules for the course catalogue's templates."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from catalogue import migration, server, settings
from catalogue.http import Request
from catalogue.router import Router
from custom_resource import response
from tests.support.paths import ROOT
from tests.unit.stacks.test_alarm_metrics import metrics
from tests.unit.stacks.test_granted_actions import LOGS, TRACES
from tests.unit.stacks.test_templates import CATALOGUE, load, of_type, resources, statements
from tests.unit.stacks.transformed import text_of
from tools.deployment import database_authorities
from tools.deployment.built_templates import fixed_reservations
from tools.deployment.catalogue_price import region_dollars
from tools.deployment.conditions import evaluate
from tools.deployment.sam_transform import transformed
from tools.deployment.templates import load as long_form

FOLDER: Final = ROOT / "stacks" / "catalogue"
MAIN: Final = FOLDER / "template.yaml"
#: Three Regions of the documentation: the edge, and the two of the production stage.
REGIONS: Final = ("us-east-1", "eu-west-2", "ap-south-1")
#: The Regions with the catalogue in a layout of up to five, the home first.
SERVING: Final = ("eu-west-2", "ap-south-1", "eu-central-1", "ap-southeast-2", "sa-east-1")
RECORD: Final = ROOT / "docs" / "decisions" / "0087-instances-as-targets.md"
#: Conditions that decide whether a resource exists, and their resources. None of these holds data:
#: the container of a global database has no clusters of its own, an instance none of its cluster's
#: data, and the rest are the application.
CONDITIONAL: Final = {
    "template.yaml": {"Migration": "IsHome", "Function": "UsesLambda", "Tasks": "UsesFargate"},
    "database.yaml": {
        "GlobalCluster": "HasGlobalCluster",
        "Reader": "HasReaders",
        "SecondReader": "HasSecondReader",
        "ThirdReader": "HasThirdReader",
    },
}
#: The value of the parameter Architecture -> Docker's name of the platform.
PLATFORMS: Final = {"x86_64": "amd64", "arm64": "arm64"}
#: AWSLambdaVPCAccessExecutionRole without the logs.
NETWORK: Final = {
    *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
}
#: AmazonECSTaskExecutionRolePolicy.
TASK_START: Final = {
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
    "ecr:GetDownloadUrlForLayer",
}
FUNCTION: Final = LOGS | TRACES | NETWORK | {"rds-db:connect"}
#: Role -> exactly the actions that it allows.
GRANTS: Final = {
    "CatalogueRole": FUNCTION | {"elasticache:Connect"},
    "CatalogueMigrationRole": FUNCTION,
    "StartRole": LOGS | TASK_START,
    "ServerRole": {"rds-db:connect", "elasticache:Connect"},
}
#: The service's limit for the longest stage (12 characters) and Region (14): CreateLoadBalancer,
#: CreateTargetGroup, CreateServerlessCache, CreateUser, CreateUserGroup, CreateDBCluster,
#: CreateBucket.
LENGTHS: Final = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("Name", 32),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("Name", 32),
    "AWS::ElastiCache::ServerlessCache": ("ServerlessCacheName", 40),
    "AWS::ElastiCache::User": ("UserId", 40),
    "AWS::ElastiCache::UserGroup": ("UserGroupId", 40),
    "AWS::RDS::DBCluster": ("DBClusterIdentifier", 63),
    "AWS::S3::Bucket": ("BucketName", 63),
}


@cache
def named(kind: str) -> dict[str, dict[str, Any]]:
    """Return logical ID -> resource of a type, of all templates of the catalogue."""
    return {name: it for path in CATALOGUE for name, it in of_type(path, kind).items()}


def one(kind: str) -> dict[str, Any]:
    """Return the properties of the only resource of a type."""
    ((_, resource),) = named(kind).items()
    properties: dict[str, Any] = resource["Properties"]
    return properties


@pytest.mark.slow
def test_templates_and_fragment_for_instances_are_valid_in_each_region(tmp_path: Path) -> None:
    assert len(CATALOGUE) == 9
    (text,) = re.findall(r"^```yaml\n(.*?)^```", RECORD.read_text(), re.MULTILINE | re.DOTALL)
    fragment = tmp_path / "instances.yaml"
    fragment.write_text(text)
    # In one process: cfn-lint takes seconds to start.
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--regions"]
    command += [*sorted({*REGIONS, *SERVING}), "--", *map(str, CATALOGUE), str(fragment)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def members(path: Path, region: str, **parameters: str) -> set[str]:
    """Return the logical IDs of a template's resources in a Region, for values of parameters."""
    template = long_form(path)
    resources_by_id: dict[str, Any] = template["Resources"]
    return {
        name
        for name, it in resources_by_id.items()
        if "Condition" not in it
        or evaluate(template, {"Condition": it["Condition"]}, region, "eu-west-2", parameters)
    }


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("compute", ["lambda", "fargate"])
def test_global_database_has_a_member_and_an_application_in_each_region(
    count: int, compute: str
) -> None:
    """The home is in London, and the edge in us-east-1 has neither."""
    values = {"Catalogue": "true", "GlobalDatabase": "true", "Compute": compute, "Readers": "0"}
    regions = SERVING[:count]
    root = {it: members(ROOT / "template.yaml", it, **values) for it in (*regions, "us-east-1")}
    assert {it for it in root if "CourseCatalogue" in root[it]} == set(regions)
    main = {it: members(MAIN, it, **values) for it in regions}
    database = {it: members(FOLDER / "database.yaml", it, **values) for it in regions}
    for region in regions:
        is_home = region == "eu-west-2"
        assert main[region] >= {"Network", "Database", "Cache", "Balancer", "Alarms"}
        assert ("Migration" in main[region]) is is_home
        assert ("Tasks" in main[region]) is (compute == "fargate")
        assert ("Function" in main[region]) is (compute == "lambda")
        assert database[region] >= {"Database", "FirstInstance"}
        assert ("GlobalCluster" in database[region]) is is_home


@pytest.mark.parametrize("readers", range(4))
@pytest.mark.parametrize("is_global", ["true", "false"])
def test_each_region_has_the_readers_of_the_parameter(readers: int, is_global: str) -> None:
    """ "Aurora Auto Scaling isn't supported" for serverless instances (Aurora Serverless v2)."""
    values = {"GlobalDatabase": is_global, "Readers": str(readers)}
    for region in SERVING:
        found_ids = members(FOLDER / "database.yaml", region, **values)
        expected = {"FirstInstance", *("Reader", "SecondReader", "ThirdReader")[:readers]}
        assert found_ids & named("AWS::RDS::DBInstance").keys() == expected
    parameter = load(ROOT / "template.yaml")["Parameters"]["Readers"]
    assert (parameter["MinValue"], parameter["MaxValue"]) == (0, 3)
    instances = named("AWS::RDS::DBInstance").values()
    assert {it["Properties"]["DBInstanceClass"] for it in instances} == {"db.serverless"}
    scaled = named("AWS::ApplicationAutoScaling::ScalableTarget").values()
    assert {it["Properties"]["ServiceNamespace"] for it in scaled} == {"ecs"}


@pytest.mark.parametrize(("catalogue", "expected"), [("true", {"eu-west-2"}), ("false", set())])
def test_single_database_is_in_the_home_only(catalogue: str, expected: set[str]) -> None:
    values = {"Catalogue": catalogue, "GlobalDatabase": "false"}
    with_stack = {
        region
        for region in REGIONS
        if "CourseCatalogue" in members(ROOT / "template.yaml", region, **values)
    }
    assert with_stack == expected


@pytest.mark.parametrize("is_global", ["true", "false"])
@pytest.mark.parametrize("home", ["us-east-1", "eu-west-2"])
@pytest.mark.parametrize("region", REGIONS)
def test_only_a_stack_with_the_catalogue_needs_its_values(
    region: str, home: str, is_global: str
) -> None:
    """`make deploy` looks them up for these stacks only."""
    template = long_form(ROOT / "template.yaml")
    values = {"Catalogue": "true", "GlobalDatabase": is_global, "Domain": "school.example"}
    values |= {"Compute": "lambda", "CloudFrontPrefixList": "none", "StaffKeys": "none"}
    asserted = [it["Assert"] for it in template["Rules"]["CatalogueValues"]["Assertions"]]
    is_refused = not all(evaluate(template, it, region, home, values) for it in asserted)
    assert is_refused is evaluate(template, {"Condition": "HasCatalogue"}, region, home, values)


@pytest.mark.parametrize("path", CATALOGUE, ids=lambda path: path.stem)
def test_condition_decides_no_data(path: Path) -> None:
    used = {name: it["Condition"] for name, it in resources(path).items() if "Condition" in it}
    assert used == CONDITIONAL.get(path.name, {})


def test_database_is_protected_and_leaves_a_snapshot() -> None:
    ((_, cluster),) = named("AWS::RDS::DBCluster").items()
    assert cluster["DeletionPolicy"] == cluster["UpdateReplacePolicy"] == "Snapshot"
    assert cluster["Properties"]["DeletionProtection"] is True
    assert cluster["Properties"]["StorageEncrypted"] is True
    ((_, container),) = named("AWS::RDS::GlobalCluster").items()
    assert container["Properties"]["DeletionProtection"] is True
    assert container["DeletionPolicy"] == "RetainExceptOnCreate"
    ((_, key),) = named("AWS::KMS::Key").items()
    assert key["DeletionPolicy"] == "RetainExceptOnCreate"


def test_global_cluster_has_no_source() -> None:
    """After a switchover, CloudFormation reports false drift of it; a repair detaches a cluster."""
    assert "SourceDBClusterIdentifier" not in one("AWS::RDS::GlobalCluster")
    cluster = one("AWS::RDS::DBCluster")
    assert "SourceDBClusterIdentifier" not in cluster
    container, further = cluster["GlobalClusterIdentifier"]["Fn::If"][1]["Fn::If"][1:]
    assert container == {"Ref": "GlobalCluster"}
    assert further == one("AWS::RDS::GlobalCluster")["GlobalClusterIdentifier"]


@pytest.mark.parametrize("name", ["MasterUsername", "DatabaseName", "MasterUserAuthenticationType"])
def test_further_member_has_no_owner_of_its_own(name: str) -> None:
    """RDS refuses these properties for a further member of a global database."""
    assert one("AWS::RDS::DBCluster")[name]["Fn::If"][::2] == ["IsHome", {"Ref": "AWS::NoValue"}]


def test_no_password_exists() -> None:
    """Secrets Manager can't manage one for a member of a global database."""
    cluster = one("AWS::RDS::DBCluster")
    assert cluster["MasterUserAuthenticationType"]["Fn::If"][1] == "iam-db-auth"
    assert not {"MasterUserPassword", "ManageMasterUserPassword"} & cluster.keys()
    assert not named("AWS::SecretsManager::Secret")
    assert one("AWS::ElastiCache::User")["AuthenticationMode"] == {"Type": "iam"}


def test_database_pauses_only_without_readers_and_global_database() -> None:
    conditions = load(FOLDER / "database.yaml")["Conditions"]
    assert conditions["Pauses"] == {
        "Fn::And": [
            {"Fn::Equals": [{"Ref": "Readers"}, 0]},
            {"Fn::Not": [{"Fn::Condition": "IsGlobal"}]},
        ]
    }
    scaling = one("AWS::RDS::DBCluster")["ServerlessV2ScalingConfiguration"]
    assert scaling["MinCapacity"] == {"Fn::If": ["Pauses", 0, 0.5]}
    # A health check that asks the database would keep it awake.
    health = load(FOLDER / "database.yaml")["Outputs"]["Health"]["Value"]
    assert health == {"Fn::If": ["Pauses", "process", "database"]}


def test_network_has_no_part_that_is_billed_by_the_hour() -> None:
    """Neither a NAT gateway nor an interface endpoint."""
    kinds = {it["Type"] for path in CATALOGUE for it in resources(path).values()}
    assert not {"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::RDS::DBProxy"} & kinds
    (endpoint,) = named("AWS::EC2::VPCEndpoint").values()
    assert endpoint["Properties"]["VpcEndpointType"] == "Gateway"


def test_custom_resource_can_answer_from_the_private_network() -> None:
    """ "Setting up VPC endpoints for AWS CloudFormation": a PUT to buckets of CloudFormation."""
    ((statement,),) = [one("AWS::EC2::VPCEndpoint")["PolicyDocument"]["Statement"]]
    assert statement["Action"] == "s3:PutObject"
    assert all(
        "cloudformation-custom-resource-response-" in text_of(it) for it in statement["Resource"]
    )
    migration = named("AWS::Serverless::Function")["CatalogueMigrationFunction"]["Properties"]
    assert migration["VpcConfig"]["SubnetIds"] == [{"Ref": "PrivateA"}, {"Ref": "PrivateB"}]
    assert one("AWS::EC2::VPCEndpoint")["RouteTableIds"] == [{"Ref": "PrivateRoutes"}]
    routed = {
        it["Properties"]["SubnetId"]["Ref"]
        for it in named("AWS::EC2::SubnetRouteTableAssociation").values()
        if it["Properties"]["RouteTableId"] == {"Ref": "PrivateRoutes"}
    }
    assert routed == {"PrivateA", "PrivateB"}


def test_private_subnets_have_no_route_to_the_internet() -> None:
    assert one("AWS::EC2::Route")["RouteTableId"] == {"Ref": "PublicRoutes"}


def test_only_cloudfront_reaches_the_load_balancer() -> None:
    groups = {name: it["Properties"] for name, it in named("AWS::EC2::SecurityGroup").items()}
    (rule,) = groups["BalancerGroup"]["SecurityGroupIngress"]
    assert rule["SourcePrefixListId"] == {"Ref": "CloudFrontPrefixList"}
    assert "CidrIp" not in rule
    for name in ("ApplicationGroup", "DataGroup"):
        for rule in groups[name]["SecurityGroupIngress"]:
            assert "SourceSecurityGroupId" in rule, name
    (action,) = one("AWS::ElasticLoadBalancingV2::Listener")["DefaultActions"]
    assert action["FixedResponseConfig"]["StatusCode"] == "403"
    for name, rule in named("AWS::ElasticLoadBalancingV2::ListenerRule").items():
        header = rule["Properties"]["Conditions"][0]["HttpHeaderConfig"]
        assert header["HttpHeaderName"] == "x-origin-verify", name
        assert "resolve:secretsmanager:" in str(header["Values"]), name


def test_load_balancer_is_protected_and_modern() -> None:
    balancer = one("AWS::ElasticLoadBalancingV2::LoadBalancer")
    values = {it["Key"]: it["Value"] for it in balancer["LoadBalancerAttributes"]}
    for name in (
        *("deletion_protection.enabled", "access_logs.s3.enabled"),
        "routing.http.drop_invalid_header_fields.enabled",
    ):
        assert values[name] == "true", name
    assert len(balancer["Subnets"]) == 2
    assert one("AWS::ElasticLoadBalancingV2::Listener")["SslPolicy"].startswith(
        "ELBSecurityPolicy-TLS13-1-2"
    )


def test_function_is_a_target_with_health_checks_and_a_permission_before_it() -> None:
    """ "Use Lambda functions as targets": health checks are off by default."""
    target = named("AWS::ElasticLoadBalancingV2::TargetGroup")["FunctionTargets"]
    assert target["DependsOn"] == "InvokePermission"
    properties = target["Properties"]
    assert properties["HealthCheckEnabled"] is True
    assert {"Key": "lambda.multi_value_headers.enabled", "Value": "true"} in properties[
        "TargetGroupAttributes"
    ]
    permission = named("AWS::Lambda::Permission")["InvokePermission"]["Properties"]
    assert permission["Principal"] == "elasticloadbalancing.amazonaws.com"
    # By name: a reference to the group would be circular.
    assert f"/{text_of(properties['Name'])}/" in text_of(permission["SourceArn"])


def test_young_account_can_deploy_the_function_without_a_reservation() -> None:
    """Lambda refuses a reservation that leaves fewer than 100 executions unreserved."""
    path = ROOT / "stacks" / "catalogue" / "function.yaml"
    assert fixed_reservations({"function": load(path)}) == 20
    properties = load(path)["Resources"]["CatalogueFunction"]["Properties"]
    expected = {"Fn::If": ["ReservesNothing", {"Ref": "AWS::NoValue"}, 20]}
    assert properties["ReservedConcurrentExecutions"] == expected


def test_no_rule_of_two_targets_has_the_priority_of_another() -> None:
    """CloudFormation creates the rule of the new target before it deletes the old one."""
    rules = named("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    priorities = [it["Properties"]["Priority"] for it in rules]
    assert len(priorities) == len(set(priorities)) == 2


def test_function_and_task_have_the_same_environment() -> None:
    function = named("AWS::Serverless::Function")["CatalogueFunction"]["Properties"]
    (container,) = one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    task = {it["Name"]: it["Value"] for it in container["Environment"]}
    assert task == function["Environment"]["Variables"]


def test_image_has_the_components_of_the_functions_package() -> None:
    makefile = (ROOT / "src" / "Makefile").read_text()
    (packages,) = re.findall(r"^build-CatalogueFunction: +PACKAGES = (.+)$", makefile, re.MULTILINE)
    dockerfile = (FOLDER / "Dockerfile").read_text()
    copies = re.findall(r"^COPY (--chmod=\d+) (\S+) (\S+)$", dockerfile, re.MULTILINE)
    assert len(copies) == dockerfile.count("\nCOPY ")
    # The user of the task reads the files, whatever the umask of the checkout was.
    assert {mode for mode, _, _ in copies} == {"--chmod=755"}
    assert [source for _, source, _ in copies if not (ROOT / "src" / source).exists()] == []
    copied = {source: target for _, source, target in copies if "/" not in source}
    assert copied == {it: it for it in {it.partition("/")[0] for it in packages.split()}}
    (command,) = re.findall(r"^CMD (\[.+\])$", dockerfile, re.MULTILINE)
    (container,) = one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    assert json.loads(command) == container["Command"]
    # src/catalogue/database.py reads the authorities of the database.
    ((checksum, url),) = re.findall(
        r"^ADD --checksum=(\S+) --chmod=644 (https://\S+) catalogue/rds_authorities\.pem$",
        dockerfile,
        re.MULTILINE,
    )
    assert checksum == "sha256:${AUTHORITIES}"
    assert url == database_authorities.URL.replace("{region}", "${REGION}")


def test_task_and_targets_have_the_runtime_user_port_and_path_of_the_image() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    directives = dict(re.findall(r"^(FROM|USER|EXPOSE|ENTRYPOINT) (.+)$", dockerfile, re.MULTILINE))
    function = named("AWS::Serverless::Function")["CatalogueFunction"]["Properties"]
    assert directives["FROM"].endswith(f"/python:{function['Runtime'].removeprefix('python')}")
    (container,) = one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    (mapping,) = container["PortMappings"]
    (balanced,) = one("AWS::ECS::Service")["LoadBalancers"]
    targets = named("AWS::ElasticLoadBalancingV2::TargetGroup")["TaskTargets"]["Properties"]
    groups = {name: it["Properties"] for name, it in named("AWS::EC2::SecurityGroup").items()}
    (out,) = groups["BalancerGroup"]["SecurityGroupEgress"]
    (into,) = groups["ApplicationGroup"]["SecurityGroupIngress"]
    ports = [mapping["ContainerPort"], balanced["ContainerPort"], targets["Port"]]
    ports += [it[end] for it in (out, into) for end in ("FromPort", "ToPort")]
    assert {*ports, int(directives["EXPOSE"])} == {server.PORT}
    assert balanced["ContainerName"] == container["Name"]
    # The base image's entry point is Lambda's.
    assert (directives["ENTRYPOINT"], directives["USER"]) == ("[]", container["User"])
    # The router answers at the path without a database.
    unused: Any = None
    router = Router(unused, unused, unused, "", checks_database=False, log=lambda _: None)
    assert router.respond(Request("GET", targets["HealthCheckPath"])).status == 200
    # Amazon ECS sets the Region ("Amazon ECS environment variables").
    variables = {it["Name"]: it["Value"] for it in container["Environment"]}
    references = {name: "host:1" for name, it in variables.items() if isinstance(it, dict)}
    health = {"CATALOGUE_HEALTH": "database", "AWS_REGION": "eu-west-2"}
    assert settings.parse(variables | references | health).region == "eu-west-2"


def test_image_is_built_for_the_architecture_of_the_task() -> None:
    page = (ROOT / "docs" / "catalogue.md").read_text()
    (command,) = re.findall(r"^docker build .+$", page, re.MULTILINE)
    default = load(ROOT / "template.yaml")["Parameters"]["Architecture"]["Default"]
    assert default == "x86_64"
    assert f" --platform linux/{PLATFORMS[default]} " in command
    assert f"`linux/{PLATFORMS['arm64']}`" in page
    dockerfile = (FOLDER / "Dockerfile").read_text()
    arguments = set(re.findall(r"^ARG (\w+)$", dockerfile, re.MULTILINE))
    assert arguments == set(re.findall(r"--build-arg (\w+)=", command))
    assert "-f stacks/catalogue/Dockerfile" in command
    assert command.endswith(" src")


def test_alarm_on_connections_is_above_those_of_function_and_tasks() -> None:
    """A router connects to the reader and, for the staff, to the writer: perhaps one instance."""
    path = ROOT / "stacks" / "catalogue" / "function.yaml"
    environments = fixed_reservations({"function": load(path)})
    scaling = named("AWS::ApplicationAutoScaling::ScalableTarget")["TaskScaling"]["Properties"]
    routers = max(environments, scaling["MaxCapacity"] * server.MAX_ROUTERS)
    alarm = named("AWS::CloudWatch::Alarm")["CatalogueDatabaseConnections"]["Properties"]
    assert alarm["Threshold"] == 2 * routers
    assert f"more than {2 * routers} connections" in " ".join(alarm["AlarmDescription"].split())


def test_log_of_the_database_expires() -> None:
    """RDS creates a missing log group, whose entries never expire."""
    (cluster,) = named("AWS::RDS::DBCluster").values()
    name = text_of(cluster["Properties"]["DBClusterIdentifier"])
    (export,) = cluster["Properties"]["EnableCloudwatchLogsExports"]
    group = named("AWS::Logs::LogGroup")[cluster["DependsOn"]]["Properties"]
    assert text_of(group["LogGroupName"]) == f"/aws/rds/cluster/{name}/{export}"
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_slow_migration_is_reported_before_its_function_ends() -> None:
    function = named("AWS::Serverless::Function")["CatalogueMigrationFunction"]["Properties"]
    longest_s = migration.CONNECT_TIMEOUT_S + migration.STATEMENT_TIMEOUT_MS / 1000
    assert longest_s < function["Timeout"] - response.ANSWER_S


def test_service_rolls_back_and_scales_by_load() -> None:
    service = one("AWS::ECS::Service")
    breaker = service["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
    assert breaker == {"Enable": True, "Rollback": True}
    assert "DesiredCount" not in service
    targets = named("AWS::ApplicationAutoScaling::ScalableTarget")
    assert targets["TaskScaling"]["Properties"]["MinCapacity"] >= 2
    policies = named("AWS::ApplicationAutoScaling::ScalingPolicy")
    assert {it["Properties"]["PolicyType"] for it in policies.values()} == {"TargetTrackingScaling"}


def test_template_names_the_newest_migration() -> None:
    """CloudFormation runs the migrations again when the name changes."""
    newest = max(path.stem for path in (ROOT / "src" / "catalogue" / "migrations").glob("*.sql"))
    assert one("Custom::CatalogueMigrations")["Newest"] == newest


def test_functions_have_every_variable_that_the_code_needs() -> None:
    """CATALOGUE_LISTEN and PORT have defaults for a container, Lambda sets AWS_REGION."""
    texts = [it.read_text() for it in (ROOT / "src" / "catalogue").glob("*.py")]
    used_names = {
        it for text in texts for it in re.findall(r'"((?:CATALOGUE|STAFF|HOME)_[A-Z_]+)"', text)
    }
    variables = {
        name
        for it in named("AWS::Serverless::Function").values()
        for name in it["Properties"]["Environment"]["Variables"]
    }
    assert used_names - {"CATALOGUE_LISTEN"} <= variables


def test_user_of_the_cache_may_run_the_commands_of_the_code() -> None:
    text = (ROOT / "src" / "catalogue" / "cache.py").read_text()
    commands = {it.replace("delete", "del") for it in re.findall(r'_call\("(\w+)"', text)}
    assert commands
    access = one("AWS::ElastiCache::User")["AccessString"].split()
    assert {f"+{it}" for it in commands} <= set(access)
    assert "-@all" in access
    assert "~courses:*" in access


def test_migrations_run_in_the_home_region_only() -> None:
    stacks = resources(MAIN)
    assert stacks["Migration"]["Condition"] == "IsHome"
    for name in ("Function", "Tasks"):
        waits_for = stacks[name]["Properties"]["Parameters"]["Migrations"]["Fn::If"]
        assert waits_for[:2] == ["IsHome", {"Fn::GetAtt": "Migration.Outputs.Newest"}], name


@pytest.mark.parametrize("role", GRANTS)
def test_role_grants_exactly_the_listed_actions(role: str) -> None:
    allowed: set[str] = set()
    for statement in statements(named("AWS::IAM::Role")[role]):
        actions = statement["Action"]
        listed = {actions} if isinstance(actions, str) else set(actions)
        if statement["Effect"] == "Deny":
            # Lambda connects the function before it runs the code, which can't use the actions.
            assert listed == NETWORK
            assert "lambda:SourceFunctionArn" in statement["Condition"]["ArnEquals"]
            continue
        allowed |= listed
        if statement["Resource"] == "*":
            assert listed <= TRACES | NETWORK | {"ecr:GetAuthorizationToken"}
    assert allowed == GRANTS[role]
    assert named("AWS::IAM::Role").keys() == GRANTS.keys()


def test_latency_record_follows_the_health_of_targets_and_region() -> None:
    records = {
        text_of(it["Properties"]["Name"]): it["Properties"]
        for it in named("AWS::Route53::RecordSet").values()
    }
    shared, own = records["global-alb.${Domain}"], records["${AWS::Region}.alb.${Domain}"]
    assert shared["Region"] == shared["SetIdentifier"] == {"Ref": "AWS::Region"}
    assert shared["HealthCheckId"] == {"Ref": "HealthCheckId"}
    assert shared["AliasTarget"]["EvaluateTargetHealth"] is True
    assert not {"TTL", "Region"} & own.keys()


def test_flow_logs_are_a_table_of_the_data_lake() -> None:
    log, table = one("AWS::EC2::FlowLog"), one("AWS::Glue::Table")["TableInput"]
    assert log["DestinationOptions"] == {
        "FileFormat": "parquet",
        "HiveCompatiblePartitions": True,
        "PerHourPartition": True,
    }
    assert log["TrafficType"] == "ALL"
    folder = text_of(log["LogDestination"]).rpartition(":::")[2]
    assert text_of(table["StorageDescriptor"]["Location"]) == f"s3://{folder}"
    assert text_of(table["Parameters"]["storage.location.template"]).startswith(
        f"s3://{folder}AWSLogs/"
    )


@pytest.mark.parametrize("kind", LENGTHS)
def test_name_is_short_enough_for_the_longest_stage_and_region(kind: str) -> None:
    property_name, most = LENGTHS[kind]
    samples = {"Stage": 12 * "a", "AWS::Region": "ap-northeast-1", "AWS::AccountId": 12 * "1"}
    for name, resource in named(kind).items():
        text = text_of(resource["Properties"][property_name])
        for reference, sample in samples.items():
            text = text.replace(f"${{{reference}}}", sample)
        assert "$" not in text, name
        assert len(text) <= most, name


def test_dashboard_shows_the_metric_of_each_alarm() -> None:
    body = re.sub(
        r"\$\{[^}]+\}", "x", one("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    )
    shown = {
        metric[1] for it in json.loads(body)["widgets"] for metric in it["properties"]["metrics"]
    }
    alarms = named("AWS::CloudWatch::Alarm").values()
    watched = {metric for it in alarms for _, metric, _, _ in metrics(it["Properties"])}
    assert watched - {"HealthyHostCount"} <= shown
    assert len(alarms) == 9


@pytest.mark.parametrize("path", CATALOGUE, ids=lambda path: path.stem)
def test_template_passes_the_sam_transform(path: Path) -> None:
    assert transformed(path)["Resources"].keys() >= resources(path).keys()


def test_idle_cost_follows_the_instances_and_tasks() -> None:
    paused = region_dollars(readers=0, is_global=False, has_tasks=False)
    served = region_dollars(readers=1, is_global=False, has_tasks=False)
    member = region_dollars(readers=0, is_global=True, has_tasks=False)
    tasks = region_dollars(readers=1, is_global=False, has_tasks=True)
    assert sum(paused.values()) < sum(member.values()) < sum(served.values()) < sum(tasks.values())
    capacity = yaml.safe_load(
        json.dumps(one("AWS::RDS::DBCluster")["ServerlessV2ScalingConfiguration"])
    )
    assert paused["0 database instances"] == 0.0
    assert member["1 database instances"] == pytest.approx(
        730 * 0.12 * capacity["MinCapacity"]["Fn::If"][2]
    )
