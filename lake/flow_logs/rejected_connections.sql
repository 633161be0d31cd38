-- Today's rejected connections (UTC) by source and port. VPC writes each hour's objects about ten minutes later.
SELECT srcaddr, dstaddr, dstport, protocol, sum(packets) AS packets, count(*) AS records
FROM flow_logs
WHERE year = year(current_date) AND month = month(current_date) AND day = day(current_date) AND action = 'REJECT'
GROUP BY srcaddr, dstaddr, dstport, protocol
ORDER BY packets DESC, srcaddr, dstport
LIMIT 100
