SELECT name, city FROM shop WHERE city LIKE 'L%' ORDER BY name
SELECT count(*) FROM employee
SELECT 7 % 3, 2 ** 10, 7 // 2, 7 / 2, 2 ^ 3, 5 & 3, 5 | 3, ~1, 1 << 3
SELECT "discount %" FROM shop WHERE "discount %" IS NOT NULL
SELECT "Größe", "select" FROM "Ünï cödé"
SELECT s.city, count(e.id) AS n FROM shop s LEFT JOIN employee e ON e.shop_id = s.id GROUP BY ALL HAVING count(e.id) >= 0 ORDER BY ALL
SELECT e.name, s.name FROM employee e JOIN shop s ON s.id = e.shop_id
SELECT name FROM employee WHERE salary > (SELECT avg(salary) FROM employee)
SELECT DISTINCT ON (shop_id) shop_id, name FROM employee ORDER BY shop_id, salary DESC
SELECT name, rank() OVER (PARTITION BY shop_id ORDER BY salary DESC) FROM employee
SELECT name, dense_rank() OVER w, row_number() OVER w, percent_rank() OVER w, cume_dist() OVER w FROM employee WINDOW w AS (ORDER BY salary)
SELECT name, lag(salary, 1, 0) OVER (ORDER BY id), lead(salary) OVER (ORDER BY id) FROM employee
SELECT name, sum(salary) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM employee
SELECT first_value(name) OVER (ORDER BY id), last_value(name) OVER (ORDER BY id), nth_value(name, 2) OVER (ORDER BY id), ntile(2) OVER (ORDER BY id) FROM employee
SELECT name FROM employee QUALIFY row_number() OVER (PARTITION BY shop_id ORDER BY salary DESC) = 1
SELECT date_trunc('month', hired) AS month, count(*) FROM employee GROUP BY 1 ORDER BY 1
SELECT extract(year FROM opened), year(opened), month(opened), day(opened), dayname(opened), monthname(opened), quarter(opened), date_part('dow', opened) FROM shop
SELECT opened + INTERVAL 1 MONTH, opened + 7, opened - DATE '2010-01-01', opened - INTERVAL '2 days' FROM shop
SELECT age(DATE '2020-01-01', DATE '2019-01-01'), date_diff('day', DATE '2020-01-01', DATE '2020-02-01'), datediff('month', opened, DATE '2020-01-01') FROM shop
SELECT strftime(opened, '%Y-%m'), strptime('2020-01-31', '%Y-%m-%d'), make_date(2020, 1, 2), last_day(opened) FROM shop
SELECT current_date, now() IS NOT NULL, current_timestamp IS NOT NULL, today() IS NOT NULL
SELECT date_add(DATE '2020-01-01', INTERVAL 1 DAY), time_bucket(INTERVAL 1 WEEK, DATE '2020-01-08'), epoch(TIMESTAMP '2020-01-01')
SELECT upper(name), lower(name), length(name), reverse(name), strlen(name), ascii(name), chr(65) FROM shop
SELECT substring(name, 1, 2), substr(name, 2), left(name, 1), right(name, 1), name[1], name[1:2] FROM shop
SELECT trim('  a '), ltrim('  a'), rtrim('a  '), lpad(id::VARCHAR, 5, '0'), rpad(name, 10, '.') FROM shop
SELECT name || ' in ' || city, concat(name, NULL, city), concat_ws(', ', name, city) FROM shop
SELECT replace(name, 'u', 'o'), repeat('*', 3), split_part('a,b', ',', 2), string_split('a,b', ','), position('u' IN name), instr(name, 'u') FROM shop
SELECT contains(name, 'u'), starts_with(name, 'L'), ends_with(name, 'x'), prefix(name, 'L'), suffix(name, 'x') FROM shop
SELECT format('{} in {}', name, city), printf('%s: %d', name, id) FROM shop
SELECT name FROM shop WHERE name ILIKE '%U%' AND name NOT LIKE '\_%' AND name ~ '.*' OR name GLOB 'L*' OR name SIMILAR TO 'L.*'
SELECT regexp_replace(name, '[aeiou]', '#', 'g'), regexp_matches(name, 'u'), regexp_extract(name, '(.)', 1), regexp_full_match(name, '.*') FROM shop
SELECT levenshtein('a', 'b'), jaro_winkler_similarity('ab', 'ac'), strip_accents('é'), nfc_normalize('é')
SELECT name FROM shop WHERE city IN ('Lyon', 'Paris') AND id BETWEEN 1 AND 5
SELECT CASE WHEN salary > 1500 THEN 'high' WHEN salary IS NULL THEN 'none' ELSE 'low' END, if(age > 30, 1, 0) FROM employee
SELECT coalesce(city, 'none'), nullif(city, 'Lyon'), greatest(1, 2, 3), least(1, 2), ifnull(city, 'x') FROM shop
SELECT sum(salary), avg(salary), min(salary), max(salary), stddev(salary), variance(salary), median(salary), mode(age), product(age) FROM employee
SELECT quantile_cont(salary, 0.5), quantile_disc(salary, [0.1, 0.9]), approx_quantile(salary, 0.5), approx_count_distinct(name) FROM employee
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY salary) FROM employee
SELECT arg_max(name, salary), arg_min(name, salary), max_by(name, salary), first(name), last(name), any_value(name) FROM employee
SELECT corr(salary, age), regr_slope(salary, age), covar_pop(salary, age), skewness(age), kurtosis(age), entropy(age) FROM employee
SELECT string_agg(name, ', ' ORDER BY name), list(name ORDER BY id), array_agg(name), group_concat(name) FROM shop
SELECT count(DISTINCT city), count(*) FILTER (WHERE city = 'Lyon'), bool_and(id > 0), count_if(id > 1), histogram(id) FROM shop
SELECT city, count(*) FROM shop GROUP BY ROLLUP (city)
SELECT city, name, grouping(city) FROM shop GROUP BY CUBE (city, name)
SELECT city, name, count(*) FROM shop GROUP BY GROUPING SETS ((city), (name), ())
SELECT round(salary, 1), ceil(salary), floor(salary), trunc(salary), abs(-salary), sign(salary) FROM employee
SELECT sqrt(2), cbrt(27), power(2, 3), pow(2, 3), exp(1), ln(2), log10(100), log2(8), mod(7, 3), pi(), sin(1), atan2(1, 2), degrees(1), random() < 2
SELECT gcd(12, 8), lcm(4, 6), factorial(5), 5!, even(3), isnan('nan'::DOUBLE), bit_count(7)
SELECT salary::INT, salary::VARCHAR, CAST(age AS DECIMAL(5, 1)), TRY_CAST('x' AS INT), '2020-01-01'::DATE FROM employee
SELECT info->'$.k', info->>'$.k', json_extract(info, '$.k'), json_extract_string(info, '$.k'), json_type(info), json_keys(info) FROM employee
SELECT json_object('n', name), json_array(1, 2), to_json(name), json_group_array(name), json_array_length('[1]'), json_valid('x') FROM shop GROUP BY name
SELECT key, value FROM json_each('{"a": 1}')
SELECT tags[1], len(tags), list_contains(tags, 'a'), array_length(tags), tags || ['z'], list_sort(tags), list_distinct(tags) FROM employee
SELECT unnest(tags) FROM employee
SELECT e.name, t.tag FROM employee e, unnest(e.tags) AS t(tag)
SELECT [x + 1 FOR x IN [1, 2, 3] IF x > 1], list_transform([1, 2], lambda x: x * 2), list_filter([1, 2], lambda x: x > 1), list_reduce([1, 2], lambda x, y: x + y)
SELECT list_sum([1, 2]), list_avg([1, 2]), list_max([1, 2]), list_aggregate([1, 2], 'sum'), flatten([[1], [2]]), range(3), list_zip([1], [2])
SELECT {'a': 1, 'b': 2}, {'a': 1}.a, struct_pack(x := 1), struct_extract({'a': 1}, 'a'), pair.a FROM employee
SELECT MAP {'a': 1}, map_keys(MAP {'a': 1}), map_extract(MAP {'a': 1}, 'a'), MAP {'a': 1}['a']
SELECT * FROM generate_series(1, 10)
SELECT * FROM range(10) t(i)
SELECT d FROM generate_series(DATE '2020-01-01', DATE '2020-01-10', INTERVAL 1 DAY) t(d)
WITH x AS (SELECT city, count(*) AS n FROM shop GROUP BY city) SELECT * FROM x WHERE n > 0
WITH a AS (SELECT 1 AS v), b AS (SELECT v + 1 AS v FROM a) SELECT * FROM a UNION ALL SELECT * FROM b
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 20) SELECT sum(n) FROM r
WITH x AS MATERIALIZED (SELECT * FROM shop) SELECT count(*) FROM x
SELECT name FROM shop UNION SELECT name FROM employee ORDER BY 1 LIMIT 5 OFFSET 1
SELECT id, name FROM shop UNION BY NAME SELECT name, age FROM employee
SELECT id FROM shop INTERSECT SELECT shop_id FROM employee
SELECT id FROM shop EXCEPT SELECT shop_id FROM employee
SELECT * FROM shop s WHERE EXISTS (SELECT 1 FROM employee e WHERE e.shop_id = s.id)
SELECT * FROM shop WHERE id NOT IN (SELECT shop_id FROM employee WHERE shop_id IS NOT NULL)
SELECT s.name, x.name FROM shop s, LATERAL (SELECT e.name FROM employee e WHERE e.shop_id = s.id ORDER BY salary DESC LIMIT 1) x
SELECT * FROM shop NATURAL JOIN (SELECT id FROM shop) x
SELECT id, a.name FROM shop a JOIN shop b USING (id)
SELECT a.name FROM shop a FULL OUTER JOIN employee b ON a.id = b.shop_id
SELECT a.name FROM shop a SEMI JOIN employee b ON a.id = b.shop_id
SELECT a.name FROM shop a ANTI JOIN employee b ON a.id = b.shop_id
SELECT a.name FROM employee a ASOF JOIN employee b ON a.hired >= b.hired
SELECT a.name FROM shop a POSITIONAL JOIN employee b
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t)
VALUES (1), (2)
FROM shop
FROM shop SELECT name WHERE id = 1
SELECT * EXCLUDE (name) FROM shop
SELECT * REPLACE (upper(name) AS name) FROM shop
SELECT COLUMNS('n.*') FROM shop
SELECT COLUMNS(lambda c: c LIKE 'n%') FROM shop
SELECT min(COLUMNS(*)) FROM shop
SELECT (SELECT max(age) FROM employee) - (SELECT min(age) FROM employee)
SELECT * FROM employee ORDER BY salary DESC NULLS LAST LIMIT 2
SELECT * FROM shop USING SAMPLE 50%
SELECT * FROM shop TABLESAMPLE 2 ROWS
SELECT s.name, s FROM shop s
SELECT 1 IS DISTINCT FROM NULL, true IS NOT NULL, (1, 2) = (1, 2), NOT true
SELECT md5(name), sha256(name), hash(name) IS NOT NULL, base64('a'::BLOB), hex('a'), from_hex('61') FROM shop
SELECT uuid() IS NOT NULL, u::VARCHAR IS NOT NULL, h FROM employee
SELECT * FROM cities
SELECT * FROM sales.orders
SELECT shop.name, main.shop.city FROM main.shop
SELECT status, status = 'open' FROM sales.orders
SELECT 'it''s', $$a 'b'$$, E'a\nb', 1_000, 1e3, 0xFF
SELECT * FROM (SELECT city, year(opened) AS y FROM shop) PIVOT (count(*) FOR y IN (2014, 2016))
SELECT * FROM (SELECT id, age FROM employee) UNPIVOT (v FOR k IN (id, age))
SELECT name COLLATE NOCASE FROM shop ORDER BY name COLLATE NOCASE
SELECT current_user, current_schema(), version() IS NOT NULL, typeof(1)
SELECT x.n, sum(x.n) OVER () FROM (SELECT unnest([1, 2]) AS n) x -- a comment; with a semicolon
SELECT /* a comment */ count(*) FROM shop;
SELECT id AS a, a + 1 AS b FROM shop WHERE a > 0 ORDER BY b
SELECT hired AT TIME ZONE 'UTC', timezone('UTC', hired) FROM employee
SELECT INTERVAL '1 year 2 months', to_days(3), TIMESTAMP '2020-01-01 10:00:00' + INTERVAL 3 HOUR
SELECT salary, salary / sum(salary) OVER () * 100 AS pct FROM employee
SELECT count(*) FROM shop, employee WHERE shop.id = employee.shop_id
