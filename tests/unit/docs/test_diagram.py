"""The architecture diagram shows the resources of the templates, and stays editable in draw.io."""

import itertools
import xml.etree.ElementTree as ET

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import TEMPLATES, resources

DIAGRAM = ROOT / "docs" / "architecture.drawio.svg"
#: Resource types that the diagram shows, each as a node.
SHOWN = {
    "AWS::Athena::WorkGroup",
    "AWS::CloudFront::Distribution",
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::Events::EventBus",
    "AWS::Glue::Database",
    "AWS::Kinesis::Stream",
    "AWS::RDS::DBCluster",
    "AWS::S3::Bucket",
    "AWS::Scheduler::Schedule",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
    "AWS::WAFv2::WebACL",
}
#: Dead-letter queues are details; the queues of the main flow are shown.
SHOWN_QUEUES = {"ParkedQueue", "Notifications", "FeedbackQueue"}


def model() -> ET.Element:
    """Return the draw.io model that the SVG file carries in its `content` attribute."""
    content = ET.parse(DIAGRAM).getroot().attrib["content"]
    return ET.fromstring(content)


def nodes() -> dict[str, str]:
    """Return the nodes that stand for a resource: node ID to logical ID."""
    resources_by_id = {it.attrib["id"]: it.attrib["resource"] for it in model().iter("object")}
    return {node: resource for node, resource in resources_by_id.items() if resource}


def deployed() -> dict[str, str]:
    """Return the logical IDs of all templates with their types."""
    return {name: it["Type"] for path in TEMPLATES for name, it in resources(path).items()}


def test_every_node_is_a_resource_of_a_template() -> None:
    assert set(nodes().values()) <= deployed().keys()


def test_every_main_resource_is_a_node() -> None:
    main = {name for name, kind in deployed().items() if kind in SHOWN} | SHOWN_QUEUES
    assert main - set(nodes().values()) == set()


def test_edges_join_nodes() -> None:
    known = {it.attrib["id"] for it in model().iter("object")}
    edges = [it.attrib for it in model().iter("mxCell") if it.attrib.get("edge") == "1"]
    assert edges
    for edge in edges:
        assert {edge["source"], edge["target"]} <= known, edge["id"]


def test_picture_shows_every_node_of_the_model() -> None:
    drawn = {it.attrib.get("id") for it in ET.parse(DIAGRAM).getroot().iter()}
    assert {it.attrib["id"] for it in model().iter("object")} <= drawn


def test_no_node_covers_another() -> None:
    areas = {}
    for node in model().iter("object"):
        (geometry,) = node.iter("mxGeometry")
        x, y, width, height = (float(geometry.attrib[key]) for key in ("x", "y", "width", "height"))
        areas[node.attrib["id"]] = (x, y, x + width, y + height)
    overlapping = [
        (first, second)
        for (first, a), (second, b) in itertools.combinations(areas.items(), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert overlapping == []
