-- Trino, Hive connector: flow logs as text, version 2, 14 fields.
-- The catalog needs hive.partition-projection-enabled = true.
-- The years end with 2044: Trino takes no open end here.
CREATE TABLE IF NOT EXISTS "vpc_flow_logs" (
  "version" integer,
  "account_id" varchar,
  "interface_id" varchar,
  "srcaddr" varchar,
  "dstaddr" varchar,
  "srcport" integer,
  "dstport" integer,
  "protocol" integer,
  "packets" bigint,
  "bytes" bigint,
  "start" bigint,
  "end" bigint,
  "action" varchar,
  "log_status" varchar,
  "aws-account-id" varchar WITH (
    partition_projection_type = 'enum',
    partition_projection_values = ARRAY['123456789012']
  ),
  "aws-service" varchar WITH (
    partition_projection_type = 'enum',
    partition_projection_values = ARRAY['vpcflowlogs']
  ),
  "aws-region" varchar WITH (
    partition_projection_type = 'enum',
    partition_projection_values = ARRAY['us-east-1']
  ),
  "year" varchar WITH (
    partition_projection_type = 'integer',
    partition_projection_range = ARRAY['2024', '2044'],
    partition_projection_digits = 4
  ),
  "month" varchar WITH (
    partition_projection_type = 'integer',
    partition_projection_range = ARRAY['1', '12'],
    partition_projection_digits = 2
  ),
  "day" varchar WITH (
    partition_projection_type = 'integer',
    partition_projection_range = ARRAY['1', '31'],
    partition_projection_digits = 2
  ),
  "hour" varchar WITH (
    partition_projection_type = 'integer',
    partition_projection_range = ARRAY['0', '23'],
    partition_projection_digits = 2
  )
)
WITH (
  external_location = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/',
  format = 'TEXTFILE',
  textfile_field_separator = ' ',
  skip_header_line_count = 1,
  partitioned_by = ARRAY['aws-account-id', 'aws-service', 'aws-region', 'year', 'month', 'day', 'hour'],
  partition_projection_enabled = true
);
