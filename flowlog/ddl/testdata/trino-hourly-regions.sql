-- Trino, Hive connector: flow logs as text, version 2, 14 fields.
-- The catalog needs hive.partition-projection-enabled = true.
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
  "region" varchar WITH (
    partition_projection_type = 'enum',
    partition_projection_values = ARRAY['us-east-1', 'eu-west-1']
  ),
  "hour" varchar WITH (
    partition_projection_type = 'date',
    partition_projection_format = 'yyyy/MM/dd/HH',
    partition_projection_range = ARRAY['2024/01/01/00', 'NOW'],
    partition_projection_interval = 1,
    partition_projection_interval_unit = 'HOURS'
  )
)
WITH (
  external_location = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/',
  format = 'TEXTFILE',
  textfile_field_separator = ' ',
  skip_header_line_count = 1,
  partitioned_by = ARRAY['region', 'hour'],
  partition_projection_enabled = true,
  partition_projection_location_template = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/${region}/${hour}/'
);
