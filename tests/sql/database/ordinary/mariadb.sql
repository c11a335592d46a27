SELECT name, city FROM shop WHERE city LIKE 'L%' ORDER BY name
SELECT count(*) FROM employee
SELECT 7 % 3, 7 MOD 3, 7 DIV 2, 7 / 2, 5 & 3, 5 | 3, 5 ^ 3, ~0, 1 << 3
SELECT `discount %` FROM shop WHERE `discount %` IS NOT NULL
SELECT `Größe`, `select` FROM `Ünï cödé`
SELECT s.city, count(e.id) AS n FROM shop s LEFT JOIN employee e ON e.shop_id = s.id GROUP BY s.city HAVING count(e.id) >= 0 ORDER BY n DESC, s.city
SELECT e.name, s.name FROM employee e INNER JOIN shop s ON s.id = e.shop_id
SELECT name FROM employee WHERE salary > (SELECT avg(salary) FROM employee)
SELECT DISTINCT city FROM shop
SELECT DATE_FORMAT(opened, '%Y-%m') AS m, COUNT(*) FROM shop GROUP BY m ORDER BY m
SELECT YEAR(opened), MONTH(opened), DAY(opened), QUARTER(opened), WEEK(opened), DAYOFWEEK(opened), DAYNAME(opened), MONTHNAME(opened) FROM shop
SELECT DATE_ADD(opened, INTERVAL 1 MONTH), DATE_SUB(opened, INTERVAL 7 DAY), opened + INTERVAL 1 YEAR FROM shop
SELECT DATEDIFF('2020-02-01', '2020-01-01'), TIMESTAMPDIFF(YEAR, opened, '2020-01-01'), TIMEDIFF('10:00:00', '09:00:00') FROM shop
SELECT NOW(), CURDATE(), CURRENT_DATE, CURRENT_TIMESTAMP, CURRENT_DATE(), UTC_TIMESTAMP(), SYSDATE()
SELECT EXTRACT(YEAR FROM opened), EXTRACT(YEAR_MONTH FROM opened), LAST_DAY(opened), TO_DAYS(opened) FROM shop
SELECT STR_TO_DATE('31.01.2020', '%d.%m.%Y'), FROM_UNIXTIME(0), UNIX_TIMESTAMP('2020-01-01'), MAKEDATE(2020, 32), SEC_TO_TIME(3600)
SELECT DATE('2020-01-01 10:00:00'), TIME('2020-01-01 10:00:00'), HOUR(hired), MINUTE(hired), SECOND(hired) FROM employee
SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 10:00:00', TIME '10:00'
SELECT PERIOD_ADD(202001, 2), PERIOD_DIFF(202003, 202001), WEEKDAY(opened), YEARWEEK(opened), DAYOFYEAR(opened) FROM shop
SELECT CONVERT_TZ('2020-01-01 12:00:00', '+00:00', '+02:00'), ADDTIME('10:00:00', '01:00:00')
SELECT UPPER(name), LOWER(name), LENGTH(name), CHAR_LENGTH(name), REVERSE(name) FROM shop
SELECT SUBSTRING(name, 1, 2), SUBSTRING(name FROM 2 FOR 1), LEFT(name, 1), RIGHT(name, 1), MID(name, 2, 1) FROM shop
SELECT TRIM(BOTH 'x' FROM 'xxaxx'), LTRIM('  a'), RTRIM('a  '), LPAD(id, 5, '0'), RPAD(name, 10, '.') FROM shop
SELECT CONCAT(name, ' in ', city), CONCAT_WS(', ', name, city) FROM shop
SELECT REPLACE(name, 'u', 'o'), INSERT('abc', 1, 1, 'x'), REPEAT('*', 3), SPACE(2), INSTR(name, 'u'), LOCATE('u', name) FROM shop
SELECT SUBSTRING_INDEX('a.b.c', '.', 2), FIELD('b', 'a', 'b'), ELT(2, 'a', 'b'), FIND_IN_SET('b', 'a,b'), POSITION('u' IN name) FROM shop
SELECT FORMAT(1234.5, 2), HEX('a'), UNHEX('61'), ASCII('A'), CHAR(65), CONV('ff', 16, 10), BIN(5), OCT(8)
SELECT name FROM shop WHERE name REGEXP '^L' OR name RLIKE 'x$' OR name NOT REGEXP 'z'
SELECT REGEXP_REPLACE(name, '[aeiou]', '#'), REGEXP_SUBSTR(name, '.'), REGEXP_INSTR(name, 'u') FROM shop
SELECT name FROM shop WHERE name LIKE '%u%' AND name NOT LIKE '\_%' AND name LIKE '100!%' ESCAPE '!' OR 1 = 1
SELECT name FROM shop WHERE city IN ('Lyon', 'Paris') AND id BETWEEN 1 AND 5
SELECT CASE WHEN salary > 1500 THEN 'high' WHEN salary IS NULL THEN 'none' ELSE 'low' END FROM employee
SELECT IF(salary > 1000, 'a', 'b'), IFNULL(city, 'none'), COALESCE(city, 'x'), NULLIF(city, 'Lyon'), GREATEST(1, 2), LEAST(1, 2) FROM shop JOIN employee ON 1 = 1
SELECT SUM(salary), AVG(salary), MIN(salary), MAX(salary), STDDEV(salary), VARIANCE(salary), STD(salary), VAR_SAMP(salary) FROM employee
SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR ', '), GROUP_CONCAT(DISTINCT city) FROM shop
SELECT COUNT(DISTINCT city), COUNT(DISTINCT city, name), BIT_AND(id), BIT_OR(id), BIT_XOR(id) FROM shop
SELECT city, COUNT(*) FROM shop GROUP BY city WITH ROLLUP
SELECT name, RANK() OVER (PARTITION BY shop_id ORDER BY salary DESC) FROM employee
SELECT name, DENSE_RANK() OVER w, ROW_NUMBER() OVER w, PERCENT_RANK() OVER w, CUME_DIST() OVER w FROM employee WINDOW w AS (ORDER BY salary)
SELECT name, LAG(salary, 1) OVER (ORDER BY id), LEAD(salary) OVER (ORDER BY id) FROM employee
SELECT name, SUM(salary) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM employee
SELECT name, AVG(salary) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) FROM employee
SELECT FIRST_VALUE(name) OVER (ORDER BY id), LAST_VALUE(name) OVER (ORDER BY id), NTH_VALUE(name, 2) OVER (ORDER BY id), NTILE(2) OVER (ORDER BY id) FROM employee
SELECT MEDIAN(salary) OVER (PARTITION BY shop_id) FROM employee
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY salary) OVER (PARTITION BY shop_id) FROM employee
SELECT ROUND(salary, 1), CEIL(salary), CEILING(salary), FLOOR(salary), TRUNCATE(salary, 0), ABS(-salary), SIGN(salary) FROM employee
SELECT SQRT(2), POWER(2, 3), POW(2, 3), EXP(1), LN(2), LOG(2, 8), LOG10(100), LOG2(8), MOD(7, 3), PI(), SIN(1), ATAN2(1, 2), DEGREES(1), RADIANS(1), RAND() < 2
SELECT CAST(salary AS SIGNED), CAST(salary AS CHAR), CAST('2020-01-01' AS DATE), CAST(age AS DECIMAL(5, 1)), CONVERT('12', SIGNED), CONVERT(name USING utf8mb4), CAST('1' AS UNSIGNED), CAST(1 AS DOUBLE), CAST(1 AS CHAR(3)) FROM employee
SELECT JSON_EXTRACT(info, '$.k'), JSON_VALUE(info, '$.k'), JSON_UNQUOTE(JSON_EXTRACT(info, '$.k')), JSON_CONTAINS(info, '1', '$.k') FROM employee
SELECT JSON_OBJECT('n', name), JSON_ARRAY(1, 2), JSON_LENGTH('[1]'), JSON_KEYS('{"a": 1}'), JSON_TYPE('1'), JSON_VALID('x') FROM shop
SELECT JSON_ARRAYAGG(name), JSON_OBJECTAGG(id, name) FROM shop
SELECT j.* FROM JSON_TABLE('[{"a": 1}]', '$[*]' COLUMNS (a INT PATH '$.a', n FOR ORDINALITY)) AS j
SELECT JSON_SET('{}', '$.a', 1), JSON_REMOVE('{"a": 1}', '$.a'), JSON_MERGE_PATCH('{}', '{}'), JSON_SEARCH('["a"]', 'one', 'a')
WITH x AS (SELECT city, count(*) AS n FROM shop GROUP BY city) SELECT * FROM x WHERE n > 0
WITH a AS (SELECT 1 AS v), b AS (SELECT v + 1 AS v FROM a) SELECT * FROM a UNION ALL SELECT * FROM b
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 20) SELECT sum(n) FROM r
WITH RECURSIVE r (n, m) AS (SELECT 1, 2 UNION ALL SELECT n + 1, m FROM r WHERE n < 5), q (x) AS (SELECT n FROM r) SELECT * FROM q
WITH x (a, b) AS (SELECT id, name FROM shop) SELECT a, b FROM x
SELECT name FROM shop UNION SELECT name FROM employee ORDER BY 1 LIMIT 5 OFFSET 1
SELECT id FROM shop INTERSECT SELECT shop_id FROM employee
SELECT id FROM shop EXCEPT SELECT shop_id FROM employee
(SELECT id FROM shop ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM employee ORDER BY id DESC LIMIT 1)
SELECT * FROM shop s WHERE EXISTS (SELECT 1 FROM employee e WHERE e.shop_id = s.id)
SELECT * FROM shop WHERE id NOT IN (SELECT shop_id FROM employee WHERE shop_id IS NOT NULL)
SELECT * FROM shop WHERE id = ANY (SELECT shop_id FROM employee) OR id > ALL (SELECT shop_id FROM employee)
SELECT * FROM shop NATURAL JOIN (SELECT id FROM shop) x
SELECT id, a.name FROM shop a JOIN shop b USING (id)
SELECT a.name FROM shop a RIGHT JOIN employee b ON (a.id = b.shop_id)
SELECT a.name FROM shop a CROSS JOIN employee b
SELECT a.name FROM shop a STRAIGHT_JOIN employee b
SELECT s.name FROM (shop s, employee e) WHERE s.id = e.shop_id
VALUES (1, 2), (3, 4)
SELECT (SELECT max(age) FROM employee) - (SELECT min(age) FROM employee)
SELECT * FROM employee ORDER BY salary DESC LIMIT 1, 2
SELECT * FROM employee ORDER BY salary IS NULL, salary ASC LIMIT 2 OFFSET 0
SELECT ROW(1, 2) = ROW(1, 2), (1, 2) < (1, 3), NULL <=> NULL, 1 IS NOT NULL, TRUE XOR FALSE, NOT 1, !0
SELECT 'it''s', "double", 'back\'slash', 'a' 'b', x'4D', 0x4D, b'101', N'x', _utf8mb4'y'
SELECT MD5(name), SHA1(name), SHA2(name, 256), CRC32(name), TO_BASE64(name) FROM shop
SELECT INET_ATON('10.0.0.1'), INET_NTOA(167772161), UUID() IS NOT NULL
SELECT SOUNDEX(name), name SOUNDS LIKE 'Lux', STRCMP(name, 'Lux') FROM shop
SELECT * FROM cities
SELECT shopdb.shop.name, shop.city FROM shopdb.shop
SELECT kind, f + 0, kind = 'a' FROM employee
SELECT * FROM shop USE INDEX (PRIMARY) WHERE id = 1
SELECT * FROM shop FORCE INDEX FOR ORDER BY (PRIMARY) ORDER BY id
SELECT SQL_NO_CACHE count(*) FROM shop
SELECT name COLLATE utf8mb4_bin FROM shop ORDER BY name COLLATE utf8mb4_bin
SELECT BINARY name, name = BINARY 'Lux' FROM shop
SELECT CURRENT_USER, CURRENT_USER(), DATABASE(), VERSION()
SELECT count( * ), sum( id ) FROM shop
SELECT t.n, sum(t.n) OVER () FROM (SELECT 1 AS n UNION SELECT 2) t -- a comment; with a semicolon
SELECT /* a comment */ count(*) FROM shop; # and another
SELECT -(-1), 1 - -1, +1, 1.5e3, .5, 1e-2
SELECT id, name FROM shop WHERE (id, name) IN (SELECT id, name FROM shop)
SELECT d.day FROM (SELECT DATE_ADD('2020-01-01', INTERVAL id DAY) AS day FROM shop) d
SELECT INTERVAL(23, 1, 15, 17, 30), DEFAULT(city) IS NULL FROM shop LIMIT 1
SELECT st_x(point(1, 2)), st_astext(point(1, 2)), st_distance(point(0, 0), point(3, 4))
SELECT name, COUNT(*) OVER () AS total, salary / SUM(salary) OVER () * 100 AS pct FROM employee
SELECT s.name, (SELECT e.name FROM employee e WHERE e.shop_id = s.id ORDER BY e.salary DESC LIMIT 1) AS best FROM shop s
SELECT city, SUM(CASE WHEN YEAR(opened) = 2016 THEN 1 ELSE 0 END) AS y2016 FROM shop GROUP BY city
SELECT * FROM employee WHERE hired >= NOW() - INTERVAL 30 DAY
SELECT * FROM employee WHERE hired BETWEEN '2000-01-01' AND '2030-01-01'
SELECT NVL(city, 'x'), CHR(65), TO_CHAR(opened, 'YYYY') FROM shop
