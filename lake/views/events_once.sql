-- Every good event once, over all shards, regions and redrives: the copy that arrived first.
-- The table `events` has every received row with its verdict.
--
-- An hour is read from its compacted file while that file's sources have as many rows as the hour
-- (rows are never removed). Late rows are visible at once: the view reads the hour from its own
-- objects until it is compacted again. Counting rows reads no column.
CREATE OR REPLACE VIEW events_once AS
WITH counted AS (
  SELECT date, hour, count(*) AS hour_rows
  FROM events
  GROUP BY date, hour
),
settled AS (
  SELECT DISTINCT made.date, made.hour, made.hour_rows
  FROM events_compacted AS made
  JOIN counted
    ON made.date = counted.date AND made.hour = counted.hour AND made.hour_rows = counted.hour_rows
),
good AS (
  SELECT
    made.verdict, made.reason_code, made.reason, made.message_id, made.type, made.event, made.name,
    made.user_id, made.anonymous_id, made.timestamp, made.original_timestamp, made.sent_at,
    made.received_at, made.source, made.stream_region, made.edge_region, made.failover,
    made.request_id, made.page_url, made.page_path, made.page_title, made.page_referrer,
    made.page_search, made.campaign_source, made.campaign_medium, made.campaign_name,
    made.campaign_term, made.campaign_content, made.country, made.region, made.city, made.time_zone,
    made.device, made.bot, made.ip, made.user_agent, made.locale, made.library, made.event_json,
    made.raw, made.shard_id, made.sequence_number, made.record_index, made.schema_version,
    made.date, made.hour
  FROM events_compacted AS made
  JOIN settled
    ON made.date = settled.date AND made.hour = settled.hour AND made.hour_rows = settled.hour_rows
  UNION ALL
  SELECT
    came.verdict, came.reason_code, came.reason, came.message_id, came.type, came.event, came.name,
    came.user_id, came.anonymous_id, came.timestamp, came.original_timestamp, came.sent_at,
    came.received_at, came.source, came.stream_region, came.edge_region, came.failover,
    came.request_id, came.page_url, came.page_path, came.page_title, came.page_referrer,
    came.page_search, came.campaign_source, came.campaign_medium, came.campaign_name,
    came.campaign_term, came.campaign_content, came.country, came.region, came.city, came.time_zone,
    came.device, came.bot, came.ip, came.user_agent, came.locale, came.library, came.event_json,
    came.raw, came.shard_id, came.sequence_number, came.record_index, came.schema_version,
    came.date, came.hour
  FROM events AS came
  LEFT JOIN settled ON came.date = settled.date AND came.hour = settled.hour
  WHERE came.verdict = 'good' AND settled.date IS NULL
)
SELECT *
FROM (
  SELECT
    good.*,
    row_number() OVER (
      PARTITION BY source, message_id
      ORDER BY
        received_at NULLS LAST, shard_id NULLS LAST, sequence_number NULLS LAST,
        record_index NULLS LAST
    ) AS copy_number
  FROM good
) AS numbered
WHERE copy_number = 1
