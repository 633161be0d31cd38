"""Deploy the distribution of the integration tests through the CloudFront API."""

import json
from typing import Any

from aws_emulator.tests.cloudfront.harness import (
    CACHING_DISABLED,
    CACHING_OPTIMIZED,
    client,
    deploy_function,
)

BUCKET = "edge-tests-site"
ALL_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
ALL_VIEWER_AND_CLOUDFRONT = "33f36d7e-f396-46d9-90e0-52428a34d9dc"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
SECURITY_HEADERS = "67f7725c-6f97-4210-82d7-5512b31e9d03"
PAGES = {
    "index.html": b"<h1>home</h1>",
    "page.html": b"<h1>page</h1>",
    "premium/a.html": b"<h1>paid</h1>",
    "sorry.html": b"<h1>sorry</h1>",
    "big.bin": bytes(range(256)) * 4096,
    "name with space.txt": b"space",
}


def items(values: list[Any]) -> dict[str, Any]:
    """Return a list in the format of the CloudFront API."""
    return {"Quantity": len(values), "Items": values}


def behavior(
    cache: str = CACHING_DISABLED,
    *,
    target: str = "site",
    functions: dict[str, str] | None = None,
    body: bool = False,
    methods: list[str] | None = None,
    request: str | None = None,
    response: str | None = None,
) -> dict[str, Any]:
    """Return a cache behavior without its path pattern."""
    written: dict[str, Any] = {
        "TargetOriginId": target,
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": cache,
        "AllowedMethods": {
            **items(methods or ["GET", "HEAD"]),
            "CachedMethods": items(["GET", "HEAD"]),
        },
        "LambdaFunctionAssociations": items(
            [
                {
                    "EventType": event,
                    "LambdaFunctionARN": arn,
                    "IncludeBody": body and event.endswith("-request"),
                }
                for event, arn in (functions or {}).items()
            ]
        ),
        "Compress": False,
    }
    if request:
        written["OriginRequestPolicyId"] = request
    if response:
        written["ResponseHeadersPolicyId"] = response
    return written


def fill_bucket(aws: str, bucket: str) -> None:
    """Create a private bucket that contains PAGES."""
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket=bucket)
    for key, body in PAGES.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/html")


def allow_distribution(aws: str, bucket: str, distribution_arn: str) -> None:
    """Allow the distribution to read the bucket, with a bucket policy."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "cloudfront.amazonaws.com"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
                "Condition": {"StringEquals": {"AWS:SourceArn": distribution_arn}},
            }
        ],
    }
    client(aws, "s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def configuration(
    viewer: str, origin: str, control: str, live_port: int, api: str = "api"
) -> dict[str, Any]:
    """Return the DistributionConfig. `viewer` and `origin` are ARNs of the probe function."""
    at_origin = {"origin-request": origin}
    paths = {
        "/premium/*": behavior(functions={"viewer-request": viewer}, methods=ALL_METHODS),
        "/body/*": behavior(functions={"viewer-request": viewer}, body=True, methods=ALL_METHODS),
        "/v1/*": behavior(
            functions=at_origin,
            body=True,
            methods=ALL_METHODS,
            request=ALL_VIEWER_AND_CLOUDFRONT,
        ),
        "/origin/*": behavior(functions=at_origin, request="b689b0a8-53d0-40ab-baf2-68738e2966ac"),
        "/narrow/*": behavior(functions=at_origin),
        "/kept/*": behavior(CACHING_OPTIMIZED, functions=at_origin, request=ALL_VIEWER_EXCEPT_HOST),
        "/latest/*": behavior(functions={"viewer-request": viewer.replace(":1", ":$LATEST")}),
        "/both/*": behavior(
            functions={"viewer-response": viewer, "origin-response": origin},
            response=SECURITY_HEADERS,
        ),
        "/live/*": behavior(target="live", methods=ALL_METHODS, request=ALL_VIEWER_EXCEPT_HOST),
        "/group/*": behavior(target="group"),
        "/api/*": behavior(target="api", methods=ALL_METHODS, request=ALL_VIEWER_EXCEPT_HOST),
        "/p?ge.html": behavior(CACHING_OPTIMIZED, response=SECURITY_HEADERS),
    }
    s3 = {
        "Id": "site",
        "DomainName": f"{BUCKET}.s3.us-east-1.amazonaws.com",
        "OriginAccessControlId": control,
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    live = {
        "Id": "live",
        "DomainName": "localhost",
        "CustomHeaders": items([{"HeaderName": "X-Secret", "HeaderValue": "known"}]),
        "CustomOriginConfig": {
            "HTTPPort": live_port,
            "HTTPSPort": live_port,
            "OriginProtocolPolicy": "http-only",
            "OriginReadTimeout": 4,
        },
    }
    gateway = {
        "Id": "api",
        "DomainName": f"{api}.execute-api.us-east-1.amazonaws.com",
        "OriginPath": "/live",
        "CustomOriginConfig": {
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "https-only",
        },
    }
    return {
        "CallerReference": "tests",
        "Comment": "",
        "Enabled": True,
        "DefaultRootObject": "index.html",
        "Origins": items(
            [s3, {**live, "Id": "dead", "DomainName": "nowhere.example"}, live, gateway]
        ),
        "OriginGroups": items(
            [
                {
                    "Id": "group",
                    "FailoverCriteria": {"StatusCodes": items([500, 502])},
                    "Members": items([{"OriginId": "dead"}, {"OriginId": "live"}]),
                }
            ]
        ),
        "DefaultCacheBehavior": behavior(CACHING_OPTIMIZED),
        "CacheBehaviors": items([{"PathPattern": path, **each} for path, each in paths.items()]),
        "CustomErrorResponses": items(
            [
                {
                    "ErrorCode": 404,
                    "ResponsePagePath": "/sorry.html",
                    "ResponseCode": "404",
                    "ErrorCachingMinTTL": 0,
                }
            ]
        ),
    }


def deploy_api(aws: str, function: str) -> str:
    """Create a REST API that invokes a function for every path; return the API's ID."""
    gateway = client(aws, "apigateway")
    api = str(gateway.create_rest_api(name="edge-tests")["id"])
    (root,) = gateway.get_resources(restApiId=api)["items"]
    rest = gateway.create_resource(restApiId=api, parentId=root["id"], pathPart="{proxy+}")["id"]
    common = {"restApiId": api, "resourceId": rest, "httpMethod": "ANY"}
    gateway.put_method(**common, authorizationType="NONE")
    gateway.put_integration(
        **common,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="live")
    client(aws, "lambda").add_permission(
        FunctionName=function,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    return api


def deploy(aws: str, live_port: int) -> tuple[str, str]:
    """Deploy bucket, functions, API and distribution; return the distribution's ID and ARN."""
    cloudfront = client(aws, "cloudfront")
    fill_bucket(aws, BUCKET)
    viewer = deploy_function(aws, "viewer")
    origin = deploy_function(aws, "origin", Timeout=30)
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "site",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    distribution = cloudfront.create_distribution(
        DistributionConfig=configuration(
            viewer, origin, control, live_port, deploy_api(aws, viewer)
        )
    )["Distribution"]
    allow_distribution(aws, BUCKET, distribution["ARN"])
    return distribution["Id"], distribution["ARN"]
