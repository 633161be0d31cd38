-- Views by country and stored address of the viewer.
SELECT country,
       ip,
       count(DISTINCT message_id) AS views
FROM events
WHERE verdict = 'good'
GROUP BY country, ip
ORDER BY views DESC, country, ip
