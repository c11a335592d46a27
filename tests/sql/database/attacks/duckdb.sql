SELECT * FROM read_csv('{file}')
SELECT * FROM read_csv_auto('{file}')
SELECT * FROM read_text('{file}')
SELECT * FROM read_blob('{file}')
SELECT * FROM read_json('{file}')
SELECT * FROM read_json_auto('{file}')
SELECT * FROM read_json_objects('{file}')
SELECT * FROM read_ndjson('{file}')
SELECT * FROM read_ndjson_objects('{file}')
SELECT * FROM read_parquet('{file}')
SELECT * FROM parquet_scan('{file}')
SELECT * FROM parquet_schema('{file}')
SELECT * FROM parquet_metadata('{file}')
SELECT * FROM parquet_file_metadata('{file}')
SELECT * FROM parquet_kv_metadata('{file}')
SELECT * FROM parquet_bloom_probe('{file}','a',1)
SELECT * FROM read_duckdb('{file}')
SELECT * FROM sniff_csv('{file}')
SELECT * FROM glob('{folder}/*')
SELECT * FROM glob('/etc/*')
SELECT * FROM query('SELECT 1')
SELECT * FROM query('SELECT * FROM secret')
SELECT * FROM query_table('secret')
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_views()
SELECT * FROM duckdb_constraints()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_schemas()
SELECT * FROM duckdb_types()
SELECT * FROM duckdb_indexes()
SELECT * FROM duckdb_sequences()
SELECT * FROM duckdb_dependencies()
SELECT * FROM duckdb_optimizers()
SELECT * FROM duckdb_keywords()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM which_secret('a','b')
SELECT * FROM pragma_table_info('secret')
SELECT * FROM pragma_storage_info('secret')
SELECT * FROM pragma_database_size()
SELECT * FROM pragma_version()
SELECT * FROM pragma_platform()
SELECT * FROM pragma_user_agent()
SELECT * FROM pragma_metadata_info()
SELECT * FROM pragma_show('secret')
SELECT * FROM pragma_collations()
SELECT * FROM json_execute_serialized_sql('x')
SELECT * FROM seq_scan('secret')
SELECT * FROM summary('secret')
SELECT * FROM test_all_types()
SELECT * FROM test_vector_types(1)
SELECT * FROM arrow_scan(1,2,3)
SELECT * FROM arrow_scan_dumb(1,2,3)
SELECT * FROM pandas_scan(1)
SELECT * FROM python_map_function(1,2)
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint()
SELECT * FROM enable_logging()
SELECT * FROM disable_logging()
SELECT * FROM truncate_duckdb_logs()
SELECT * FROM enable_profiling()
SELECT * FROM repeat_row(1,2,num_rows=10)
SELECT * FROM icu_calendar_names()
SELECT * FROM pg_timezone_names()
SELECT * FROM sqlite_scan('{file}','a')
SELECT * FROM sqlite_attach('{file}')
SELECT * FROM postgres_scan('host=localhost','a','b')
SELECT * FROM mysql_query('a','b')
SELECT * FROM st_read('{file}')
SELECT * FROM read_xlsx('{file}')
SELECT * FROM iceberg_scan('{file}')
SELECT * FROM delta_scan('{file}')
SELECT * FROM shell('id')
SELECT * FROM add_grammar_extension('a')
SELECT * FROM register_external_resource('a')
SELECT * FROM duckdb_logs_parsed('a')
SELECT * FROM duckdb_table_sample('secret')
SELECT * FROM evil(1)
SELECT getenv('HOME')
SELECT current_setting('threads')
SELECT current_setting('home_directory')
SELECT getvariable('a')
SELECT nextval('numbers')
SELECT currval('numbers')
SELECT setval('numbers',9)
SELECT setseed(0.5)
SELECT sleep_ms(30000)
SELECT write_log('x')
SELECT evil(1)
SELECT cosh(1)
SELECT main.evil(1)
SELECT shopdb.main.evil(1)
SELECT json_serialize_sql('SELECT 1')
SELECT json_deserialize_sql('{}')
SELECT json_serialize_plan('SELECT 1')
SELECT current_query()
SELECT txid_current()
SELECT pg_sleep(30)
SELECT error('x')
SELECT has_table_privilege('secret','select')
SELECT pg_get_viewdef(1)
SELECT in_search_path('a','b')
SELECT current_schemas(true)
SELECT read_text('{file}')
SELECT read_blob('{file}')
SELECT invoke(lambda x: x,1)
SELECT cast_to_type('1',1)
SELECT stats(1)
SELECT vector_type(1)
SELECT create_sort_key(1,'ASC')
SELECT pg_size_pretty(1)
SELECT inet_client_addr()
SELECT getvariable('x')
SELECT parse_duckdb_log_message('a','b')
SELECT col_description(1,1)
SELECT hive_partition_component('a','b')
SELECT icu_sort_key('a','de')
SELECT combine(1,2)
SELECT finalize(1)
SELECT collate_de('a')
SELECT variant_to_parquet_variant('a')
SELECT get_block_size('shopdb')
SELECT st_geomfromgeojson('{}')
SELECT http_get('http://127.0.0.1')
SELECT shell_exec('id')
SELECT system('id')
SELECT load_extension('x')
SELECT * FROM "read_text"('{file}')
FROM READ_TEXT('{file}')
SELECT * FROM read_text ('{file}')
SELECT * FROM read_text/**/('{file}')
WITH x AS (FROM read_text('{file}')) FROM x
SELECT (SELECT count(*) FROM read_text('{file}'))
SELECT * FROM shop, read_text('{file}')
SELECT * FROM shop JOIN read_text('{file}') ON true
SELECT 1 WHERE EXISTS (FROM read_text('{file}'))
FROM (FROM read_text('{file}')) x
SELECT * FROM system.main.read_text('{file}')
SELECT 1 UNION ALL SELECT count(*) FROM read_text('{file}')
SELECT * FROM shop, LATERAL (FROM read_text('{file}'))
PIVOT (FROM read_text('{file}')) ON x
SUMMARIZE FROM read_text('{file}')
DESCRIBE FROM read_text('{file}')
SELECT * FROM "read_csv"('{file}')
FROM READ_CSV('{file}')
SELECT * FROM read_csv ('{file}')
SELECT * FROM read_csv/**/('{file}')
WITH x AS (FROM read_csv('{file}')) FROM x
SELECT (SELECT count(*) FROM read_csv('{file}'))
SELECT * FROM shop, read_csv('{file}')
SELECT * FROM shop JOIN read_csv('{file}') ON true
SELECT 1 WHERE EXISTS (FROM read_csv('{file}'))
FROM (FROM read_csv('{file}')) x
SELECT * FROM system.main.read_csv('{file}')
SELECT 1 UNION ALL SELECT count(*) FROM read_csv('{file}')
SELECT * FROM shop, LATERAL (FROM read_csv('{file}'))
PIVOT (FROM read_csv('{file}')) ON x
SUMMARIZE FROM read_csv('{file}')
DESCRIBE FROM read_csv('{file}')
SELECT * FROM "glob"('{folder}/*')
FROM GLOB('{folder}/*')
SELECT * FROM glob ('{folder}/*')
SELECT * FROM glob/**/('{folder}/*')
WITH x AS (FROM glob('{folder}/*')) FROM x
SELECT (SELECT count(*) FROM glob('{folder}/*'))
SELECT * FROM shop, glob('{folder}/*')
SELECT * FROM shop JOIN glob('{folder}/*') ON true
SELECT 1 WHERE EXISTS (FROM glob('{folder}/*'))
FROM (FROM glob('{folder}/*')) x
SELECT * FROM system.main.glob('{folder}/*')
SELECT 1 UNION ALL SELECT count(*) FROM glob('{folder}/*')
SELECT * FROM shop, LATERAL (FROM glob('{folder}/*'))
PIVOT (FROM glob('{folder}/*')) ON x
SUMMARIZE FROM glob('{folder}/*')
DESCRIBE FROM glob('{folder}/*')
SELECT * FROM "duckdb_settings"()
FROM DUCKDB_SETTINGS()
SELECT * FROM duckdb_settings ()
SELECT * FROM duckdb_settings/**/()
WITH x AS (FROM duckdb_settings()) FROM x
SELECT (SELECT count(*) FROM duckdb_settings())
SELECT * FROM shop, duckdb_settings()
SELECT * FROM shop JOIN duckdb_settings() ON true
SELECT 1 WHERE EXISTS (FROM duckdb_settings())
FROM (FROM duckdb_settings()) x
SELECT * FROM system.main.duckdb_settings()
SELECT 1 UNION ALL SELECT count(*) FROM duckdb_settings()
SELECT * FROM shop, LATERAL (FROM duckdb_settings())
PIVOT (FROM duckdb_settings()) ON x
SUMMARIZE FROM duckdb_settings()
DESCRIBE FROM duckdb_settings()
SELECT * FROM '{file}'
FROM '{file}'
SELECT * FROM "{file}"
SELECT * FROM '{folder}/*'
SELECT * FROM '/etc/passwd'
SELECT * FROM 'https://127.0.0.1/x.parquet'
SELECT * FROM 's3://bucket/x.parquet'
SELECT * FROM shop, '{file}'
WITH "{file}" AS (SELECT 1) SELECT * FROM shop, (SELECT 1)
SELECT * FROM 'data.csv'
SELECT * FROM "data.parquet"
SELECT * FROM df
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM information_schema.tables
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM pg_tables
SELECT * FROM pg_settings
SELECT * FROM duckdb_tables
SELECT * FROM system.information_schema.tables
SELECT * FROM memory.information_schema.tables
SELECT * FROM temp.information_schema.tables
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
DESCRIBE secret
SUMMARIZE secret
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT 1
COPY shop TO '{folder}/out.csv'
COPY (SELECT 1) TO '{folder}/out.parquet'
COPY secret FROM '{file}'
EXPORT DATABASE '{folder}/out'
IMPORT DATABASE '{folder}'
ATTACH '{folder}/new.db'
ATTACH '{file}' AS x
ATTACH ':memory:' AS x
DETACH shopdb
USE memory
INSTALL httpfs
LOAD httpfs
LOAD '{file}'
FORCE INSTALL httpfs FROM 'http://127.0.0.1'
CREATE TABLE x AS SELECT 1
CREATE TEMP TABLE x AS SELECT 1
CREATE VIEW x AS SELECT 1
CREATE MACRO x(a) AS a
CREATE SCHEMA x
CREATE SECRET x (TYPE s3)
CREATE SEQUENCE x
CREATE TYPE x AS INT
INSERT INTO secret VALUES (2, 'x')
INSERT INTO secret VALUES (2, 'x') RETURNING *
UPDATE shop SET name = 'x'
DELETE FROM shop
TRUNCATE secret
DROP TABLE secret
ALTER TABLE shop ADD x INT
MERGE INTO secret USING shop ON false WHEN NOT MATCHED THEN INSERT VALUES (1, 'x')
WITH x AS (DELETE FROM secret RETURNING *) SELECT * FROM x
WITH x AS (INSERT INTO secret VALUES (5, 'x') RETURNING *) FROM x
SET memory_limit = '100GB'
SET enable_external_access = true
SET lock_configuration = false
RESET memory_limit
SET VARIABLE a = 1
PRAGMA enable_profiling
PRAGMA database_list
PRAGMA table_info('secret')
PRAGMA memory_limit = '100GB'
PRAGMA version
CALL pragma_version()
CALL duckdb_settings()
CALL force_checkpoint()
CHECKPOINT
VACUUM
ANALYZE
BEGIN
COMMIT
ROLLBACK
PREPARE x AS SELECT 1
EXECUTE x
DEALLOCATE x
COMMENT ON TABLE shop IS 'x'
KILL 1
SELECT 1; DELETE FROM shop
SELECT 1; ATTACH '{folder}/new.db'
COMMIT; DROP TABLE secret
SELECT ?
SELECT $1
SELECT $name
