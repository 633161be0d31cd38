-- Views by path, most viewed first.
SELECT page_path,
       count(DISTINCT message_id) AS views
FROM events
WHERE verdict = 'good'
GROUP BY page_path
ORDER BY views DESC, page_path
