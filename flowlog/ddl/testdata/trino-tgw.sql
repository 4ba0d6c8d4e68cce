-- Trino, Hive connector: flow logs as text, version 6, 36 fields.
-- The catalog needs hive.partition-projection-enabled = true.
-- The format has the field region, so the partition is called aws_region: ask for
-- aws_region = '…' to read the objects of one region only.
CREATE TABLE IF NOT EXISTS "vpc_flow_logs" (
  "version" integer,
  "resource_type" varchar,
  "account_id" varchar,
  "tgw_id" varchar,
  "tgw_attachment_id" varchar,
  "tgw_src_vpc_account_id" varchar,
  "tgw_dst_vpc_account_id" varchar,
  "tgw_src_vpc_id" varchar,
  "tgw_dst_vpc_id" varchar,
  "tgw_src_subnet_id" varchar,
  "tgw_dst_subnet_id" varchar,
  "tgw_src_eni" varchar,
  "tgw_dst_eni" varchar,
  "tgw_src_az_id" varchar,
  "tgw_dst_az_id" varchar,
  "tgw_pair_attachment_id" varchar,
  "srcaddr" varchar,
  "dstaddr" varchar,
  "srcport" integer,
  "dstport" integer,
  "protocol" bigint,
  "packets" bigint,
  "bytes" bigint,
  "start" bigint,
  "end" bigint,
  "log_status" varchar,
  "type" varchar,
  "packets_lost_no_route" bigint,
  "packets_lost_blackhole" bigint,
  "packets_lost_mtu_exceeded" bigint,
  "packets_lost_ttl_expired" bigint,
  "tcp_flags" integer,
  "region" varchar,
  "flow_direction" varchar,
  "pkt_src_aws_service" varchar,
  "pkt_dst_aws_service" varchar,
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
