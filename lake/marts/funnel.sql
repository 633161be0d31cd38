-- How many visitors of the day reached each step after the one before: any page, the form for an
-- account, a page of the members, a page of a paid course. Without bots.
SELECT
  count(*) AS visitors,
  sum(CASE WHEN form >= visit THEN 1 ELSE 0 END) AS forms,
  sum(CASE WHEN form >= visit AND member >= form THEN 1 ELSE 0 END) AS members,
  sum(CASE WHEN form >= visit AND member >= form AND paid >= member THEN 1 ELSE 0 END) AS paid
FROM (
  SELECT
    anonymous_id,
    min(second) AS visit,
    min(CASE WHEN page_path = '/sign-up.html' THEN second END) AS form,
    max(CASE WHEN page_path LIKE '/app/%' THEN second END) AS member,
    max(CASE WHEN page_path LIKE '/premium/%' THEN second END) AS paid
  FROM day_events
  WHERE type = 'page'
  GROUP BY anonymous_id
) AS one
HAVING count(*) > 0
