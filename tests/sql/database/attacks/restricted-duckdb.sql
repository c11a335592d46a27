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
FROM secret
FROM shop SELECT city
SELECT shop.* EXCLUDE (name), city FROM shop
SELECT COLUMNS('c.*') FROM shop
SELECT COLUMNS(*)::VARCHAR FROM secret
SELECT * REPLACE (city AS name) FROM shop
SELECT rowid FROM shop
SELECT * FROM main.secret
SELECT * FROM shopdb.main.secret
SELECT * FROM shopdb.secret
SELECT * FROM shopdb.shop
SELECT * FROM memory.main.secret
SELECT main.shop.city FROM main.shop
SELECT shop.city FROM main.shop
SELECT s.city FROM (SELECT s FROM shop s)
SELECT to_json(s)->>'city' FROM shop s
SELECT struct_extract(s, 'city') FROM shop s
SELECT * FROM sales.orders
SELECT max_by(name, city) FROM shop
SELECT name FROM shop QUALIFY row_number() OVER (ORDER BY city) = 1
SELECT * FROM shop POSITIONAL JOIN secret
SELECT * FROM (PIVOT shop ON city USING count(*))
SELECT * FROM shop PIVOT (count(*) FOR city IN ('Paris'))
SELECT * FROM secret UNPIVOT (v FOR k IN (token))
SELECT [x FOR x IN (SELECT list(token) FROM secret)]
SELECT * FROM shop ASOF JOIN secret ON shop.id >= secret.id
SUMMARIZE secret
DESCRIBE secret
SELECT * FROM query_table('secret')
SELECT * FROM seq_scan('secret')
