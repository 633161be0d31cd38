-- Every change of an appointment, once. Leaves out repairs whose change arrived later.
CREATE OR REPLACE VIEW appointments_history AS
SELECT change.*
FROM changes AS change
LEFT JOIN (
  SELECT DISTINCT keys_json, version, op
  FROM changes
  WHERE source = 'stream' AND verdict = 'good'
) AS seen
  ON change.source = 'reconciler'
  AND change.keys_json = seen.keys_json
  AND change.version = seen.version
  AND (change.op = 'REMOVE') = (seen.op = 'REMOVE')
WHERE change.verdict = 'good'
  AND seen.keys_json IS NULL
