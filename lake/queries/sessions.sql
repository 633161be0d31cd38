-- Number and average length of sessions. A session ends after 30 minutes without an event.
SELECT count(*) AS sessions, avg(events) AS events_each
FROM (
  SELECT anonymous_id, session, count(*) AS events
  FROM (
    SELECT
      anonymous_id,
      sum(CASE WHEN earlier IS NULL OR moment > earlier + INTERVAL '30' MINUTE THEN 1 ELSE 0 END) OVER (
        PARTITION BY anonymous_id
        ORDER BY moment NULLS LAST
        ROWS UNBOUNDED PRECEDING
      ) AS session
    FROM (
      SELECT
        anonymous_id,
        timestamp AS moment,
        lag(timestamp) OVER (PARTITION BY anonymous_id ORDER BY timestamp NULLS LAST) AS earlier
      FROM events_once
      WHERE anonymous_id IS NOT NULL
    ) AS spaced
  ) AS numbered
  GROUP BY anonymous_id, session
) AS one
