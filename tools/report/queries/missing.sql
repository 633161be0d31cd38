-- Accepted events that are missing from the lake.
SELECT count(*) AS missing
FROM sent
LEFT JOIN (SELECT DISTINCT message_id FROM events WHERE verdict = 'good') AS stored
       ON stored.message_id = sent.message_id
WHERE sent.outcome = 'accepted'
  AND stored.message_id IS NULL
