-- Rows of the lake by verdict and reason.
SELECT verdict,
       coalesce(reason_code, '') AS reason,
       count(*)                  AS row_count
FROM events
GROUP BY verdict, coalesce(reason_code, '')
ORDER BY verdict, reason
