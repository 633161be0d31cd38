-- Sessions that began on the day, by the country, the device and the campaign of their first event,
-- without bots. A session ends after 30 minutes without an event. `seconds` is their sum from the
-- first to the last event, and a bounce is a session with at most one page.
SELECT
  country, device, campaign_source,
  count(*) AS sessions,
  sum(events) AS events,
  sum(pages) AS pages,
  sum(CASE WHEN pages <= 1 THEN 1 ELSE 0 END) AS bounces,
  sum(seconds) AS seconds
FROM (
  SELECT
    max(CASE WHEN is_first THEN date END) AS began,
    max(CASE WHEN is_first THEN country END) AS country,
    max(CASE WHEN is_first THEN device END) AS device,
    max(CASE WHEN is_first THEN campaign_source END) AS campaign_source,
    count(*) AS events,
    sum(CASE WHEN type = 'page' THEN 1 ELSE 0 END) AS pages,
    max(second) - min(second) AS seconds
  FROM (
    SELECT
      *,
      sum(CASE WHEN is_first THEN 1 ELSE 0 END) OVER (
        PARTITION BY anonymous_id ORDER BY place NULLS LAST ROWS UNBOUNDED PRECEDING
      ) AS session
    FROM (
      SELECT
        *,
        coalesce(
          second > lag(second) OVER (PARTITION BY anonymous_id ORDER BY place NULLS LAST) + 1800, true
        ) AS is_first
      FROM near_events
    ) AS spaced
  ) AS numbered
  GROUP BY anonymous_id, session
) AS one
WHERE began IN (SELECT date FROM this_day)
GROUP BY country, device, campaign_source
