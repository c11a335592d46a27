"""What a query may use of MySQL and MariaDB: functions known as harmless, and words before `(`."""

from __future__ import annotations

FUNCTIONS_LIST = """
    abs acos adddate addtime any_value ascii asin atan atan2 avg bin bin_to_uuid bit_and
    bit_count bit_length bit_or bit_xor cast ceil ceiling char char_length character_length chr
    coalesce coercibility collation concat concat_ws conv convert convert_tz cos cot count crc32
    crc32c cume_dist curdate current_date current_time current_timestamp current_user curtime
    database date date_add date_format date_sub date_trunc datediff day dayname dayofmonth
    dayofweek dayofyear default degrees dense_rank elt exp export_set extract field find_in_set
    first_value floor format format_bytes format_pico_time from_base64 from_days from_unixtime
    get_format greatest group_concat grouping hex hour if ifnull inet6_aton inet6_ntoa inet_aton
    inet_ntoa insert instr is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid isnull
    json_array json_array_append json_array_insert json_array_intersect json_arrayagg
    json_compact json_contains json_contains_path json_depth json_detailed json_equals
    json_exists json_extract json_insert json_key_value json_keys json_length json_loose
    json_merge json_merge_patch json_merge_preserve json_normalize json_object
    json_object_filter_keys json_object_to_array json_objectagg json_overlaps json_pretty
    json_query json_quote json_remove json_replace json_schema_valid json_search json_set
    json_storage_size json_table json_type json_unquote json_valid json_value lag last_day
    last_value lcase lead least left length lengthb linestring ln localtime localtimestamp
    locate log log10 log2 lower lpad ltrim make_set makedate maketime max md5 median microsecond
    mid min minute mod month monthname natural_sort_key now nth_value ntile nullif nvl nvl2 oct
    octet_length ord percent_rank percentile_cont percentile_disc period_add period_diff pi
    point polygon position pow power quarter quote radians rand rank regexp_instr regexp_like
    regexp_replace regexp_substr repeat replace reverse right round row_number rpad rtrim schema
    sec_to_time second sfirst sformat sha sha1 sha2 sign sin soundex space sqrt st_area
    st_asgeojson st_astext st_aswkt st_buffer st_centroid st_contains st_distance
    st_distance_sphere st_geomfromtext st_intersects st_length st_point st_pointfromtext
    st_within st_x st_y std stddev stddev_pop stddev_samp str_to_date strcmp subdate substr
    substring substring_index subtime sum sysdate tan time time_format time_to_sec timediff
    timestamp timestampadd timestampdiff to_base64 to_char to_days to_number to_seconds trim
    truncate ucase uncompressed_length unhex unix_timestamp upper utc_date utc_time
    utc_timestamp uuid uuid_to_bin value var_pop var_samp variance version week weekday
    weekofyear weight_string year yearweek"""
BEFORE_PARENTHESIS_LIST = """
    against all and any array as between bigint binary bit blob by case char character charset
    columns cross date datetime dec decimal distinct distinctrow div double else escape except
    exists filter first fixed float for force from group having ignore in index inner int
    integer intersect interval is join json key lateral left like limit match mediumint member
    mod natural nchar nested next not null numeric of offset on or order ordinality over
    partition path range real recursive regexp return returning right rlike row rows select
    separator set signed smallint some sounds straight_join text then time timestamp tinyint
    union unsigned use using values varbinary varchar when where window with within xor year"""
WORDS_REFUSED_LIST = """
    alter call create delete delimiter drop dumpfile grant insert into kill load lock outfile
    procedure purge rename replace resignal revoke set shutdown signal unlock update write"""

FUNCTIONS = frozenset(FUNCTIONS_LIST.split())
BEFORE_PARENTHESIS = frozenset(BEFORE_PARENTHESIS_LIST.split())
"""Words of the language itself that stand before `(`; quoted, they are no such words."""
WORDS_REFUSED = frozenset(WORDS_REFUSED_LIST.split())
"""Reserved words that no query needs, except as INSERT() and REPLACE(), or CHARACTER SET."""
SYSTEM_SCHEMAS = frozenset(("information_schema", "mysql", "performance_schema", "sys"))
