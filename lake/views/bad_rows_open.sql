-- Bad rows that no redrive has closed. A good or duplicate row with the same shard, sequence number
-- and record index closes a bad row; if the whole record was bad, any such row of the record does.
CREATE OR REPLACE VIEW bad_rows_open AS
SELECT bad.*
FROM events AS bad
LEFT JOIN (
  SELECT DISTINCT shard_id, sequence_number, record_index
  FROM events
  WHERE verdict <> 'bad'
) AS same_row
  ON bad.shard_id = same_row.shard_id
  AND bad.sequence_number = same_row.sequence_number
  AND bad.record_index = same_row.record_index
LEFT JOIN (
  SELECT DISTINCT shard_id, sequence_number
  FROM events
  WHERE verdict <> 'bad'
) AS record
  ON bad.shard_id = record.shard_id
  AND bad.sequence_number = record.sequence_number
  AND bad.reason_code LIKE 'record%'
  AND bad.reason_code <> 'record_line'
WHERE bad.verdict = 'bad'
  AND same_row.shard_id IS NULL
  AND record.shard_id IS NULL
