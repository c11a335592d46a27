SELECT pg_read_file('{file}')
SELECT pg_read_binary_file('{file}')
SELECT pg_ls_dir('{folder}')
SELECT pg_stat_file('{file}')
SELECT pg_ls_logdir()
SELECT pg_ls_waldir()
SELECT pg_ls_tmpdir()
SELECT pg_ls_archive_statusdir()
SELECT pg_current_logfile()
SELECT pg_hba_file_rules()
SELECT pg_show_all_file_settings()
SELECT lo_import('{file}')
SELECT lo_export(1,'{folder}/x')
SELECT lo_create(77)
SELECT lo_creat(-1)
SELECT lo_from_bytea(0,'x')
SELECT lo_put(1,0,'x')
SELECT lo_unlink(1)
SELECT lo_get(1)
SELECT pg_sleep(30)
SELECT pg_sleep_for('30s')
SELECT pg_sleep_until('2999-01-01')
SELECT pg_terminate_backend(1)
SELECT pg_cancel_backend(1)
SELECT pg_reload_conf()
SELECT pg_rotate_logfile()
SELECT pg_switch_wal()
SELECT pg_create_restore_point('x')
SELECT pg_backup_start('x')
SELECT pg_promote()
SELECT pg_create_physical_replication_slot('s')
SELECT pg_create_logical_replication_slot('s','test_decoding')
SELECT pg_drop_replication_slot('s')
SELECT pg_replication_origin_create('x')
SELECT pg_logical_emit_message(true,'a','b')
SELECT set_config('work_mem','1GB',false)
SELECT current_setting('data_directory')
SELECT setval('numbers',99)
SELECT nextval('numbers')
SELECT currval('numbers')
SELECT lastval()
SELECT pg_advisory_lock(1)
SELECT pg_try_advisory_lock(1)
SELECT pg_advisory_xact_lock(1)
SELECT pg_notify('a','b')
SELECT query_to_xml('select 1',true,true,'')
SELECT query_to_xml('select*from secret',true,true,'')
SELECT query_to_xml_and_xmlschema('select 1',true,true,'')
SELECT query_to_xmlschema('select 1',true,true,'')
SELECT table_to_xml('secret',true,true,'')
SELECT schema_to_xml('public',true,true,'')
SELECT database_to_xml(true,true,'')
SELECT cursor_to_xml('c',1,true,true,'')
SELECT ts_stat('select to_tsvector(token)from secret')
SELECT ts_rewrite('a'::tsquery,'select 1,2')
SELECT pg_get_functiondef(1)
SELECT pg_stat_reset()
SELECT pg_stat_reset_shared('bgwriter')
SELECT pg_stat_clear_snapshot()
SELECT pg_stat_get_activity(NULL)
SELECT pg_export_snapshot()
SELECT pg_log_backend_memory_contexts(1)
SELECT pg_relation_filepath('secret')
SELECT pg_tablespace_location(1)
SELECT pg_database_size('shopdb')
SELECT pg_import_system_collations('public')
SELECT brin_summarize_new_values('shop')
SELECT gin_clean_pending_list('shop')
SELECT evil(1)
SELECT wrote()
SELECT public.wrote()
SELECT lower(5)
SELECT pg_catalog.pg_read_file('{file}')
SELECT inet_server_addr()
SELECT inet_client_addr()
SELECT pg_postmaster_start_time()
SELECT pg_conf_load_time()
SELECT txid_current()
SELECT pg_current_xact_id()
SELECT pg_current_wal_lsn()
SELECT has_table_privilege('secret','select')
SELECT pg_get_userbyid(10)
SELECT pg_describe_object(1,1,1)
SELECT col_description(1,1)
SELECT to_regclass('secret')
SELECT pg_extension_config_dump('a','b')
SELECT setseed(0.5)
SELECT pg_nextoid(1,'a',1)
SELECT binary_upgrade_set_next_pg_type_oid(1)
SELECT xpath('/a','<a/>'::xml)
SELECT xmlparse(document '<a/>')
SELECT xml_is_well_formed('<a/>')
SELECT pg_prepared_statement()
SELECT pg_cursor()
SELECT pg_listening_channels()
SELECT pg_lock_status()
SELECT pg_show_all_settings()
SELECT pg_event_trigger_ddl_commands()
SELECT pg_config()
SELECT pg_file_write('{folder}/x','y',false)
SELECT dblink('host=localhost','select 1')
SELECT pg_ls_dir('/')
SELECT "pg_read_file"('{file}')
SELECT PG_READ_FILE('{file}')
SELECT pg_read_file /* x */ ('{file}')
SELECT * FROM pg_read_file('{file}')
SELECT * FROM pg_read_file('{file}') AS t(x)
SELECT 1 WHERE pg_read_file('{file}') IS NULL
SELECT name FROM shop ORDER BY pg_read_file('{file}')::text
WITH x AS (SELECT pg_read_file('{file}')) SELECT * FROM x
SELECT (SELECT pg_read_file('{file}'))
SELECT count(*) FILTER (WHERE pg_read_file('{file}') IS NOT NULL) FROM shop
SELECT CASE WHEN true THEN pg_read_file('{file}')::text END
VALUES (pg_read_file('{file}'))
SELECT 1 LIMIT (SELECT length(pg_read_file('{file}')::text))
SELECT * FROM ROWS FROM (pg_read_file('{file}'), generate_series(1, 2))
SELECT * FROM shop, LATERAL pg_read_file('{file}') x
SELECT U&"p\0067_read_file"('{file}')
SELECT "pg_ls_dir"('{folder}')
SELECT PG_LS_DIR('{folder}')
SELECT pg_ls_dir /* x */ ('{folder}')
SELECT * FROM pg_ls_dir('{folder}')
SELECT * FROM pg_ls_dir('{folder}') AS t(x)
SELECT 1 WHERE pg_ls_dir('{folder}') IS NULL
SELECT name FROM shop ORDER BY pg_ls_dir('{folder}')::text
WITH x AS (SELECT pg_ls_dir('{folder}')) SELECT * FROM x
SELECT (SELECT pg_ls_dir('{folder}'))
SELECT count(*) FILTER (WHERE pg_ls_dir('{folder}') IS NOT NULL) FROM shop
SELECT CASE WHEN true THEN pg_ls_dir('{folder}')::text END
VALUES (pg_ls_dir('{folder}'))
SELECT 1 LIMIT (SELECT length(pg_ls_dir('{folder}')::text))
SELECT * FROM ROWS FROM (pg_ls_dir('{folder}'), generate_series(1, 2))
SELECT * FROM shop, LATERAL pg_ls_dir('{folder}') x
SELECT U&"p\0067_ls_dir"('{folder}')
SELECT "pg_sleep"(30)
SELECT PG_SLEEP(30)
SELECT pg_sleep /* x */ (30)
SELECT * FROM pg_sleep(30)
SELECT * FROM pg_sleep(30) AS t(x)
SELECT 1 WHERE pg_sleep(30) IS NULL
SELECT name FROM shop ORDER BY pg_sleep(30)::text
WITH x AS (SELECT pg_sleep(30)) SELECT * FROM x
SELECT (SELECT pg_sleep(30))
SELECT count(*) FILTER (WHERE pg_sleep(30) IS NOT NULL) FROM shop
SELECT CASE WHEN true THEN pg_sleep(30)::text END
VALUES (pg_sleep(30))
SELECT 1 LIMIT (SELECT length(pg_sleep(30)::text))
SELECT * FROM ROWS FROM (pg_sleep(30), generate_series(1, 2))
SELECT * FROM shop, LATERAL pg_sleep(30) x
SELECT U&"p\0067_sleep"(30)
SELECT "wrote"()
SELECT WROTE()
SELECT wrote /* x */ ()
SELECT * FROM wrote()
SELECT * FROM wrote() AS t(x)
SELECT 1 WHERE wrote() IS NULL
SELECT name FROM shop ORDER BY wrote()::text
WITH x AS (SELECT wrote()) SELECT * FROM x
SELECT (SELECT wrote())
SELECT count(*) FILTER (WHERE wrote() IS NOT NULL) FROM shop
SELECT CASE WHEN true THEN wrote()::text END
VALUES (wrote())
SELECT 1 LIMIT (SELECT length(wrote()::text))
SELECT * FROM ROWS FROM (wrote(), generate_series(1, 2))
SELECT * FROM shop, LATERAL wrote() x
SELECT U&"w\0072ote"()
SELECT "lo_import"('{file}')
SELECT LO_IMPORT('{file}')
SELECT lo_import /* x */ ('{file}')
SELECT * FROM lo_import('{file}')
SELECT * FROM lo_import('{file}') AS t(x)
SELECT 1 WHERE lo_import('{file}') IS NULL
SELECT name FROM shop ORDER BY lo_import('{file}')::text
WITH x AS (SELECT lo_import('{file}')) SELECT * FROM x
SELECT (SELECT lo_import('{file}'))
SELECT count(*) FILTER (WHERE lo_import('{file}') IS NOT NULL) FROM shop
SELECT CASE WHEN true THEN lo_import('{file}')::text END
VALUES (lo_import('{file}'))
SELECT 1 LIMIT (SELECT length(lo_import('{file}')::text))
SELECT * FROM ROWS FROM (lo_import('{file}'), generate_series(1, 2))
SELECT * FROM shop, LATERAL lo_import('{file}') x
SELECT U&"l\006f_import"('{file}')
SELECT 2 ## 3
SELECT OPERATOR(public.##) (2, 3)
SELECT 2 OPERATOR(public.##) 3
SELECT t.evil FROM (VALUES (1)) v(a), LATERAL (SELECT 1) t
SELECT (x).wrote FROM (SELECT 1) x
SELECT 'pg_authid'::regclass
SELECT CAST('wrote' AS regproc)
SELECT 'postgres'::regrole::text
SELECT 1259::oid::regclass
SELECT '<a/>'::xml
SELECT xmlelement(name a)
SELECT * FROM xmltable('/a' PASSING '<a/>'::xml COLUMNS b text)
SELECT * FROM pg_authid
SELECT rolpassword FROM pg_catalog.pg_authid
SELECT * FROM pg_shadow
SELECT * FROM pg_user
SELECT * FROM pg_settings
SELECT * FROM pg_file_settings
SELECT * FROM pg_hba_file_rules
SELECT * FROM pg_stat_activity
SELECT * FROM pg_largeobject
SELECT * FROM pg_proc
SELECT * FROM pg_class
SELECT * FROM information_schema.tables
SELECT * FROM information_schema.sql_features
SELECT * FROM pg_stats
SELECT * FROM pg_statistic
SELECT * FROM pg_available_extensions
SELECT * FROM pg_locks
SELECT last_value FROM numbers
SELECT * FROM "pg_catalog"."pg_roles"
TABLE pg_authid
SELECT * FROM shop FOR UPDATE
SELECT * FROM shop FOR SHARE
SELECT * FROM shop FOR NO KEY UPDATE SKIP LOCKED
SELECT * FROM (SELECT * FROM shop FOR UPDATE) x
WITH x AS (SELECT * FROM shop FOR KEY SHARE) SELECT * FROM x
SELECT * INTO new_table FROM shop
SELECT * INTO TEMP new_table FROM shop
CREATE TABLE new_table AS SELECT 1
CREATE TEMP TABLE x (a int)
INSERT INTO secret VALUES (2, 'x')
INSERT INTO secret VALUES (2, 'x') RETURNING *
UPDATE shop SET name = 'x'
DELETE FROM shop
TRUNCATE secret
DROP TABLE secret
MERGE INTO secret USING shop ON false WHEN NOT MATCHED THEN INSERT VALUES (1, 'x')
ALTER TABLE shop ADD x int
WITH x AS (DELETE FROM secret RETURNING *) SELECT * FROM x
WITH x AS (INSERT INTO secret VALUES (5, 'x') RETURNING *) SELECT * FROM x
WITH x AS (UPDATE shop SET name = 'y' RETURNING *) SELECT count(*) FROM x
COPY shop TO '{folder}/out.csv'
COPY shop TO PROGRAM 'touch {folder}/out'
COPY secret FROM '{file}'
COPY (SELECT 1) TO STDOUT
DO $$ BEGIN DELETE FROM shop; END $$
CALL wrote()
SET work_mem = '1GB'
SET ROLE postgres
RESET ALL
SHOW data_directory
SET SESSION AUTHORIZATION postgres
BEGIN
COMMIT
ROLLBACK
SAVEPOINT x
PREPARE x AS SELECT 1
EXECUTE luciola
DEALLOCATE ALL
DECLARE c CURSOR FOR SELECT 1
FETCH ALL FROM c
LISTEN x
NOTIFY x
LOCK TABLE shop
VACUUM
ANALYZE
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT wrote()
LOAD '{file}'
CREATE EXTENSION dblink
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'
CREATE ROLE x SUPERUSER
ALTER ROLE reader SUPERUSER
GRANT ALL ON secret TO reader
ALTER SYSTEM SET work_mem = '1GB'
COMMENT ON TABLE shop IS 'x'
REFRESH MATERIALIZED VIEW big
CHECKPOINT
REINDEX TABLE shop
SELECT 1; DELETE FROM shop
SELECT 1; COMMIT; DELETE FROM secret; SELECT 1
COMMIT; DROP TABLE secret
SELECT 1;; SELECT 2
SELECT '1'; -- ' ; DROP TABLE shop
SELECT $1
SELECT $1::text
