-- Rows in = good + bad + duplicate + erased, by hour. `copies_elsewhere` counts the good rows that
-- `events_once` leaves out: copies from other shards or older hours.
SELECT
  day.date,
  day.hour,
  day.rows_in,
  day.good,
  day.bad,
  day.duplicate,
  day.erased,
  day.good - coalesce(once.events, 0) AS copies_elsewhere
FROM (
  SELECT
    date,
    hour,
    count(*) AS rows_in,
    sum(CASE WHEN verdict = 'good' THEN 1 ELSE 0 END) AS good,
    sum(CASE WHEN verdict = 'bad' THEN 1 ELSE 0 END) AS bad,
    sum(CASE WHEN verdict = 'duplicate' THEN 1 ELSE 0 END) AS duplicate,
    sum(CASE WHEN verdict = 'erased' THEN 1 ELSE 0 END) AS erased
  FROM events
  GROUP BY date, hour
) AS day
LEFT JOIN (
  SELECT date, hour, count(*) AS events
  FROM events_once
  GROUP BY date, hour
) AS once
  ON day.date = once.date AND day.hour = once.hour
ORDER BY day.date NULLS LAST, day.hour NULLS LAST
