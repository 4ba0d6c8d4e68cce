-- Trino, Hive connector: flow logs as text, version 2, 7 fields.
-- The catalog needs hive.partition-projection-enabled = true.
CREATE TABLE IF NOT EXISTS "vpc_flow_logs" (
  "version" integer,
  "srcaddr" varchar,
  "dstaddr" varchar,
  "action" varchar,
  "weir_rule_id" bigint,
  "weir_rule" varchar,
  "weir_drop_reason" varchar,
  "region" varchar WITH (
    partition_projection_type = 'enum',
    partition_projection_values = ARRAY['us-east-1']
  ),
  "day" varchar WITH (
    partition_projection_type = 'date',
    partition_projection_format = 'yyyy/MM/dd',
    partition_projection_range = ARRAY['2024/01/01', 'NOW'],
    partition_projection_interval = 1,
    partition_projection_interval_unit = 'DAYS'
  )
)
WITH (
  external_location = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/',
  format = 'TEXTFILE',
  textfile_field_separator = ' ',
  skip_header_line_count = 1,
  partitioned_by = ARRAY['region', 'day'],
  partition_projection_enabled = true,
  partition_projection_location_template = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/${region}/${day}/'
);
