-- The rows of lake/views/events_once.sql, for engines whose table `event_copies` has the good rows
-- that aren't the first copy of their id: a query for one day reads this day only. The package
-- tools/lake_sql creates it from the files that compaction writes to `copies/`.
CREATE OR REPLACE TEMPORARY VIEW events_once AS
SELECT events.*, 1 AS copy_number
FROM events
LEFT JOIN event_copies AS copy
  ON events.date = copy.date
  AND events.hour = copy.hour
  AND events.object_id = copy.object_id
  AND events.shard_id = copy.shard_id
  AND events.sequence_number = copy.sequence_number
  AND events.record_index = copy.record_index
WHERE events.verdict = 'good' AND copy.object_id IS NULL
