"""Trino's functions: their types, and what computes them in DuckDB.

A function that is not here is refused by its name. Lines read ``name(types) type = DuckDB's SQL``;
an indented line continues the one above. ``{0}`` is the first argument. ``[condition | error]`` in
front of the SQL fails on the condition. T, K and V stand for any type, I for an integer type, F for
real or double, D for a decimal. ``name(type...)`` takes one argument or more; ``{all}`` are all of
them. https://trino.io/docs/476/functions.html
"""

SCALAR = """
abs(I) I = abs({0})
abs(F) F = abs({0})
abs(D) D = abs({0})
sign(I) I = CASE WHEN {0} > 0 THEN 1 WHEN {0} < 0 THEN -1 WHEN {0} = 0 THEN 0 END
ceil(I) I = {0}
ceil(F) F = ceil({0})
ceiling(I) I = {0}
ceiling(F) F = ceil({0})
floor(I) I = {0}
floor(F) F = floor({0})
round(I) I = {0}
round(F) F = round({0})
round(double, integer) double = round({0}, {1})
truncate(double) double = trunc({0})
mod(I, I) I = [{1} = 0 | DIVISION_BY_ZERO: Division by zero] {0} % {1}
sqrt(double) double = CASE WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt({0}) END
cbrt(double) double = trino_cbrt({0})
exp(double) double = exp({0})
pow(double, double) double = pow({0}, {1})
power(double, double) double = pow({0}, {1})
ln(double) double = CASE WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) WHEN {0} = 0 THEN
    CAST('-Infinity' AS DOUBLE) ELSE ln({0}) END
log2(double) double = CASE WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) WHEN {0} = 0 THEN
    CAST('-Infinity' AS DOUBLE) ELSE log2({0}) END
log10(double) double = CASE WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) WHEN {0} = 0 THEN
    CAST('-Infinity' AS DOUBLE) ELSE log10({0}) END
log(double, double) double = [{0} <= 0 OR {1} <= 0 | NOT_SUPPORTED: the endpoint does not run
    log of numbers below zero] ln({1}) / ln({0})
pi() double = pi()
e() double = exp(CAST(1 AS DOUBLE))
nan() double = CAST('NaN' AS DOUBLE)
infinity() double = CAST('Infinity' AS DOUBLE)
is_nan(double) boolean = isnan({0})
is_finite(double) boolean = isfinite({0})
is_infinite(double) boolean = isinf({0})
sin(double) double = sin({0})
cos(double) double = cos({0})
degrees(double) double = degrees({0})
radians(double) double = radians({0})
rand() double = random()
random() double = random()
bitwise_and(bigint, bigint) bigint = ({0} & {1})
bitwise_or(bigint, bigint) bigint = ({0} | {1})
bitwise_xor(bigint, bigint) bigint = xor({0}, {1})
bitwise_not(bigint) bigint = (~{0})
length(varchar) bigint = length({0})
length(varbinary) bigint = octet_length({0})
char_length(varchar) bigint = length({0})
lower(varchar) varchar = trino_lower({0})
upper(varchar) varchar = trino_upper({0})
reverse(varchar) varchar = trino_reverse({0})
replace(varchar, varchar) varchar = replace({0}, {1}, '')
replace(varchar, varchar, varchar) varchar = trino_replace({0}, {1}, {2})
substr(varchar, bigint) varchar = trino_substr({0}, {1}, 2147483647)
substr(varchar, bigint, bigint) varchar = trino_substr({0}, {1}, {2})
substring(varchar, bigint) varchar = trino_substr({0}, {1}, 2147483647)
substring(varchar, bigint, bigint) varchar = trino_substr({0}, {1}, {2})
trim(varchar) varchar = trim({0}, e' \\t\\n\\r\\x0b\\x0c')
ltrim(varchar) varchar = ltrim({0}, e' \\t\\n\\r\\x0b\\x0c')
rtrim(varchar) varchar = rtrim({0}, e' \\t\\n\\r\\x0b\\x0c')
strpos(varchar, varchar) bigint = instr({0}, {1})
starts_with(varchar, varchar) boolean = starts_with({0}, {1})
lpad(varchar, bigint, varchar) varchar = trino_pad({0}, {1}, {2}, true)
rpad(varchar, bigint, varchar) varchar = trino_pad({0}, {1}, {2}, false)
split(varchar, varchar) array(varchar) = [{1} = '' | INVALID_FUNCTION_ARGUMENT: The delimiter
    may not be the empty string] string_split({0}, {1})
split(varchar, varchar, bigint) array(varchar) = trino_split({0}, {1}, {2})
split_part(varchar, varchar, bigint) varchar = [{2} <= 0 | INVALID_FUNCTION_ARGUMENT: Index must
    be greater than zero] string_split({0}, nullif({1}, ''))[{2}]
chr(bigint) varchar = trino_chr({0})
codepoint(varchar) integer = [length({0}) <> 1 | INVALID_FUNCTION_ARGUMENT: Expected one
    character] CAST(unicode({0}) AS INTEGER)
translate(varchar, varchar, varchar) varchar = translate({0}, {1}, {2})
levenshtein_distance(varchar, varchar) bigint = levenshtein({0}, {1})
concat(varchar, varchar...) varchar = {joined}
concat_ws(varchar, varchar...) varchar = concat_ws({all})
concat(array(T), array(T)...) array(T) = {joined}
regexp_like(varchar, varchar) boolean = trino_regexp_like({0}, {1})
regexp_extract(varchar, varchar) varchar = trino_regexp_extract({0}, {1}, 0)
regexp_extract(varchar, varchar, bigint) varchar = trino_regexp_extract({0}, {1}, {2})
regexp_extract_all(varchar, varchar) array(varchar) = trino_regexp_extract_all({0}, {1})
regexp_replace(varchar, varchar) varchar = trino_regexp_replace({0}, {1}, '')
regexp_replace(varchar, varchar, varchar) varchar = trino_regexp_replace({0}, {1}, {2})
regexp_split(varchar, varchar) array(varchar) = trino_regexp_split({0}, {1})
regexp_count(varchar, varchar) bigint = len(trino_regexp_extract_all({0}, {1}))
json_extract_scalar(varchar, varchar) varchar = trino_json_extract_scalar({0}, {1})
json_extract_scalar(json, varchar) varchar = trino_json_extract_scalar({0}, {1})
json_extract(varchar, varchar) json = trino_json_extract({0}, {1})
json_extract(json, varchar) json = trino_json_extract({0}, {1})
json_parse(varchar) json = trino_json_parse({0})
json_format(json) varchar = {0}
json_array_length(varchar) bigint = trino_json_length({0})
json_array_length(json) bigint = trino_json_length({0})
is_json_scalar(varchar) boolean = trino_json_is_scalar({0})
is_json_scalar(json) boolean = trino_json_is_scalar({0})
to_utf8(varchar) varbinary = encode({0})
from_utf8(varbinary) varchar = trino_from_utf8({0})
to_hex(varbinary) varchar = hex({0})
from_hex(varchar) varbinary = unhex({0})
to_base64(varbinary) varchar = to_base64({0})
from_base64(varchar) varbinary = from_base64({0})
md5(varbinary) varbinary = unhex(md5({0}))
sha1(varbinary) varbinary = unhex(sha1({0}))
sha256(varbinary) varbinary = unhex(sha256({0}))
cardinality(array(T)) bigint = len({0})
cardinality(map(K, V)) bigint = cardinality({0})
element_at(array(T), bigint) T = [{1} = 0 | INVALID_FUNCTION_ARGUMENT: SQL array indices start
    at 1] list_extract({0}, {1})
element_at(map(K, V), K) V = map_extract_value({0}, {1})
contains(array(T), T) boolean = CASE WHEN {0} IS NULL OR {1} IS NULL THEN NULL WHEN
    list_contains({0}, {1}) THEN true WHEN list_count({0}) < len({0}) THEN NULL ELSE false END
array_position(array(T), T) bigint = CASE WHEN {0} IS NULL OR {1} IS NULL THEN NULL ELSE
    coalesce(list_position({0}, {1}), 0) END
array_distinct(array(T)) array(T) = list_filter({0}, lambda e, i: coalesce(list_position({0},
    e), list_position(list_transform({0}, lambda n: n IS NULL), true)) = i)
array_max(array(T)) T = CASE WHEN list_count({0}) < len({0}) THEN NULL ELSE list_max({0}) END
array_min(array(T)) T = CASE WHEN list_count({0}) < len({0}) THEN NULL ELSE list_min({0}) END
array_sort(array(T)) array(T) = list_sort({0}, 'ASC', 'NULLS LAST')
array_join(array(varchar), varchar) varchar = CASE WHEN {1} IS NOT NULL THEN
    coalesce(array_to_string({0}, {1}), CASE WHEN {0} IS NOT NULL THEN '' END) END
array_join(array(varchar), varchar, varchar) varchar = array_to_string(list_transform({0},
    lambda e: coalesce(e, {2})), {1})
array_remove(array(T), T) array(T) = CASE WHEN {1} IS NOT NULL THEN list_filter({0}, lambda e: e
    IS DISTINCT FROM {1}) END
arrays_overlap(array(T), array(T)) boolean = [list_count({0}) < len({0}) OR list_count({1}) <
    len({1}) | NOT_SUPPORTED: the endpoint does not run arrays_overlap with nulls]
    list_has_any({0}, {1})
reverse(array(T)) array(T) = list_reverse({0})
slice(array(T), bigint, bigint) array(T) = [{1} = 0 | INVALID_FUNCTION_ARGUMENT: SQL array
    indices start at 1] [{2} < 0 | INVALID_FUNCTION_ARGUMENT: length must be greater than or
    equal to 0] CASE WHEN abs({1}) > len({0}) THEN list_slice({0}, 1, 0) WHEN {1} > 0 THEN
    list_slice({0}, {1}, {1} + {2} - 1) ELSE list_slice({0}, len({0}) + {1} + 1, len({0}) + {1}
    + {2}) END
flatten(array(array(T))) array(T) = flatten({0})
sequence(bigint, bigint) array(bigint) = CASE WHEN {0} <= {1} THEN generate_series({0}, {1})
    ELSE generate_series({0}, {1}, CAST(-1 AS BIGINT)) END
sequence(bigint, bigint, bigint) array(bigint) = [{2} = 0 OR ({1} - {0}) * {2} < 0 |
    INVALID_FUNCTION_ARGUMENT: sequence stop value should be greater than or equal to start
    value if step is greater than zero otherwise stop should be less than or equal to start]
    generate_series({0}, {1}, {2})
repeat(T, bigint) array(T) = list_transform(generate_series(CAST(1 AS BIGINT), {1}), lambda e:
    {0})
map(array(K), array(V)) map(K, V) = [len({0}) <> len({1}) | INVALID_FUNCTION_ARGUMENT: Key and
    value arrays must be the same length] [list_count({0}) < len({0}) |
    INVALID_FUNCTION_ARGUMENT: map key cannot be null] [len({0}) <> len(list_distinct({0})) |
    INVALID_FUNCTION_ARGUMENT: Duplicate map keys are not allowed] map({0}, {1})
map_keys(map(K, V)) array(K) = map_keys({0})
map_values(map(K, V)) array(V) = map_values({0})
map_concat(map(K, V), map(K, V)...) map(K, V) = map_concat({all})
year(date) bigint = year({0})
year(timestamp) bigint = year({0})
quarter(date) bigint = quarter({0})
quarter(timestamp) bigint = quarter({0})
month(date) bigint = month({0})
month(timestamp) bigint = month({0})
week(date) bigint = weekofyear({0})
week(timestamp) bigint = weekofyear({0})
week_of_year(date) bigint = weekofyear({0})
year_of_week(date) bigint = isoyear({0})
day(date) bigint = day({0})
day(timestamp) bigint = day({0})
day_of_month(date) bigint = day({0})
day_of_month(timestamp) bigint = day({0})
day_of_week(date) bigint = isodow({0})
day_of_week(timestamp) bigint = isodow({0})
dow(date) bigint = isodow({0})
dow(timestamp) bigint = isodow({0})
day_of_year(date) bigint = dayofyear({0})
day_of_year(timestamp) bigint = dayofyear({0})
doy(date) bigint = dayofyear({0})
doy(timestamp) bigint = dayofyear({0})
hour(timestamp) bigint = hour({0})
minute(timestamp) bigint = minute({0})
second(timestamp) bigint = second({0})
millisecond(timestamp) bigint = millisecond({0}) % 1000
last_day_of_month(date) date = last_day({0})
last_day_of_month(timestamp) date = last_day({0})
date(date) date = {0}
date(timestamp) date = CAST({0} AS DATE)
date(varchar) date = trino_date({0})
date_format(timestamp, varchar) varchar = trino_date_format({0}, {1})
date_parse(varchar, varchar) timestamp = trino_date_parse({0}, {1})
from_iso8601_date(varchar) date = trino_date({0})
from_iso8601_timestamp(varchar) utc = trino_iso8601({0})
from_unixtime(double) utc = to_milliseconds(CAST(round({0} * 1000) AS BIGINT)) + TIMESTAMP
    '1970-01-01 00:00:00'
to_unixtime(utc) double = epoch_us({0}) / CAST(1000000 AS DOUBLE)
to_iso8601(date) varchar = CAST({0} AS VARCHAR)
"""
AGGREGATE = """
count() bigint = count(*)
count(T) bigint = count({0})
count_if(boolean) bigint = CAST(countif({0}){over} AS BIGINT)
sum(bigint) bigint = CAST(sum({0}){over} AS BIGINT)
sum(double) double = sum({0})
min(T) T = min({0})
max(T) T = max({0})
avg(double) double = avg({0})
min_by(V, K) V = arg_min_null({0}, {1})
max_by(V, K) V = arg_max_null({0}, {1})
arbitrary(T) T = any_value({0})
any_value(T) T = any_value({0})
bool_and(boolean) boolean = bool_and({0})
bool_or(boolean) boolean = bool_or({0})
every(boolean) boolean = bool_and({0})
array_agg(T) array(T) = array_agg({0})
map_agg(K, V) map(K, V) = trino_map_agg({0}, {1})
histogram(T) map(T, bigint) = CAST(histogram({0}){over} AS {type})
stddev(double) double = stddev_samp({0})
stddev_samp(double) double = stddev_samp({0})
stddev_pop(double) double = stddev_pop({0})
variance(double) double = var_samp({0})
var_samp(double) double = var_samp({0})
var_pop(double) double = var_pop({0})
"""
WINDOW = """
row_number() bigint = row_number()
rank() bigint = rank()
dense_rank() bigint = dense_rank()
percent_rank() double = percent_rank()
cume_dist() double = cume_dist()
ntile(bigint) bigint = ntile({0})
lag(T) T = lag({0})
lag(T, bigint) T = lag({0}, {1})
lag(T, bigint, T) T = lag({0}, {1}, {2})
lead(T) T = lead({0})
lead(T, bigint) T = lead({0}, {1})
lead(T, bigint, T) T = lead({0}, {1}, {2})
first_value(T) T = first_value({0})
last_value(T) T = last_value({0})
nth_value(T, bigint) T = nth_value({0}, {1})
"""
