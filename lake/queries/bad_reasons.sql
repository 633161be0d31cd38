-- Open bad rows by source and reason, with the time of the first.
SELECT source, reason_code, count(*) AS bad, min(received_at) AS first_seen
FROM bad_rows_open
GROUP BY source, reason_code
ORDER BY bad DESC, reason_code NULLS LAST
