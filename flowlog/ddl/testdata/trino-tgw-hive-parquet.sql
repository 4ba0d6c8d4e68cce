-- Trino, Hive connector: flow logs as Parquet, version 6, 36 fields.
-- The catalog needs hive.partition-projection-enabled = true.
-- The years end with 2044: Trino takes no open end here.
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
  "aws-account-id" varchar WITH (
    partition_projection_type = 'enum',
    partition_projection_values = ARRAY['123456789012']
  ),
  "service" varchar WITH (
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
  )
)
WITH (
  external_location = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/',
  format = 'PARQUET',
  partitioned_by = ARRAY['aws-account-id', 'service', 'aws-region', 'year', 'month', 'day'],
  partition_projection_enabled = true
);
