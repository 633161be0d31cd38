"""MiniStack returns a distribution's whole configuration, which aws_emulator.cloudfront reads."""

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack


def test_cloudfront_api_returns_configuration_of_template(emulator: Emulator) -> None:
    name = unique("distribution")
    version = f"arn:aws:lambda:us-east-1:000000000000:function:{name}:3"
    behavior = {
        "TargetOriginId": "both",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": {"Ref": "Cache"},
        "OriginRequestPolicyId": {"Ref": "Request"},
        "ResponseHeadersPolicyId": {"Ref": "Headers"},
    }
    origin = {
        "DomainName": f"{name}.s3.us-east-1.amazonaws.com",
        "OriginAccessControlId": {"Ref": "Access"},
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    template = stack(
        Access={
            "Type": "AWS::CloudFront::OriginAccessControl",
            "Properties": {
                "OriginAccessControlConfig": {
                    "Name": name,
                    "OriginAccessControlOriginType": "s3",
                    "SigningBehavior": "always",
                    "SigningProtocol": "sigv4",
                }
            },
        },
        Cache={
            "Type": "AWS::CloudFront::CachePolicy",
            "Properties": {
                "CachePolicyConfig": {
                    "Name": name,
                    "MinTTL": 0,
                    "DefaultTTL": 5,
                    "MaxTTL": 60,
                    "ParametersInCacheKeyAndForwardedToOrigin": {
                        "EnableAcceptEncodingBrotli": True,
                        "EnableAcceptEncodingGzip": True,
                        "CookiesConfig": {"CookieBehavior": "none"},
                        "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["Origin"]},
                        "QueryStringsConfig": {
                            "QueryStringBehavior": "allExcept",
                            "QueryStrings": ["utm_source"],
                        },
                    },
                }
            },
        },
        Request={
            "Type": "AWS::CloudFront::OriginRequestPolicy",
            "Properties": {
                "OriginRequestPolicyConfig": {
                    "Name": name,
                    "CookiesConfig": {"CookieBehavior": "all"},
                    "QueryStringsConfig": {"QueryStringBehavior": "all"},
                    "HeadersConfig": {
                        "HeaderBehavior": "allViewerAndWhitelistCloudFront",
                        "Headers": ["CloudFront-Viewer-Country"],
                    },
                }
            },
        },
        Headers={
            "Type": "AWS::CloudFront::ResponseHeadersPolicy",
            "Properties": {
                "ResponseHeadersPolicyConfig": {
                    "Name": name,
                    "SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}},
                    "CustomHeadersConfig": {
                        "Items": [{"Header": "X-Note", "Value": "yes", "Override": False}]
                    },
                }
            },
        },
        Distribution={
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {
                "DistributionConfig": {
                    "Enabled": True,
                    "DefaultRootObject": "index.html",
                    "Origins": [
                        {"Id": "first", **origin},
                        {"Id": "second", "OriginPath": "/copy", **origin},
                    ],
                    "OriginGroups": {
                        "Quantity": 1,
                        "Items": [
                            {
                                "Id": "both",
                                "FailoverCriteria": {
                                    "StatusCodes": {"Quantity": 2, "Items": [500, 503]}
                                },
                                "Members": {
                                    "Quantity": 2,
                                    "Items": [{"OriginId": "first"}, {"OriginId": "second"}],
                                },
                            }
                        ],
                    },
                    "DefaultCacheBehavior": behavior,
                    "CacheBehaviors": [
                        {
                            "PathPattern": "/v1/*",
                            **behavior,
                            "AllowedMethods": ["GET", "HEAD", "OPTIONS"],
                            "LambdaFunctionAssociations": [
                                {
                                    "EventType": "origin-request",
                                    "IncludeBody": True,
                                    "LambdaFunctionARN": version,
                                }
                            ],
                        }
                    ],
                    "CustomErrorResponses": [
                        {
                            "ErrorCode": 404,
                            "ResponseCode": 404,
                            "ResponsePagePath": "/404.html",
                            "ErrorCachingMinTTL": 10,
                        }
                    ],
                }
            },
        },
    )
    template["Outputs"] = {
        "Id": {"Value": {"Ref": "Distribution"}},
        "DomainName": {"Value": {"Fn::GetAtt": ["Distribution", "DomainName"]}},
        **{part: {"Value": {"Ref": part}} for part in ("Access", "Cache", "Request", "Headers")},
    }
    outputs = emulator.deploy(template, name)
    front = emulator.client("cloudfront")
    distribution = front.get_distribution(Id=outputs["Id"])["Distribution"]
    assert distribution["DomainName"] == outputs["DomainName"]

    config = front.get_distribution_config(Id=outputs["Id"])["DistributionConfig"]
    assert config["DefaultRootObject"] == "index.html"
    assert [origin["Id"] for origin in config["Origins"]["Items"]] == ["first", "second"]
    assert config["Origins"]["Items"][1]["OriginPath"] == "/copy"
    assert config["Origins"]["Items"][0]["OriginAccessControlId"] == outputs["Access"]
    group = config["OriginGroups"]["Items"][0]
    assert group["FailoverCriteria"]["StatusCodes"]["Items"] == [500, 503]
    assert [member["OriginId"] for member in group["Members"]["Items"]] == ["first", "second"]
    for cache_behavior in (config["DefaultCacheBehavior"], config["CacheBehaviors"]["Items"][0]):
        assert cache_behavior["CachePolicyId"] == outputs["Cache"]
        assert cache_behavior["OriginRequestPolicyId"] == outputs["Request"]
        assert cache_behavior["ResponseHeadersPolicyId"] == outputs["Headers"]
    behavior_v1 = config["CacheBehaviors"]["Items"][0]
    assert behavior_v1["PathPattern"] == "/v1/*"
    assert set(behavior_v1["AllowedMethods"]["Items"]) == {"GET", "HEAD", "OPTIONS"}
    assert behavior_v1["LambdaFunctionAssociations"]["Items"] == [
        {"EventType": "origin-request", "IncludeBody": True, "LambdaFunctionARN": version}
    ]
    assert config["CustomErrorResponses"]["Items"] == [
        {
            "ErrorCode": 404,
            "ResponseCode": "404",
            "ResponsePagePath": "/404.html",
            "ErrorCachingMinTTL": 10,
        }
    ]

    cache = front.get_cache_policy(Id=outputs["Cache"])["CachePolicy"]["CachePolicyConfig"]
    assert (cache["MinTTL"], cache["DefaultTTL"], cache["MaxTTL"]) == (0, 5, 60)
    key = cache["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["HeadersConfig"]["Headers"]["Items"] == ["Origin"]
    assert key["QueryStringsConfig"]["QueryStringBehavior"] == "allExcept"
    assert key["QueryStringsConfig"]["QueryStrings"]["Items"] == ["utm_source"]
    policy = front.get_origin_request_policy(Id=outputs["Request"])["OriginRequestPolicy"]
    forwarded = policy["OriginRequestPolicyConfig"]["HeadersConfig"]
    assert forwarded["HeaderBehavior"] == "allViewerAndWhitelistCloudFront"
    assert forwarded["Headers"]["Items"] == ["CloudFront-Viewer-Country"]
    answer = front.get_response_headers_policy(Id=outputs["Headers"])["ResponseHeadersPolicy"]
    added = answer["ResponseHeadersPolicyConfig"]["CustomHeadersConfig"]["Items"]
    assert added == [{"Header": "X-Note", "Value": "yes", "Override": False}]
    access = front.get_origin_access_control(Id=outputs["Access"])["OriginAccessControl"]
    assert access["OriginAccessControlConfig"]["SigningBehavior"] == "always"
