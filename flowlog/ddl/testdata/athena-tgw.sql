-- Athena: flow logs as text, version 6, 36 fields.
-- Columns are found by position: their order is that of the flow log's format.
-- The format has the field region, so the partition is called aws_region: ask for
-- aws_region = '…' to read the objects of one region only.
CREATE EXTERNAL TABLE IF NOT EXISTS `vpc_flow_logs` (
  `version` int,
  `resource_type` string,
  `account_id` string,
  `tgw_id` string,
  `tgw_attachment_id` string,
  `tgw_src_vpc_account_id` string,
  `tgw_dst_vpc_account_id` string,
  `tgw_src_vpc_id` string,
  `tgw_dst_vpc_id` string,
  `tgw_src_subnet_id` string,
  `tgw_dst_subnet_id` string,
  `tgw_src_eni` string,
  `tgw_dst_eni` string,
  `tgw_src_az_id` string,
  `tgw_dst_az_id` string,
  `tgw_pair_attachment_id` string,
  `srcaddr` string,
  `dstaddr` string,
  `srcport` int,
  `dstport` int,
  `protocol` bigint,
  `packets` bigint,
  `bytes` bigint,
  `start` bigint,
  `end` bigint,
  `log_status` string,
  `type` string,
  `packets_lost_no_route` bigint,
  `packets_lost_blackhole` bigint,
  `packets_lost_mtu_exceeded` bigint,
  `packets_lost_ttl_expired` bigint,
  `tcp_flags` int,
  `region` string,
  `flow_direction` string,
  `pkt_src_aws_service` string,
  `pkt_dst_aws_service` string
)
PARTITIONED BY (
  `aws_region` string,
  `day` string
)
ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '
STORED AS TEXTFILE
LOCATION 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/'
TBLPROPERTIES (
  'skip.header.line.count' = '1',
  'projection.enabled' = 'true',
  'projection.aws_region.type' = 'enum',
  'projection.aws_region.values' = 'us-east-1',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '2024/01/01,NOW',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/${aws_region}/${day}/'
);
