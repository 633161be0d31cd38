"""Operator command: ends the objects of versions before the numbered logs.

`python -m stream_processor.repair.migrate`, once per Region and after an upgrade from such a
version, while the event source mappings are disabled: it stores the last sequence number of each
shard that the old version wrote. The writer looks records up to it up in the old objects, and
refuses to write to a shard with an old checkpoint until this command ran. It is safe to repeat
until the mappings are enabled.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from stream_processor import settings
from stream_processor.errors import StreamProcessorError
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.repair.lake_inventory import LakeInventory
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.storage import log_rows
from stream_processor.storage.app_context import AppContext


def migrate(app: AppContext) -> int:
    """Store the end of each shard's old objects; return the number of shards.

    Raises:
        StorageError: S3 or DynamoDB failed.
    """
    inventory = LakeInventory(app, StreamReader(app.settings))
    count = 0
    for (prefix, shard), coverage in sorted(inventory.shards().coverage.items()):
        if coverage.old_end < 0:
            continue
        high = {"S": padded(coverage.old_end)}
        item = {"chain": {"S": f"{log_rows.OLD_END}{prefix}/{shard}"}, "high": high}
        app.checkpoints.put_if(item, "attribute_not_exists(high) OR high < :high", {":high": high})
        count += 1
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print the number of shards. Returns 1 after an error."""
    argparse.ArgumentParser(prog="stream_processor.repair.migrate", description=__doc__).parse_args(
        arguments
    )
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    try:
        count = migrate(AppContext.from_settings(settings.parse(os.environ)))
    except StreamProcessorError as error:
        print(f"migrate: {error} ({error.code})", file=sys.stderr)
        return 1
    print(f"migrated: {count} shards have objects of an earlier version")
    return 0


if __name__ == "__main__":
    sys.exit(main())
