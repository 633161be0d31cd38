"""Actions in the handlers of resource types that this project's templates never cause.

CloudFormation's registry lists the actions of a type for all of its properties. A handler calls
these ones only for properties or destinations that no template of this project has.
"""

from typing import Final

#: Actions by the reason why a deployment of this project doesn't call them.
UNUSED: Final = {
    "Athena keeps the workgroup's results, not a bucket": [
        "s3:AbortMultipartUpload",
        "s3:ListBucketMultipartUploads",
        "s3:ListMultipartUploadParts",
    ],
    "the certificates are public ones": ["acm-pca:*"],
    "no health check follows a routing control": ["route53-recovery-control-config:*"],
    "the API has no resource policy": ["apigateway:UpdateRestApiPolicy"],
    "the budget has no billing view": ["billing:GetBillingViewData"],
    "no multi-tenant distribution, VPC origin or staging distribution; and the API "
    "CreateDistributionWithTags is authorised by CreateDistribution and TagResource": [
        "cloudfront:*ConnectionGroup",
        "cloudfront:CreateDistributionWithTags",
        "cloudfront:GetVpcOrigin",
        "cloudfront:UpdateDistributionWithStagingConfig",
    ],
    "the trail has no insights, no context keys and belongs to one account": [
        "cloudtrail:PutEventConfiguration",
        "cloudtrail:PutInsightSelectors",
        "organizations:*",
    ],
    "no instance outside AWS": ["codedeploy:RegisterOnPremisesInstance"],
    "logs go to no Firehose stream": ["firehose:TagDeliveryStream"],
    "the tables' capacity is on demand, so nothing scales it": [
        "cloudwatch:PutMetricData",
        "dynamodb:UpdateTableReplicaAutoScaling",
    ],
    "the tables have no resource policy, Kinesis destination, Contributor Insights or import, and "
    "replicas are in the same account": [
        "dynamodb:DisableKinesisStreamingDestination",
        "dynamodb:EnableKinesisStreamingDestination",
        "dynamodb:UpdateKinesisStreamingDestination",
        "dynamodb:AssociateTableReplica",
        "dynamodb:DeleteResourcePolicy",
        "dynamodb:DisassociateTableReplica",
        "dynamodb:ImportTable",
        "dynamodb:PutResourcePolicy",
        "dynamodb:UpdateContributorInsights",
        "kinesis:ListStreams",
        "kinesis:PutRecords",
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "s3:GetObjectMetadata",
    ],
    "AWS managed or AWS owned keys encrypt tables, pools, buses and environments": [
        "kms:Encrypt",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ListAliases",
        "kms:ReEncrypt*",
        "kms:RevokeGrant",
        "logs:AssociateKmsKey",
        "logs:DisassociateKmsKey",
    ],
    "the bus has no policy": ["events:PutPermission", "events:RemovePermission"],
    "the database has no connection, no schema registry and no Lake Formation": [
        "glue:*Connection",
        "glue:GetSchemaVersion",
        "lakeformation:*",
    ],
    "a role without the boundary would exceed the pipeline's rights": [
        "iam:DeleteRolePermissionsBoundary"
    ],
    "keys stay enabled and rotate": [
        "kms:DisableKey",
        "kms:DisableKeyRotation",
        "kms:EnableKey",
    ],
    "the stream stays encrypted, with default record sizes": [
        "kinesis:StopStreamEncryption",
        "kinesis:UpdateMaxRecordSize",
        "kinesis:UpdateStreamRecordDistributionStrategy",
        "kinesis:UpdateStreamWarmThroughput",
    ],
    "functions have no file system, code signing, layer, capacity provider or own settings of "
    "runtime updates and recursion": [
        "elasticfilesystem:DescribeMountTargets",
        "lambda:AssociateRuntimeAlias",
        "lambda:DeleteFunctionCodeSigningConfig",
        "lambda:GetCodeSigningConfig",
        "lambda:GetLayerVersion",
        "lambda:PassCapacityProvider",
        "lambda:PutFunctionCodeSigningConfig",
        "lambda:PutFunctionRecursionConfig",
        "lambda:PutFunctionScalingConfig",
        "lambda:PutRuntimeManagementConfig",
        "s3files:ListMountTargets",
    ],
    "log groups have no index, data protection, resource policy or bearer tokens": [
        "logs:DeleteIndexPolicy",
        "logs:DeleteResourcePolicy",
        "logs:PutBearerTokenAuthentication",
        "logs:PutDataProtectionPolicy",
        "logs:PutIndexPolicy",
        "logs:PutLogGroupDeletionProtection",
        "s3:REST.PUT.OBJECT",
    ],
    "buckets have no ACL, CORS, website, object lock, inventory, metrics or tables": [
        "s3:*MetadataAnnotationTableConfiguration",
        "s3:*MetadataInventoryTableConfiguration",
        "s3:*MetadataJournalTableConfiguration",
        "s3:*MetadataTableConfiguration",
        "s3:DeleteBucketAnalyticsConfiguration",
        "s3:DeleteBucketCors",
        "s3:DeleteBucketMetricsConfiguration",
        "s3:DeleteBucketReplication",
        "s3:DeleteBucketWebsite",
        "s3:PutAccelerateConfiguration",
        "s3:PutAnalyticsConfiguration",
        "s3:PutBucketAbac",
        "s3:PutBucketAcl",
        "s3:PutBucketCORS",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketReplication",
        "s3:PutBucketWebsite",
        "s3:PutIntelligentTieringConfiguration",
        "s3:PutInventoryConfiguration",
        "s3:PutMetricsConfiguration",
        "s3:PutObjectAcl",
        "s3:PutObjectLockConfiguration",
        "s3tables:*",
    ],
    "names of operations, which IAM authorises by the Put action of the same setting": [
        "s3:DeleteBucketEncryption",
        "s3:DeleteBucketLifecycle",
        "s3:DeleteBucketTagging",
    ],
    "CloudFormation deletes no object; no logs go to a bucket, and no table is an Iceberg table": [
        "s3:DeleteObject",
        "s3:PutObject",
    ],
    "topics have no data protection policy": ["sns:PutDataProtectionPolicy"],
    "the web ACLs have no rule group of AWS Marketplace or of another account": [
        "payments:GetConnectedAccount",
        "wafv2:GetPermissionPolicy",
        "wafv2:PutPermissionPolicy",
    ],
    "the catalogue scales by its load and not by the clock": [
        "application-autoscaling:DeleteScheduledAction",
        "application-autoscaling:PutScheduledAction",
        "cloudwatch:GetMetricData",
    ],
    "the network has no IPv6, VPN gateway, IPAM, encryption control, dedicated tenancy or VPC "
    "Lattice": [
        "autoscaling:DescribeTags",
        "ec2:*SubnetCidrBlock",
        "ec2:*VpcEncryptionControl*",
        "ec2:*VpnGateway",
        "ec2:DescribeInstances",
        "ec2:DescribeIpamPools",
        "ec2:ModifyVpcTenancy",
        "vpc-lattice:*",
        "vpce:AllowMultiRegion",
    ],
    "the tasks have no capacity provider, and the account's own settings stay": [
        "ecs:PutAccountSetting*",
        "ecs:PutClusterCapacityProviders",
        "ecs:StopServiceDeployment",
    ],
    "the users' group belongs to a serverless cache": ["elasticache:ModifyReplicationGroup"],
    "the load balancer reserves no capacity and has no pool of addresses": [
        "elasticloadbalancing:ModifyCapacityReservation",
        "elasticloadbalancing:ModifyIpPools",
    ],
    "the database is Aurora's own: no roles, no Data API, no read replica or snapshot of an "
    "instance, and an operator restores it": [
        "iam:ListRoles",
        "rds:*AutomatedBackupsReplication",
        "rds:*HttpEndpoint",
        "rds:AddRoleTo*",
        "rds:CreateDBInstanceReadReplica",
        "rds:CreateDBSnapshot",
        "rds:DescribeDBParameterGroups",
        "rds:PromoteReadReplica",
        "rds:RemoveRoleFrom*",
        "rds:RestoreDB*",
    ],
    "the only association is that of the user pool": [
        "amplify:*",
        "apigateway:SetWebACL",
        "apprunner:*",
        "appsync:*",
        "bedrock-agentcore:*",
        "ec2:*VerifiedAccessInstanceWebAcl*",
        "elasticloadbalancing:*WebACL*",
    ],
}
