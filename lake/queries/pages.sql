-- What people read: views and visitors by page, bots left out.
SELECT page_path, count(*) AS views, count(DISTINCT anonymous_id) AS visitors
FROM events_once
WHERE type = 'page' AND NOT coalesce(bot, false)
GROUP BY page_path
ORDER BY views DESC, page_path NULLS LAST
LIMIT 20
