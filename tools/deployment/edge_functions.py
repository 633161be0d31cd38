"""Delete the edge functions that a deleted stack left behind, as soon as Lambda permits it.

CloudFront removes the replicas of an edge function within hours of the distribution, and until then
Lambda refuses to delete the function (Amazon CloudFront Developer Guide, "Delete Lambda@Edge
functions and replicas"). So the stack keeps the functions, and a later `make destroy` deletes them.
"""

import re
from typing import Any

from botocore.exceptions import ClientError


def left_behind(stage: str, functions: Any) -> list[str]:
    """Return the names of the stage's edge functions.

    Args:
        stage: The stage, whose stacks no longer exist.
        functions: boto3's Lambda client in the Region of the distribution's stack.

    Raises:
        ClientError: Lambda refused the call.
    """
    # stacks/edge-functions.yaml: the suffix is the start of the stack's UUID.
    name = re.compile(rf"meridian-{re.escape(stage)}-edge-(?:auth|ingest)-[0-9a-f]{{8}}")
    pages = functions.get_paginator("list_functions").paginate()
    names = [str(it["FunctionName"]) for page in pages for it in page["Functions"]]
    return sorted(it for it in names if name.fullmatch(it))


def delete_functions(names: list[str], functions: Any) -> list[str]:
    """Delete functions, and return the names of those whose replicas still exist.

    Raises:
        ClientError: Lambda refused a deletion for another reason.
    """
    return [it for it in names if not _is_deleted(it, functions)]


def _is_deleted(name: str, functions: Any) -> bool:
    try:
        functions.delete_function(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return True
    except ClientError as error:
        if "replicated function" in str(error):
            return False
        raise
    return True
