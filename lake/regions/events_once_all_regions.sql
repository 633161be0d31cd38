-- Every good event of all Regions once: the copy that arrived first, by the hour of its arrival, then
-- by `received_at`, Region, shard, sequence number and index. `lake_region` is the Region of the lake
-- that has it. An event is in two Regions if a client or the collector sent it again after a failover.
--
-- The view reads the ids of all days and Regions, so a copy counts no matter how late it is. The
-- tables events_all_regions and events_compacted_all_regions have the objects of each Region's lake;
-- tools/lake_sql creates them. Otherwise as lake/views/events_once.sql.
-- Its text is in tools/lake_sql/events_once.py.
CREATE OR REPLACE VIEW events_once_all_regions AS
WITH present AS (
  SELECT DISTINCT lake_region, date, hour, object_id
  FROM events_all_regions
  WHERE object_id IS NOT NULL
),
compacted_objects AS (
  SELECT DISTINCT lake_region, date, hour, object_id
  FROM events_compacted_all_regions
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
    compacted.object_id, compacted.date, compacted.hour, compacted.lake_region
  FROM events_compacted_all_regions AS compacted
  JOIN present
    ON compacted.lake_region = present.lake_region
    AND compacted.date = present.date
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
    uncompacted.object_id, uncompacted.date, uncompacted.hour, uncompacted.lake_region
  FROM events_all_regions AS uncompacted
  LEFT JOIN compacted_objects
    ON uncompacted.lake_region = compacted_objects.lake_region
    AND uncompacted.date = compacted_objects.date
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
        date NULLS LAST, hour NULLS LAST, received_at NULLS LAST, lake_region NULLS LAST,
        shard_id NULLS LAST, sequence_number NULLS LAST, record_index NULLS LAST
    ) AS copy_number
  FROM good
) AS numbered
WHERE copy_number = 1
