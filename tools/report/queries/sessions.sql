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
       max(length_ms)                                                           AS longest_ms
FROM ranked
