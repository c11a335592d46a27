SELECT name, city FROM shop WHERE city LIKE 'L%' ORDER BY name
SELECT count(*) FROM employee
SELECT 7 % 3, 2 ^ 10, 7 / 2, |/ 16
SELECT "discount %" FROM shop WHERE "discount %" IS NOT NULL
SELECT "Größe", "select" FROM "Ünï cödé"
SELECT s.city, count(e.id) AS n FROM shop s LEFT JOIN employee e ON e.shop_id = s.id GROUP BY s.city HAVING count(e.id) >= 0 ORDER BY n DESC, s.city
SELECT e.name, s.name FROM employee e JOIN shop s ON s.id = e.shop_id
SELECT name FROM employee WHERE salary > (SELECT avg(salary) FROM employee)
SELECT DISTINCT city FROM shop
SELECT DISTINCT ON (shop_id) shop_id, name FROM employee ORDER BY shop_id, salary DESC
SELECT name, rank() OVER (PARTITION BY shop_id ORDER BY salary DESC) FROM employee
SELECT name, dense_rank() OVER w, row_number() OVER w, percent_rank() OVER w, cume_dist() OVER w FROM employee WINDOW w AS (ORDER BY salary)
SELECT name, lag(salary, 1, 0) OVER (ORDER BY id), lead(salary) OVER (ORDER BY id) FROM employee
SELECT name, sum(salary) OVER (ORDER BY hired ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM employee
SELECT name, avg(salary) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM employee
SELECT first_value(name) OVER (ORDER BY id), last_value(name) OVER (ORDER BY id), nth_value(name, 2) OVER (ORDER BY id), ntile(2) OVER (ORDER BY id) FROM employee
SELECT date_trunc('month', hired) AS month, count(*) FROM employee GROUP BY 1 ORDER BY 1
SELECT extract(year FROM opened), extract(dow FROM opened), date_part('month', opened) FROM shop
SELECT opened + interval '1 month', opened + 7, opened - date '2010-01-01' FROM shop
SELECT age(timestamp '2020-01-01', timestamp '2019-01-01'), now() - interval '1 day'
SELECT to_char(hired, 'YYYY-MM-DD HH24:MI'), to_char(1234.5, '9,999.99') FROM employee
SELECT to_date('2020-01-31', 'YYYY-MM-DD'), to_timestamp('2020', 'YYYY'), to_number('12.5', '99.9')
SELECT current_date, current_time, current_timestamp, localtime, localtimestamp
SELECT hired AT TIME ZONE 'UTC', timezone('Europe/Paris', hired) FROM employee
SELECT make_date(2020, 1, 2), make_interval(days => 3), justify_days(interval '40 days')
SELECT date_bin('15 minutes', timestamp '2020-01-01 10:07', timestamp '2020-01-01')
SELECT (date '2020-01-01', date '2020-02-01') OVERLAPS (date '2020-01-15', date '2020-03-01')
SELECT upper(name), lower(name), initcap(name), length(name), char_length(name), octet_length(name) FROM shop
SELECT substring(name FROM 1 FOR 2), substr(name, 2), left(name, 1), right(name, 1) FROM shop
SELECT trim(both 'x' from 'xxaxx'), ltrim('  a'), rtrim('a  '), btrim('--a--', '-')
SELECT name || ' in ' || city, concat(name, NULL, city), concat_ws(', ', name, city) FROM shop
SELECT replace(name, 'u', 'o'), translate(name, 'abc', 'xyz'), reverse(name), repeat('*', 3) FROM shop
SELECT position('u' IN name), strpos(name, 'x'), split_part('a,b,c', ',', 2) FROM shop
SELECT lpad(id::text, 5, '0'), rpad(name, 10, '.') FROM shop
SELECT format('%s has %s', name, city), quote_literal(name) FROM shop
SELECT overlay('abcdef' PLACING 'xx' FROM 2 FOR 2), starts_with(name, 'L') FROM shop
SELECT name FROM shop WHERE name ~ '^L' OR name ~* 'lux' OR name !~ 'z'
SELECT regexp_replace(name, '[aeiou]', '#', 'g'), regexp_matches(name, '(.)') FROM shop
SELECT regexp_split_to_array('a b c', ' '), regexp_split_to_table('a b', ' ')
SELECT name FROM shop WHERE name ILIKE '%u%' AND name NOT LIKE '\_%' AND name SIMILAR TO '%(u|o)%'
SELECT name FROM shop WHERE city IN ('Lyon', 'Paris') AND id BETWEEN 1 AND 5
SELECT CASE WHEN salary > 1500 THEN 'high' WHEN salary IS NULL THEN 'none' ELSE 'low' END FROM employee
SELECT coalesce(city, 'none'), nullif(city, 'Lyon'), greatest(1, 2, 3), least(1, 2) FROM shop
SELECT sum(salary), avg(salary), min(salary), max(salary), stddev(salary), variance(salary) FROM employee
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY salary), percentile_disc(0.9) WITHIN GROUP (ORDER BY salary), mode() WITHIN GROUP (ORDER BY shop_id) FROM employee
SELECT corr(salary, age), regr_slope(salary, age), covar_pop(salary, age) FROM employee
SELECT string_agg(name, ', ' ORDER BY name), array_agg(name ORDER BY id) FROM shop
SELECT count(DISTINCT city), count(*) FILTER (WHERE city = 'Lyon'), bool_and(id > 0), every(id > 0) FROM shop
SELECT city, count(*) FROM shop GROUP BY ROLLUP (city)
SELECT city, name, grouping(city) FROM shop GROUP BY CUBE (city, name)
SELECT city, name, count(*) FROM shop GROUP BY GROUPING SETS ((city), (name), ())
SELECT round(salary, 1), ceil(salary), floor(salary), trunc(salary), abs(-salary), sign(salary) FROM employee
SELECT sqrt(2), cbrt(27), power(2, 3), exp(1), ln(2), log(100), log(2, 8), mod(7, 3), pi(), sin(1), atan2(1, 2), degrees(1), random() < 2
SELECT width_bucket(5, 0, 10, 5), gcd(12, 8), lcm(4, 6), factorial(5)
SELECT salary::int, salary::text, CAST(age AS numeric(5,1)), '12'::int, 1::boolean, '2020-01-01'::date, 'a'::varchar(3) FROM employee
SELECT info->'k', info->>'k', info#>'{a,b}', info#>>'{a}', info ? 'k', info @> '{"k": 1}' FROM employee
SELECT jsonb_array_elements('[1,2]'::jsonb), jsonb_object_keys('{"a":1}'::jsonb)
SELECT e.name, j.key, j.value FROM employee e, jsonb_each(e.info) AS j
SELECT jsonb_build_object('n', name), json_build_array(1, 2), to_jsonb(name), row_to_json(shop) FROM shop
SELECT jsonb_agg(name), json_object_agg(id, name), jsonb_typeof('1'::jsonb), jsonb_array_length('[1]'::jsonb) FROM shop
SELECT jsonb_path_query(info, '$.k'), jsonb_path_exists(info, '$.k'), jsonb_set('{}'::jsonb, '{a}', '1'), jsonb_pretty(info) FROM employee
SELECT * FROM jsonb_to_recordset('[{"a":1}]'::jsonb) AS x(a int)
SELECT * FROM json_array_elements_text('["a"]'::json)
SELECT tags[1], array_length(tags, 1), cardinality(tags), 'a' = ANY(tags), tags @> ARRAY['a'], tags || 'z'::text FROM employee
SELECT unnest(tags) FROM employee
SELECT e.name, t.tag, t.n FROM employee e CROSS JOIN LATERAL unnest(e.tags) WITH ORDINALITY AS t(tag, n)
SELECT array_to_string(tags, ','), array_position(tags, 'a'), string_to_array('a,b', ','), array_remove(tags, 'a') FROM employee
SELECT ARRAY(SELECT name FROM shop), ARRAY[[1,2],[3,4]], (ARRAY[1,2,3])[2:3]
SELECT * FROM generate_series(1, 10) AS n
SELECT d::date FROM generate_series(date '2020-01-01', date '2020-01-10', interval '1 day') AS d
SELECT s.name, n FROM shop s CROSS JOIN generate_series(1, 2) n
WITH x AS (SELECT city, count(*) AS n FROM shop GROUP BY city) SELECT * FROM x WHERE n > 0
WITH a AS (SELECT 1 AS v), b AS (SELECT v + 1 AS v FROM a) SELECT * FROM a UNION ALL SELECT * FROM b
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 20) SELECT sum(n) FROM r
WITH x AS MATERIALIZED (SELECT * FROM shop), y AS NOT MATERIALIZED (SELECT id FROM x) SELECT count(*) FROM y
WITH RECURSIVE up(id, path) AS (SELECT id, ARRAY[id] FROM employee WHERE id = 1 UNION ALL SELECT e.id, path || e.id FROM employee e JOIN up ON e.id = up.id + 1 WHERE e.id < 10) SELECT * FROM up
SELECT name FROM shop UNION SELECT name FROM employee ORDER BY 1 LIMIT 5 OFFSET 1
SELECT id FROM shop INTERSECT SELECT shop_id FROM employee
SELECT id FROM shop EXCEPT ALL SELECT shop_id FROM employee
SELECT * FROM shop s WHERE EXISTS (SELECT 1 FROM employee e WHERE e.shop_id = s.id)
SELECT * FROM shop WHERE id NOT IN (SELECT shop_id FROM employee WHERE shop_id IS NOT NULL)
SELECT s.name, x.name FROM shop s, LATERAL (SELECT e.name FROM employee e WHERE e.shop_id = s.id ORDER BY salary DESC LIMIT 1) x
SELECT * FROM shop NATURAL JOIN (SELECT id FROM shop) x
SELECT id, a.name FROM shop a JOIN shop b USING (id)
SELECT a.name FROM shop a FULL OUTER JOIN employee b ON a.id = b.shop_id
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t)
VALUES (1), (2)
SELECT (SELECT max(age) FROM employee) - (SELECT min(age) FROM employee)
SELECT * FROM employee ORDER BY salary DESC NULLS LAST FETCH FIRST 2 ROWS ONLY
SELECT * FROM shop TABLESAMPLE BERNOULLI (50)
SELECT (s).name, (s).city FROM shop s
SELECT ROW(1, 2) = ROW(1, 2), (1, 2) < (1, 3), 1 IS DISTINCT FROM NULL, true IS NOT UNKNOWN
SELECT int4range(1, 5) @> 3, lower(int4range(1, 5)), '[2020-01-01,2020-02-01)'::daterange && daterange('2020-01-15', NULL)
SELECT to_tsvector('english', name) @@ to_tsquery('english', 'lux'), ts_rank(to_tsvector(name), plainto_tsquery('lux')) FROM shop
SELECT md5(name), encode(sha256('a'::bytea), 'hex'), decode('ff', 'hex') FROM shop
SELECT inet '10.0.0.1' << inet '10.0.0.0/8', host(inet '10.0.0.1'), point(1, 2) <-> point(3, 4)
SELECT gen_random_uuid() IS NOT NULL, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid
SELECT * FROM cities
SELECT * FROM sales.orders
SELECT * FROM big
SELECT status, 'open'::order_status, enum_range(NULL::order_status) FROM sales.orders WHERE status = 'open'
SELECT $$a 'b' %$$, E'a\nb', U&'\0041', B'101', X'1F' FROM shop
SELECT chr(65), ascii('A'), to_hex(255), bit_length('a'), bit_and(id), bit_or(id) FROM shop GROUP BY 1
SELECT name COLLATE "C" FROM shop ORDER BY name COLLATE "C"
SELECT current_user, session_user, current_schema, version() IS NOT NULL
SELECT x.n, sum(x.n) OVER () FROM (SELECT generate_series(1, 3) AS n) x -- a comment; with a semicolon
SELECT /* a comment */ count(*) FROM shop;
