-- People and machines, as the edge told them apart by their user agents.
SELECT coalesce(bot, FALSE)         AS bot,
       count(DISTINCT message_id)   AS views,
       count(DISTINCT anonymous_id) AS visitors
FROM events
WHERE verdict = 'good'
GROUP BY coalesce(bot, FALSE)
ORDER BY bot
