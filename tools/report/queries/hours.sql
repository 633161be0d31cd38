-- Views by hour of day (UTC) of the event timestamp.
SELECT extract(hour FROM "timestamp") AS hour_of_day,
       count(DISTINCT message_id)     AS views
FROM events
WHERE verdict = 'good'
GROUP BY extract(hour FROM "timestamp")
ORDER BY hour_of_day
