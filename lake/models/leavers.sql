-- The activity of each student in the 28 days up to the cut (day 0), and whether the student left: had no
-- event in the seven days after it. Only students who were there in the last 14 of these days.
SELECT
  student,
  count(CASE WHEN day > -7 AND day <= 0 THEN 1 END) AS days_7,
  count(CASE WHEN day <= 0 THEN 1 END) AS days_28,
  sum(CASE WHEN day > -7 AND day <= 0 THEN events ELSE 0 END) AS events_7,
  sum(CASE WHEN day <= 0 THEN events ELSE 0 END) AS events_28,
  sum(CASE WHEN day <= 0 THEN lessons ELSE 0 END) AS lessons_28,
  -max(CASE WHEN day <= 0 THEN day END) AS idle_days,
  CASE WHEN max(day) > 0 THEN 0 ELSE 1 END AS has_left
FROM student_days
GROUP BY student
HAVING max(CASE WHEN day <= 0 THEN day END) > -14
