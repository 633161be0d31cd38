-- Good rows and distinct events. The difference is the number of events stored twice.
SELECT count(*)                   AS good_rows,
       count(DISTINCT message_id) AS stored
FROM events
WHERE verdict = 'good'
