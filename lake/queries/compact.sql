-- One day of good events, each once, for lake/jobs/compact.py. The table `events` holds the days
-- around `day` as well, so that a copy which arrived just before or after midnight is found.
SELECT once.*
FROM events_once AS once
CROSS JOIN day
WHERE once.date = day.date
ORDER BY once.source, once.received_at
