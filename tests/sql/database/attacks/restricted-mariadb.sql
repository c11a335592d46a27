SELECT * FROM secret
SELECT token FROM secret
SELECT city FROM shop
SELECT s.city FROM shop s
SELECT shop.city FROM shop
SELECT max(city) FROM shop
SELECT id FROM shop WHERE city = 'Paris'
SELECT id FROM shop ORDER BY city
SELECT count(*) FROM shop GROUP BY city
SELECT count(*) FROM shop HAVING max(city) > 'A'
SELECT a.id FROM shop a JOIN shop b USING (city)
SELECT a.id FROM shop a JOIN shop b ON a.city = b.city
SELECT x.c FROM (SELECT city AS c FROM shop) x
WITH x AS (SELECT city AS c FROM shop) SELECT c FROM x
WITH shop AS (SELECT * FROM secret) SELECT * FROM shop
WITH secret AS (SELECT * FROM secret) SELECT * FROM secret
WITH x AS (SELECT * FROM secret) SELECT * FROM x
SELECT (SELECT token FROM secret LIMIT 1)
SELECT id FROM shop WHERE EXISTS (SELECT 1 FROM secret WHERE token LIKE 'h%')
SELECT id FROM shop WHERE id IN (SELECT id FROM secret)
SELECT id FROM shop UNION ALL SELECT id FROM secret
SELECT name FROM shop UNION SELECT token FROM secret
SELECT * FROM employee
SELECT * FROM shop, employee
SELECT * FROM shop NATURAL JOIN secret
SELECT name FROM shop a WHERE (SELECT count(*) FROM shop b WHERE b.city < a.city) = 0
SELECT row_number() OVER (ORDER BY city) FROM shop
SELECT CASE WHEN city = 'Paris' THEN 1 END FROM shop
SELECT sum(CASE WHEN opened > '2015-01-01' THEN 1 ELSE 0 END) FROM shop
SELECT * FROM tokens
SELECT * FROM (SELECT * FROM (SELECT * FROM secret) a) b
SELECT * FROM shopdb.secret
SELECT shopdb.secret.token FROM shopdb.secret
SELECT * FROM `shopdb`.`secret`
SELECT * FROM other.diary
SELECT shopdb.shop.city FROM shopdb.shop
SELECT `city` FROM `shop`
SELECT * FROM SECRET
SELECT * FROM shopdb . secret
SELECT * FROM shop, (SELECT * FROM secret) x
TABLE secret
SELECT * FROM shop PARTITION (p0)
SELECT group_concat(city) FROM shop
SELECT DEFAULT(city) FROM shop
SELECT name FROM shop WHERE (id, 'Paris') IN (SELECT id, city FROM shop)
SELECT shop.* FROM shop WHERE shop.city LIKE 'P%'
SELECT * FROM (shop JOIN secret)
SELECT j.* FROM shop, JSON_TABLE(city, '$' COLUMNS (a INT PATH '$')) j
SELECT * FROM information_schema.columns
WITH RECURSIVE r AS (SELECT token FROM secret UNION ALL SELECT token FROM r) SELECT * FROM r
SELECT * FROM shop FOR SYSTEM_TIME ALL
SELECT _rowid FROM shop
