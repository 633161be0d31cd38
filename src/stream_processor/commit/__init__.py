"""The commit protocol of a shard, and the objects that it commits to the lake."""
