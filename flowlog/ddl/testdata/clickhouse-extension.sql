-- ClickHouse: flow logs as text, version 2, 7 fields.
CREATE TABLE IF NOT EXISTS `vpc_flow_logs`
(
    `version` Int32,
    `srcaddr` String,
    `dstaddr` String,
    `action` LowCardinality(String),
    `weir_rule_id` Nullable(Int64),
    `weir_rule` LowCardinality(String),
    `weir_drop_reason` LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY tuple();

-- Run it once for each batch of objects: it does not notice what it has read.
INSERT INTO `vpc_flow_logs`
SELECT *
FROM s3('s3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/**/*.log.gz', 'CSV',
        '
         `version` Int32,
         `srcaddr` String,
         `dstaddr` String,
         `action` LowCardinality(String),
         `weir_rule_id` Nullable(Int64),
         `weir_rule` LowCardinality(String),
         `weir_drop_reason` LowCardinality(String)
        ')
SETTINGS format_csv_delimiter = ' ', input_format_csv_allow_whitespace_or_tab_as_delimiter = 1,
         input_format_csv_skip_first_lines = 1, input_format_csv_detect_header = 0,
         format_csv_allow_single_quotes = 0, format_csv_allow_double_quotes = 0,
         format_csv_null_representation = '-', input_format_null_as_default = 0;
