SELECT load_file('{file}')
SELECT sleep(30)
SELECT benchmark(1000000000,md5('a'))
SELECT get_lock('a',10)
SELECT release_lock('a')
SELECT release_all_locks()
SELECT is_free_lock('a')
SELECT is_used_lock('a')
SELECT master_pos_wait('a',1)
SELECT master_gtid_wait('0-1-1',30)
SELECT evil(1)
SELECT shopdb.evil(1)
SELECT nextval(numbers)
SELECT lastval(numbers)
SELECT setval(numbers,99)
SELECT last_insert_id(5)
SELECT row_count()
SELECT found_rows()
SELECT connection_id()
SELECT user()
SELECT session_user()
SELECT system_user()
SELECT uuid_short()
SELECT updatexml('<a/>','/a','b')
SELECT extractvalue('<a/>','/a')
SELECT aes_encrypt('a','b')
SELECT aes_decrypt('a','b')
SELECT encode('a','b')
SELECT des_encrypt('a')
SELECT encrypt('a')
SELECT password('a')
SELECT old_password('a')
SELECT compress('a')
SELECT uncompress('a')
SELECT name_const('a',1)
SELECT sys_exec('id')
SELECT sys_eval('id')
SELECT lib_mysqludf_sys_info()
SELECT ps_thread_id(1)
SELECT sys.format_path('a')
SELECT format_path('a')
SELECT column_create('a',1)
SELECT column_json('a')
SELECT wsrep_last_written_gtid()
SELECT decode_oracle('a','b')
SELECT random_bytes(1024)
SELECT mysql.evil(1)
SELECT statement_digest('a')
SELECT gtid_subset('a','b')
SELECT wait_for_executed_gtid_set('a:1',30)
SELECT wait_until_sql_thread_after_gtids('a:1')
SELECT asymmetric_encrypt('a','b','c')
SELECT validate_password_strength('a')
SELECT keyring_key_fetch('a')
SELECT version_tokens_set('a')
SELECT service_get_read_locks('a','b',1)
SELECT group_replication_set_as_primary('a')
SELECT current_role()
SELECT charset('a')
SELECT binlog_gtid_pos('a',1)
SELECT tokudb('a')
SELECT ogr('{file}')
SELECT `load_file`('{file}')
SELECT LOAD_FILE('{file}')
SELECT load_file ('{file}')
SELECT load_file/**/('{file}')
SELECT /*!load_file*/('{file}')
SELECT /*!50000 load_file('{file}') */
SELECT /*M!100100 load_file('{file}') */
SELECT 1 WHERE load_file('{file}') IS NULL
SELECT name FROM shop ORDER BY load_file('{file}')
WITH x AS (SELECT load_file('{file}') AS y) SELECT * FROM x
SELECT (SELECT load_file('{file}'))
SELECT CASE WHEN 1 THEN load_file('{file}') END
VALUES (load_file('{file}'))
SELECT * FROM (SELECT load_file('{file}') AS y) z
SELECT `shopdb`.`load_file`('{file}')
SELECT -- x  load_file('{file}')
SELECT name FROM shop GROUP BY load_file('{file}')
WITH load_file (a) AS (SELECT load_file('{file}')) SELECT * FROM load_file
SELECT CAST(load_file('{file}') AS CHAR)
SELECT IF(load_file('{file}'), 1, 2)
SELECT `sleep`(30)
SELECT SLEEP(30)
SELECT sleep (30)
SELECT sleep/**/(30)
SELECT /*!sleep*/(30)
SELECT /*!50000 sleep(30) */
SELECT /*M!100100 sleep(30) */
SELECT 1 WHERE sleep(30) IS NULL
SELECT name FROM shop ORDER BY sleep(30)
WITH x AS (SELECT sleep(30) AS y) SELECT * FROM x
SELECT (SELECT sleep(30))
SELECT CASE WHEN 1 THEN sleep(30) END
VALUES (sleep(30))
SELECT * FROM (SELECT sleep(30) AS y) z
SELECT `shopdb`.`sleep`(30)
SELECT -- x  sleep(30)
SELECT name FROM shop GROUP BY sleep(30)
WITH sleep (a) AS (SELECT sleep(30)) SELECT * FROM sleep
SELECT CAST(sleep(30) AS CHAR)
SELECT IF(sleep(30), 1, 2)
SELECT `benchmark`(1000000000, md5('a'))
SELECT BENCHMARK(1000000000, md5('a'))
SELECT benchmark (1000000000, md5('a'))
SELECT benchmark/**/(1000000000, md5('a'))
SELECT /*!benchmark*/(1000000000, md5('a'))
SELECT /*!50000 benchmark(1000000000, md5('a')) */
SELECT /*M!100100 benchmark(1000000000, md5('a')) */
SELECT 1 WHERE benchmark(1000000000, md5('a')) IS NULL
SELECT name FROM shop ORDER BY benchmark(1000000000, md5('a'))
WITH x AS (SELECT benchmark(1000000000, md5('a')) AS y) SELECT * FROM x
SELECT (SELECT benchmark(1000000000, md5('a')))
SELECT CASE WHEN 1 THEN benchmark(1000000000, md5('a')) END
VALUES (benchmark(1000000000, md5('a')))
SELECT * FROM (SELECT benchmark(1000000000, md5('a')) AS y) z
SELECT `shopdb`.`benchmark`(1000000000, md5('a'))
SELECT -- x  benchmark(1000000000, md5('a'))
SELECT name FROM shop GROUP BY benchmark(1000000000, md5('a'))
WITH benchmark (a) AS (SELECT benchmark(1000000000, md5('a'))) SELECT * FROM benchmark
SELECT CAST(benchmark(1000000000, md5('a')) AS CHAR)
SELECT IF(benchmark(1000000000, md5('a')), 1, 2)
SELECT `get_lock`('a', 30)
SELECT GET_LOCK('a', 30)
SELECT get_lock ('a', 30)
SELECT get_lock/**/('a', 30)
SELECT /*!get_lock*/('a', 30)
SELECT /*!50000 get_lock('a', 30) */
SELECT /*M!100100 get_lock('a', 30) */
SELECT 1 WHERE get_lock('a', 30) IS NULL
SELECT name FROM shop ORDER BY get_lock('a', 30)
WITH x AS (SELECT get_lock('a', 30) AS y) SELECT * FROM x
SELECT (SELECT get_lock('a', 30))
SELECT CASE WHEN 1 THEN get_lock('a', 30) END
VALUES (get_lock('a', 30))
SELECT * FROM (SELECT get_lock('a', 30) AS y) z
SELECT `shopdb`.`get_lock`('a', 30)
SELECT -- x  get_lock('a', 30)
SELECT name FROM shop GROUP BY get_lock('a', 30)
WITH get_lock (a) AS (SELECT get_lock('a', 30)) SELECT * FROM get_lock
SELECT CAST(get_lock('a', 30) AS CHAR)
SELECT IF(get_lock('a', 30), 1, 2)
SELECT `evil`(1)
SELECT EVIL(1)
SELECT evil (1)
SELECT evil/**/(1)
SELECT /*!evil*/(1)
SELECT /*!50000 evil(1) */
SELECT /*M!100100 evil(1) */
SELECT 1 WHERE evil(1) IS NULL
SELECT name FROM shop ORDER BY evil(1)
WITH x AS (SELECT evil(1) AS y) SELECT * FROM x
SELECT (SELECT evil(1))
SELECT CASE WHEN 1 THEN evil(1) END
VALUES (evil(1))
SELECT * FROM (SELECT evil(1) AS y) z
SELECT `shopdb`.`evil`(1)
SELECT -- x  evil(1)
SELECT name FROM shop GROUP BY evil(1)
WITH evil (a) AS (SELECT evil(1)) SELECT * FROM evil
SELECT CAST(evil(1) AS CHAR)
SELECT IF(evil(1), 1, 2)
SELECT 1 INTO OUTFILE '{folder}/out'
SELECT 1 INTO DUMPFILE '{folder}/out'
SELECT 1 INTO @a
SELECT * FROM shop INTO OUTFILE '{folder}/out'
SELECT 1 /*! INTO OUTFILE '{folder}/out' */
SELECT 1 /*!99999 INTO OUTFILE '{folder}/out' */
SELECT 1 /*M! INTO OUTFILE '{folder}/out' */
SELECT 1 UNION SELECT 2 INTO OUTFILE '{folder}/out'
(SELECT 1) INTO OUTFILE '{folder}/out'
SELECT '/*' INTO OUTFILE '{folder}/out' -- */
SELECT "a" /*' */ INTO OUTFILE '{folder}/out' /*' */
SELECT 'a\' INTO OUTFILE \'{folder}/out'
SELECT 'a\\' INTO OUTFILE '{folder}/out'
SELECT @a := 1
SELECT @a
SELECT @@version
SELECT @@global.secure_file_priv
SELECT @@datadir
SET @a = 1
SET GLOBAL max_connections = 1
SET SESSION max_statement_time = 0
SET STATEMENT max_statement_time=0 FOR SELECT 1
SELECT /*+ SET_VAR(max_execution_time=0) */ 1
SELECT * FROM mysql.user
SELECT * FROM `mysql`.`user`
SELECT * FROM MySQL.global_priv
SELECT * FROM mysql . user
SELECT * FROM mysql./**/user
SELECT * FROM information_schema.tables
SELECT * FROM INFORMATION_SCHEMA.PROCESSLIST
SELECT * FROM performance_schema.threads
SELECT * FROM sys.version
SELECT * FROM other.diary
SELECT * FROM `other`.diary
SELECT other.diary.line FROM other.diary
SELECT line FROM shop, other.diary
SELECT (SELECT line FROM other.diary LIMIT 1)
SELECT * FROM shop WHERE EXISTS (SELECT 1 FROM other . diary)
SELECT * FROM .secret
TABLE mysql.user
TABLE secret
HANDLER shop OPEN
HANDLER shop READ FIRST
SELECT * FROM shop FOR UPDATE
SELECT * FROM shop LOCK IN SHARE MODE
SELECT * FROM shop FOR SHARE
SELECT * FROM shop FOR UPDATE NOWAIT
SELECT * FROM shop FOR UPDATE SKIP LOCKED
SELECT * FROM shop PROCEDURE ANALYSE()
SELECT * FROM shop PROCEDURE analyse(10, 2000)
SELECT NEXT VALUE FOR numbers
SELECT PREVIOUS VALUE FOR numbers
SELECT numbers.nextval
INSERT INTO secret VALUES (2, 'x')
REPLACE INTO secret VALUES (2, 'x')
UPDATE shop SET name = 'x'
DELETE FROM shop
TRUNCATE secret
DROP TABLE secret
CREATE TABLE x AS SELECT 1
CREATE TEMPORARY TABLE x (a int)
ALTER TABLE shop ADD x int
RENAME TABLE shop TO x
WITH x AS (SELECT 1) DELETE FROM shop
WITH x AS (SELECT 1) UPDATE shop SET name = 'x'
WITH x AS (SELECT 1) INSERT INTO secret SELECT 1, 'x'
LOAD DATA INFILE '{file}' INTO TABLE secret
LOAD DATA LOCAL INFILE '{file}' INTO TABLE secret
LOAD XML INFILE '{file}' INTO TABLE secret
CALL evil(1)
DO sleep(30)
DO evil(1)
EXPLAIN SELECT sleep(30)
ANALYZE SELECT 1
DESCRIBE secret
SHOW TABLES
SHOW GRANTS
SHOW VARIABLES
SHOW CREATE TABLE secret
USE mysql
KILL 1
FLUSH TABLES
RESET MASTER
PURGE BINARY LOGS TO 'x'
SHUTDOWN
BEGIN
START TRANSACTION
COMMIT
ROLLBACK
SAVEPOINT a
LOCK TABLES shop WRITE
UNLOCK TABLES
PREPARE s FROM 'DELETE FROM shop'
EXECUTE s
EXECUTE IMMEDIATE 'DELETE FROM shop'
BEGIN NOT ATOMIC DELETE FROM shop; END
IF 1 THEN DELETE FROM shop; END IF
GRANT ALL ON *.* TO reader
CREATE USER x
SET PASSWORD = 'x'
INSTALL SONAME 'x'
INSTALL PLUGIN x SONAME 'x'
CREATE FUNCTION f RETURNS INTEGER SONAME 'x'
CHANGE MASTER TO MASTER_HOST = 'x'
BINLOG 'x'
BACKUP STAGE START
OPTIMIZE TABLE shop
REPAIR TABLE shop
CHECK TABLE shop
CACHE INDEX shop IN x
SIGNAL SQLSTATE '45000'
GET DIAGNOSTICS @a = NUMBER
XA START 'x'
SELECT 1; DELETE FROM shop
SELECT 1; COMMIT; DELETE FROM secret
COMMIT; DROP TABLE secret
DELIMITER //
\! id
\. {file}
SELECT ?
SELECT {d '2020-01-01'}
SELECT {fn sleep(30)}
SELECT \N
SELECT 'a
SELECT "a
SELECT `a
SELECT 1 /* open
SELECT 1 /*
