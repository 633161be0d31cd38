"""Upload the portal's pages to its S3 bucket."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aws_emulator.reload.pages import put_page
from tools.paths import ROOT

PAGES: Final = ROOT / "web"
#: For everyone, and for signed-in visitors; web/README.md isn't uploaded.
FOLDERS: Final = ("public", "members")
#: The choices of the sign-up form, which the account workflow validates.
VOCABULARIES: Final = ROOT / "src" / "stepfunctions" / "vocabularies.json"


def upload_pages(
    s3: Any,
    bucket: str,
    write_key: str,
    regions: Sequence[str],
    folder: Path = PAGES,
    mailbox: str = "",
) -> int:
    """Upload all files of the portal, and return their number.

    The pages report page views to the collector with `write_key`, which is not a secret. `regions`
    are the stage's Regions, the home first. `mailbox` is the URL of the emails, which only the
    local system has.
    """
    settings = {"writeKey": write_key, "regions": [*regions]} | (
        {"mailbox": mailbox} if mailbox else {}
    )
    s3.put_object(
        Bucket=bucket,
        Key="public/portal.json",
        Body=json.dumps(settings).encode(),
        ContentType="application/json",
    )
    put_page(s3, bucket, "public/vocabularies.json", VOCABULARIES.read_bytes())
    files = sorted(path for top in FOLDERS for path in (folder / top).rglob("*") if path.is_file())
    for path in files:
        put_page(s3, bucket, path.relative_to(folder).as_posix(), path.read_bytes())
    return len(files)
