-- DuckDB: flow logs as text, version 2, 7 fields.
-- For s3://: INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain);
CREATE OR REPLACE VIEW "vpc_flow_logs" AS
SELECT
  CAST(nullif("version", '-') AS INTEGER) AS "version",
  "srcaddr",
  "dstaddr",
  "action",
  CAST(nullif("weir_rule_id", '-') AS BIGINT) AS "weir_rule_id",
  "weir_rule",
  "weir_drop_reason"
FROM read_csv(
  ['s3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/**/*.log.gz'],
  columns = {
    'version': 'VARCHAR',
    'srcaddr': 'VARCHAR',
    'dstaddr': 'VARCHAR',
    'action': 'VARCHAR',
    'weir_rule_id': 'VARCHAR',
    'weir_rule': 'VARCHAR',
    'weir_drop_reason': 'VARCHAR'
  },
  auto_detect = false, header = true, delim = ' ', quote = '', escape = '',
  hive_partitioning = false
);
