-- The 20 most viewed pages with their views and visitors, without bots.
SELECT page_path, count(*) AS views, count(DISTINCT anonymous_id) AS visitors
FROM events_once
WHERE type = 'page' AND NOT coalesce(bot, false)
GROUP BY page_path
ORDER BY views DESC, page_path NULLS LAST
LIMIT 20
