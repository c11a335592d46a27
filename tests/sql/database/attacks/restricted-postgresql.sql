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
SELECT shop FROM shop
SELECT s FROM shop s
SELECT s::text FROM shop s
SELECT to_json(s) FROM shop s
SELECT row_to_json(shop) FROM shop
SELECT to_jsonb(shop.*) FROM shop
SELECT (shop).city FROM shop
SELECT (s).* FROM (SELECT shop FROM shop) AS x(s)
SELECT shop.* FROM shop
SELECT ctid FROM shop
SELECT tableoid FROM shop
SELECT * FROM public.secret
SELECT * FROM ONLY secret
TABLE secret
TABLE shop
SELECT json_agg(shop) FROM shop
SELECT count(s) FROM shop s
SELECT s IS NULL FROM shop s
SELECT ROW(s.*) FROM shop s
SELECT * FROM shop TABLESAMPLE SYSTEM (100)
SELECT x.* FROM shop s, LATERAL (SELECT s.city) x
SELECT x.* FROM shop s, LATERAL (SELECT s.*) x
SELECT jsonb_each(to_jsonb(s)) FROM shop s
SELECT j FROM (shop JOIN shop b USING (id)) AS j
SELECT a.n FROM shop AS a(i, n, c) WHERE c = 'Paris'
SELECT c FROM shop AS a(i, n, c)
SELECT string_agg(s::text, '') FROM shop s
SELECT DISTINCT ON (city) id FROM shop
SELECT * FROM big
SELECT * FROM measured
SELECT * FROM pg_stats
