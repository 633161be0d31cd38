-- Visitors by campaign.
SELECT campaign_source, campaign_medium, campaign_name, count(DISTINCT anonymous_id) AS visitors
FROM events_once
WHERE campaign_source IS NOT NULL
GROUP BY campaign_source, campaign_medium, campaign_name
ORDER BY visitors DESC, campaign_source NULLS LAST
