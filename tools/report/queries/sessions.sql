-- Sessions: a visitor's views without a gap of more than 30 minutes. A session's length is the time
-- from its first view to its last. Percentiles use the nearest-rank method.
WITH views AS (
    SELECT message_id, min(anonymous_id) AS visitor, min("timestamp") AS viewed_at
    FROM events
    WHERE verdict = 'good'
    GROUP BY message_id
),
gaps AS (
    SELECT visitor, viewed_at, message_id,
           lag(viewed_at) OVER (PARTITION BY visitor ORDER BY viewed_at, message_id) AS previous_at
    FROM views
),
numbered AS (
    SELECT visitor, viewed_at,
           sum(CASE WHEN previous_at IS NULL
                      OR date_diff('millisecond', previous_at, viewed_at) > 1800000 THEN 1 ELSE 0 END)
               OVER (PARTITION BY visitor ORDER BY viewed_at, message_id
                     ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session_number
    FROM gaps
),
sessions AS (
    SELECT visitor, session_number,
           count(*)                                    AS views,
           date_diff('millisecond', min(viewed_at), max(viewed_at)) AS length_ms
    FROM numbered
    GROUP BY visitor, session_number
),
ranked AS (
    SELECT views, length_ms,
           row_number() OVER (ORDER BY length_ms) AS length_rank,
           row_number() OVER (ORDER BY views)     AS views_rank,
           count(*) OVER ()                       AS total
    FROM sessions
)
SELECT count(*)                                                                 AS sessions,
       sum(CASE WHEN views = 1 THEN 1 ELSE 0 END)                               AS single_view,
       sum(views)                                                               AS views,
       max(CASE WHEN views_rank = ceil(total * 0.5) THEN views END)             AS median_views,
       max(views)                                                               AS most_views,
       sum(length_ms)                                                           AS total_ms,
       max(CASE WHEN length_rank = ceil(total * 0.5) THEN length_ms END)        AS median_ms,
       max(CASE WHEN length_rank = ceil(total * 0.9) THEN length_ms END)        AS p90_ms,
       max(length_ms)                                                           AS longest_ms,
       sum(CASE WHEN views = 1 THEN 1 ELSE 0 END) AS views_1,
       sum(CASE WHEN views = 2 THEN 1 ELSE 0 END) AS views_2,
       sum(CASE WHEN views BETWEEN 3 AND 5 THEN 1 ELSE 0 END) AS views_3,
       sum(CASE WHEN views BETWEEN 6 AND 10 THEN 1 ELSE 0 END) AS views_6,
       sum(CASE WHEN views BETWEEN 11 AND 20 THEN 1 ELSE 0 END) AS views_11,
       sum(CASE WHEN views BETWEEN 21 AND 50 THEN 1 ELSE 0 END) AS views_21,
       sum(CASE WHEN views > 50 THEN 1 ELSE 0 END) AS views_51,
       sum(CASE WHEN length_ms = 0 THEN 1 ELSE 0 END) AS length_0s,
       sum(CASE WHEN length_ms > 0 AND length_ms < 60000 THEN 1 ELSE 0 END) AS length_1s,
       sum(CASE WHEN length_ms >= 60000 AND length_ms < 300000 THEN 1 ELSE 0 END) AS length_1m,
       sum(CASE WHEN length_ms >= 300000 AND length_ms < 900000 THEN 1 ELSE 0 END) AS length_5m,
       sum(CASE WHEN length_ms >= 900000 AND length_ms < 1800000 THEN 1 ELSE 0 END) AS length_15m,
       sum(CASE WHEN length_ms >= 1800000 AND length_ms <= 3600000 THEN 1 ELSE 0 END) AS length_30m,
       sum(CASE WHEN length_ms > 3600000 THEN 1 ELSE 0 END) AS length_60m
FROM ranked
