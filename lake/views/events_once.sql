-- Every good event once, over all shards, regions and redrives: the copy that arrived first.
-- The table `events` has every row that came in, under its verdict.
CREATE OR REPLACE VIEW events_once AS
SELECT *
FROM (
  SELECT
    events.*,
    row_number() OVER (
      PARTITION BY source, message_id
      ORDER BY received_at, shard_id, sequence_number, record_index
    ) AS copy_number
  FROM events
  WHERE verdict = 'good'
) AS numbered
WHERE copy_number = 1
