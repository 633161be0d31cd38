-- Good rows, and the different events among them: the difference is what was stored twice.
SELECT count(*)                   AS good_rows,
       count(DISTINCT message_id) AS stored
FROM events
WHERE verdict = 'good'
