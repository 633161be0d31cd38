"""Upload the portal's pages to its S3 bucket."""

import json
import mimetypes
from pathlib import Path
from typing import Any

from tools.paths import ROOT


def upload_pages(s3: Any, bucket: str, write_key: str, folder: Path = ROOT / "web") -> int:
    """Upload all files of the portal, and return their number.

    The pages report page views to the collector with `write_key`, which is not a secret.
    """
    s3.put_object(
        Bucket=bucket,
        Key="public/portal.json",
        Body=json.dumps({"writeKey": write_key}).encode(),
        ContentType="application/json",
    )
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if content_type.startswith("text/"):
            content_type += "; charset=utf-8"
        s3.put_object(
            Bucket=bucket,
            Key=path.relative_to(folder).as_posix(),
            Body=path.read_bytes(),
            ContentType=content_type,
        )
    return len(files)
