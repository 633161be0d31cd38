-- Views and visitors of each page, without bots.
SELECT page_path, count(*) AS views, count(DISTINCT anonymous_id) AS visitors
FROM day_events
WHERE type = 'page'
GROUP BY page_path
