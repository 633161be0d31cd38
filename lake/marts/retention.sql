-- How many visitors of an earlier day were there again on this day, 1, 7 and 28 days later. Without bots.
SELECT
  earlier.days,
  count(*) AS visitors,
  count(today.anonymous_id) AS returned
FROM (SELECT DISTINCT days, anonymous_id FROM earlier_visitors) AS earlier
LEFT JOIN (SELECT DISTINCT anonymous_id FROM day_events) AS today
  ON earlier.anonymous_id = today.anonymous_id
GROUP BY earlier.days
