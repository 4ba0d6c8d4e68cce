-- DuckDB: flow logs as text, version 2, 14 fields.
-- For s3://: INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain);
CREATE OR REPLACE VIEW "vpc_flow_logs" AS
SELECT
  CAST(nullif("version", '-') AS INTEGER) AS "version",
  "account_id",
  "interface_id",
  "srcaddr",
  "dstaddr",
  CAST(nullif("srcport", '-') AS INTEGER) AS "srcport",
  CAST(nullif("dstport", '-') AS INTEGER) AS "dstport",
  CAST(nullif("protocol", '-') AS INTEGER) AS "protocol",
  CAST(nullif("packets", '-') AS BIGINT) AS "packets",
  CAST(nullif("bytes", '-') AS BIGINT) AS "bytes",
  CAST(nullif("start", '-') AS BIGINT) AS "start",
  CAST(nullif("end", '-') AS BIGINT) AS "end",
  "action",
  "log_status"
FROM read_csv(
  ['s3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/**/*.log.gz', 's3://my-flow-logs-bucket/vpc-flow-logs/AWSLogs/123456789012/vpcflowlogs/eu-west-1/**/*.log.gz'],
  columns = {
    'version': 'VARCHAR',
    'account_id': 'VARCHAR',
    'interface_id': 'VARCHAR',
    'srcaddr': 'VARCHAR',
    'dstaddr': 'VARCHAR',
    'srcport': 'VARCHAR',
    'dstport': 'VARCHAR',
    'protocol': 'VARCHAR',
    'packets': 'VARCHAR',
    'bytes': 'VARCHAR',
    'start': 'VARCHAR',
    'end': 'VARCHAR',
    'action': 'VARCHAR',
    'log_status': 'VARCHAR'
  },
  auto_detect = false, header = true, delim = ' ', quote = '', escape = '',
  hive_partitioning = false
);
