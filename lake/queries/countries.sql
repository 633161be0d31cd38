-- Events and visitors by country and device.
SELECT country, device, count(*) AS events, count(DISTINCT anonymous_id) AS visitors
FROM events_once
GROUP BY country, device
ORDER BY events DESC, country NULLS LAST, device NULLS LAST
