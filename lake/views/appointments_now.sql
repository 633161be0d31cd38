-- The newest state of each appointment in the lake, without removed ones. Ordered by sequence number,
-- because DynamoDB's time of a change has a resolution of one second.
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
