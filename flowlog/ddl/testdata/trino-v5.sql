-- Trino, Hive connector: flow logs as text, version 5, 29 fields.
-- The catalog needs hive.partition-projection-enabled = true.
-- The format has the field region, so the partition is called aws_region: ask for
-- aws_region = '…' to read the objects of one region only.
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
  "vpc_id" varchar,
  "subnet_id" varchar,
  "instance_id" varchar,
  "tcp_flags" integer,
  "type" varchar,
  "pkt_srcaddr" varchar,
  "pkt_dstaddr" varchar,
  "region" varchar,
  "az_id" varchar,
  "sublocation_type" varchar,
  "sublocation_id" varchar,
  "pkt_src_aws_service" varchar,
  "pkt_dst_aws_service" varchar,
  "flow_direction" varchar,
  "traffic_path" integer,
  "aws_region" varchar WITH (
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
  partitioned_by = ARRAY['aws_region', 'day'],
  partition_projection_enabled = true,
  partition_projection_location_template = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/${aws_region}/${day}/'
);
