-- The appointments as the lake knows them: the newest state of each, without the removed.
-- By sequence, never by time: DynamoDB gives the time of a change to the second only.
CREATE OR REPLACE VIEW appointments_now AS
SELECT pk, sk, version, origin_region, new_image_json, changed_at, source
FROM (
  SELECT
    changes.*,
    row_number() OVER (
      PARTITION BY keys_json
      ORDER BY sequence_number DESC, record_index DESC
    ) AS newest
  FROM changes
  WHERE verdict = 'good'
) AS numbered
WHERE newest = 1 AND op <> 'REMOVE'
