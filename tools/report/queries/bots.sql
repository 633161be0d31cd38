-- Views and visitors of people and of bots, which the collector detects by user agent.
SELECT coalesce(bot, FALSE)         AS bot,
       count(DISTINCT message_id)   AS views,
       count(DISTINCT anonymous_id) AS visitors
FROM events
WHERE verdict = 'good'
GROUP BY coalesce(bot, FALSE)
ORDER BY bot
