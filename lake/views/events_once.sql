-- Every good event of this lake once, over all shards and redrives: the copy that arrived first, by
-- the hour of its arrival, then by `received_at`, shard, sequence number and index. This view reads
-- the ids of all days; lake/index/events_once.sql has the same rows without them.
-- Each Region has a separate lake and table. The table `events` has every received row with its
-- verdict.
--
-- An object is read from its compacted file while the object is in the lake; `object_id` is a digest
-- of its rows. Late rows are visible at once: the view reads an object itself until it is compacted.
-- Rows of a deleted object are gone at once. The column `object_id` has one value per object.
-- Its text is in tools/lake_sql/events_once.py.
CREATE OR REPLACE VIEW events_once AS
WITH present AS (
  SELECT DISTINCT date, hour, object_id
  FROM events
  WHERE object_id IS NOT NULL
),
compacted_objects AS (
  SELECT DISTINCT date, hour, object_id
  FROM events_compacted
  WHERE object_id IS NOT NULL
),
good AS (
  SELECT
    compacted.verdict, compacted.reason_code, compacted.reason, compacted.message_id,
    compacted.type, compacted.event, compacted.name, compacted.user_id, compacted.anonymous_id,
    compacted.timestamp, compacted.original_timestamp, compacted.sent_at, compacted.received_at,
    compacted.source, compacted.stream_region, compacted.edge_region, compacted.failover,
    compacted.request_id, compacted.page_url, compacted.page_path, compacted.page_title,
    compacted.page_referrer, compacted.page_search, compacted.campaign_source,
    compacted.campaign_medium, compacted.campaign_name, compacted.campaign_term,
    compacted.campaign_content, compacted.country, compacted.region, compacted.city,
    compacted.time_zone, compacted.device, compacted.bot, compacted.ip, compacted.user_agent,
    compacted.locale, compacted.library, compacted.event_json, compacted.raw, compacted.shard_id,
    compacted.sequence_number, compacted.record_index, compacted.schema_version,
    compacted.object_id, compacted.date, compacted.hour
  FROM events_compacted AS compacted
  JOIN present
    ON compacted.date = present.date
    AND compacted.hour = present.hour
    AND compacted.object_id = present.object_id
  UNION ALL
  SELECT
    uncompacted.verdict, uncompacted.reason_code, uncompacted.reason, uncompacted.message_id,
    uncompacted.type, uncompacted.event, uncompacted.name, uncompacted.user_id,
    uncompacted.anonymous_id, uncompacted.timestamp, uncompacted.original_timestamp,
    uncompacted.sent_at, uncompacted.received_at, uncompacted.source, uncompacted.stream_region,
    uncompacted.edge_region, uncompacted.failover, uncompacted.request_id, uncompacted.page_url,
    uncompacted.page_path, uncompacted.page_title, uncompacted.page_referrer,
    uncompacted.page_search, uncompacted.campaign_source, uncompacted.campaign_medium,
    uncompacted.campaign_name, uncompacted.campaign_term, uncompacted.campaign_content,
    uncompacted.country, uncompacted.region, uncompacted.city, uncompacted.time_zone,
    uncompacted.device, uncompacted.bot, uncompacted.ip, uncompacted.user_agent, uncompacted.locale,
    uncompacted.library, uncompacted.event_json, uncompacted.raw, uncompacted.shard_id,
    uncompacted.sequence_number, uncompacted.record_index, uncompacted.schema_version,
    uncompacted.object_id, uncompacted.date, uncompacted.hour
  FROM events AS uncompacted
  LEFT JOIN compacted_objects
    ON uncompacted.date = compacted_objects.date
    AND uncompacted.hour = compacted_objects.hour
    AND uncompacted.object_id = compacted_objects.object_id
  WHERE uncompacted.verdict = 'good' AND compacted_objects.date IS NULL
)
SELECT *
FROM (
  SELECT
    good.*,
    row_number() OVER (
      PARTITION BY source, message_id
      ORDER BY
        date NULLS LAST, hour NULLS LAST, received_at NULLS LAST, shard_id NULLS LAST,
        sequence_number NULLS LAST, record_index NULLS LAST
    ) AS copy_number
  FROM good
) AS numbered
WHERE copy_number = 1
