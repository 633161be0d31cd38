-- Rows by the time from their arrival at the edge until their object and its counters were stored.
SELECT greatest(date_diff('millisecond', received_at, stored_at), 0) AS lag_ms,
       count(*)                                                      AS row_count
FROM events
JOIN objects ON objects.filename = events.filename
GROUP BY greatest(date_diff('millisecond', received_at, stored_at), 0)
ORDER BY lag_ms
