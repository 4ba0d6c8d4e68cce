-- ClickHouse: flow logs as text, version 5, 29 fields.
CREATE TABLE IF NOT EXISTS `vpc_flow_logs`
(
    `version` Int32,
    `account_id` LowCardinality(String),
    `interface_id` LowCardinality(String),
    `srcaddr` String,
    `dstaddr` String,
    `srcport` Nullable(Int32),
    `dstport` Nullable(Int32),
    `protocol` Nullable(Int32),
    `packets` Nullable(Int64),
    `bytes` Nullable(Int64),
    `start` Int64,
    `end` Int64,
    `action` LowCardinality(String),
    `log_status` LowCardinality(String),
    `vpc_id` LowCardinality(String),
    `subnet_id` LowCardinality(String),
    `instance_id` LowCardinality(String),
    `tcp_flags` Nullable(Int32),
    `type` LowCardinality(String),
    `pkt_srcaddr` String,
    `pkt_dstaddr` String,
    `region` LowCardinality(String),
    `az_id` LowCardinality(String),
    `sublocation_type` LowCardinality(String),
    `sublocation_id` LowCardinality(String),
    `pkt_src_aws_service` LowCardinality(String),
    `pkt_dst_aws_service` LowCardinality(String),
    `flow_direction` LowCardinality(String),
    `traffic_path` Nullable(Int32)
)
ENGINE = MergeTree
ORDER BY (`interface_id`, `start`);

-- Run it once for each batch of objects: it does not notice what it has read.
INSERT INTO `vpc_flow_logs`
SELECT *
FROM s3('s3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/**/*.log.gz', 'CSV',
        '
         `version` Int32,
         `account_id` LowCardinality(String),
         `interface_id` LowCardinality(String),
         `srcaddr` String,
         `dstaddr` String,
         `srcport` Nullable(Int32),
         `dstport` Nullable(Int32),
         `protocol` Nullable(Int32),
         `packets` Nullable(Int64),
         `bytes` Nullable(Int64),
         `start` Int64,
         `end` Int64,
         `action` LowCardinality(String),
         `log_status` LowCardinality(String),
         `vpc_id` LowCardinality(String),
         `subnet_id` LowCardinality(String),
         `instance_id` LowCardinality(String),
         `tcp_flags` Nullable(Int32),
         `type` LowCardinality(String),
         `pkt_srcaddr` String,
         `pkt_dstaddr` String,
         `region` LowCardinality(String),
         `az_id` LowCardinality(String),
         `sublocation_type` LowCardinality(String),
         `sublocation_id` LowCardinality(String),
         `pkt_src_aws_service` LowCardinality(String),
         `pkt_dst_aws_service` LowCardinality(String),
         `flow_direction` LowCardinality(String),
         `traffic_path` Nullable(Int32)
        ')
SETTINGS format_csv_delimiter = ' ', input_format_csv_allow_whitespace_or_tab_as_delimiter = 1,
         input_format_csv_skip_first_lines = 1, input_format_csv_detect_header = 0,
         format_csv_allow_single_quotes = 0, format_csv_allow_double_quotes = 0,
         format_csv_null_representation = '-', input_format_null_as_default = 0;
