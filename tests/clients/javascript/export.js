// Exports a DynamoDB table as a user of the AWS SDK for JavaScript v3 does, and prints what it saw.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AthenaClient,
  GetQueryExecutionCommand,
  StartQueryExecutionCommand,
  paginateGetQueryResults,
} from "@aws-sdk/client-athena";
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
  waitUntilStackDeleteComplete,
} from "@aws-sdk/client-cloudformation";
import {
  CloudWatchClient,
  GetMetricStatisticsCommand,
  PutMetricDataCommand,
  paginateListMetrics,
} from "@aws-sdk/client-cloudwatch";
import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DynamoDBClient,
  ScanCommand,
  paginateScan,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import {
  GetTableCommand,
  GetWorkflowRunCommand,
  GlueClient,
  StartWorkflowRunCommand,
  paginateGetPartitions,
  paginateGetTables,
} from "@aws-sdk/client-glue";
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";

const TABLE = "Orders";
const COMMON_STACK = "dynoexport-common";
const TABLE_STACK = "dynoexport-Orders-parquet";
const ORDERS = 30;
// BatchWriteItem takes 25 items.
const BATCH = 25;
const POLL_MILLISECONDS = 200;
const WAIT = { maxWaitTime: 60, minDelay: 1, maxDelay: 1 };

const athena = new AthenaClient();
const cloudformation = new CloudFormationClient();
const cloudwatch = new CloudWatchClient();
const dynamodb = new DynamoDBClient();
const glue = new GlueClient();
const s3 = new S3Client();

async function createStack(name, template, parameters) {
  await cloudformation.send(
    new CreateStackCommand({
      StackName: name,
      TemplateBody: await readFile(`templates/${template}`, "utf8"),
      Parameters: Object.entries(parameters).map(([key, value]) => ({
        ParameterKey: key,
        ParameterValue: value,
      })),
      Capabilities: ["CAPABILITY_IAM"],
    }),
  );
  await waitUntilStackCreateComplete({ client: cloudformation, ...WAIT }, { StackName: name });
  return describeStack(name);
}

async function describeStack(name) {
  const { Stacks } = await cloudformation.send(new DescribeStacksCommand({ StackName: name }));
  const outputs = Stacks[0].Outputs.map((output) => [output.OutputKey, output.OutputValue]);
  return { status: Stacks[0].StackStatus, outputs: Object.fromEntries(outputs) };
}

async function resources(stack) {
  const { StackResources } = await cloudformation.send(
    new DescribeStackResourcesCommand({ StackName: stack }),
  );
  return StackResources.map((resource) => resource.LogicalResourceId).sort();
}

function order(number) {
  return {
    OrderId: { S: `order-${String(number).padStart(2, "0")}` },
    Number: { N: String(number) },
    Price: { N: `${number}.25` },
    Paid: { BOOL: number % 2 === 0 },
    Tags: { SS: ["gift", "new"] },
    Lines: { L: [{ N: String(number) }, { N: String(number + 1) }] },
    Customer: { M: { Name: { S: "Zoë" }, Age: { N: "36" } } },
    Photo: { B: Uint8Array.of(number, 255) },
    Note: number % 2 === 0 ? { S: "paid" } : { NULL: true },
  };
}

async function createTable() {
  await dynamodb.send(
    new CreateTableCommand({
      TableName: TABLE,
      KeySchema: [{ AttributeName: "OrderId", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "OrderId", AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  await waitUntilTableExists({ client: dynamodb, ...WAIT }, { TableName: TABLE });
}

async function putOrders() {
  let unprocessed = 0;
  for (let start = 1; start <= ORDERS; start += BATCH) {
    const requests = [];
    for (let number = start; number < start + BATCH && number <= ORDERS; number += 1) {
      requests.push({ PutRequest: { Item: order(number) } });
    }
    const { UnprocessedItems } = await dynamodb.send(
      new BatchWriteItemCommand({ RequestItems: { [TABLE]: requests } }),
    );
    unprocessed += Object.values(UnprocessedItems).flat().length;
  }
  return unprocessed;
}

async function scanPages() {
  const pages = [];
  for await (const page of paginateScan({ client: dynamodb, pageSize: 20 }, { TableName: TABLE })) {
    pages.push(page.Count);
  }
  return pages;
}

async function runWorkflow(name) {
  const { RunId } = await glue.send(new StartWorkflowRunCommand({ Name: name }));
  for (;;) {
    const { Run } = await glue.send(new GetWorkflowRunCommand({ Name: name, RunId }));
    if (Run.Status !== "RUNNING") {
      const { SucceededActions, FailedActions } = Run.Statistics;
      return { status: Run.Status, succeeded: SucceededActions, failed: FailedActions };
    }
    await sleep(POLL_MILLISECONDS);
  }
}

async function catalogTable(database, name) {
  const { Table } = await glue.send(new GetTableCommand({ DatabaseName: database, Name: name }));
  const columns = (list) => list.map((column) => [column.Name, column.Type]);
  return {
    columns: columns(Table.StorageDescriptor.Columns),
    partitionKeys: columns(Table.PartitionKeys),
  };
}

async function tablePages(database) {
  const pages = [];
  for await (const page of paginateGetTables(
    { client: glue, pageSize: 1 },
    { DatabaseName: database },
  )) {
    pages.push(page.TableList.map((table) => table.Name));
  }
  return pages;
}

async function partitionPages(database, table) {
  const pages = [];
  const query = { DatabaseName: database, TableName: table };
  for await (const page of paginateGetPartitions({ client: glue, pageSize: 1 }, query)) {
    pages.push(page.Partitions.length);
  }
  return pages;
}

async function query(sql, database, workGroup) {
  const { QueryExecutionId } = await athena.send(
    new StartQueryExecutionCommand({
      QueryString: sql,
      QueryExecutionContext: { Database: database },
      WorkGroup: workGroup,
    }),
  );
  const { status, reason } = await queryEnd(QueryExecutionId);
  const result = { status, reason, columns: [], rows: [], pages: [] };
  if (status !== "SUCCEEDED") {
    return result;
  }
  const pages = paginateGetQueryResults({ client: athena, pageSize: 10 }, { QueryExecutionId });
  for await (const { ResultSet } of pages) {
    result.columns = ResultSet.ResultSetMetadata.ColumnInfo.map(({ Name, Type }) => [Name, Type]);
    result.rows.push(...ResultSet.Rows.map((row) => row.Data.map((cell) => cell.VarCharValue ?? null)));
    result.pages.push(ResultSet.Rows.length);
  }
  return result;
}

async function queryEnd(id) {
  for (;;) {
    const { QueryExecution } = await athena.send(
      new GetQueryExecutionCommand({ QueryExecutionId: id }),
    );
    const { State, StateChangeReason } = QueryExecution.Status;
    if (State !== "QUEUED" && State !== "RUNNING") {
      return { status: State, reason: StateChangeReason ?? null };
    }
    await sleep(POLL_MILLISECONDS);
  }
}

async function keyPages(bucket, prefix) {
  const pages = [];
  for await (const page of paginateListObjectsV2(
    { client: s3, pageSize: 1 },
    { Bucket: bucket, Prefix: prefix },
  )) {
    pages.push(page.Contents.map((object) => object.Key));
  }
  return pages;
}

async function upload(bucket) {
  const sent = { Bucket: bucket, Key: "uploads/2 MiB" };
  await s3.send(new PutObjectCommand({ ...sent, Body: Buffer.alloc(2 * 1024 * 1024, "x") }));
  return (await s3.send(new HeadObjectCommand(sent))).ContentLength;
}

async function publishScripts(bucket) {
  for (const script of ["export_table.py", "create_current_view.py"]) {
    await s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: `scripts/current/${script}`,
        Body: await readFile(`scripts/${script}`),
      }),
    );
  }
}

async function metrics() {
  await cloudwatch.send(
    new PutMetricDataCommand({
      Namespace: "Shop",
      MetricData: [{ MetricName: "Orders", Value: ORDERS, Timestamp: new Date() }],
    }),
  );
  return {
    Orders: await metricSum("Shop", "Orders", []),
    Snapshots: await metricSum("dynoexport/Orders", "Snapshots", [
      { Name: "Table", Value: TABLE },
      { Name: "Format", Value: "parquet" },
    ]),
  };
}

async function metricSum(namespace, name, dimensions) {
  const { Datapoints } = await cloudwatch.send(
    new GetMetricStatisticsCommand({
      Namespace: namespace,
      MetricName: name,
      Dimensions: dimensions,
      StartTime: new Date(Date.now() - 3600_000),
      EndTime: new Date(Date.now() + 60_000),
      Period: 60,
      Statistics: ["Sum"],
    }),
  );
  return Datapoints.reduce((sum, point) => sum + point.Sum, 0);
}

async function metricNames() {
  const names = [];
  for await (const page of paginateListMetrics({ client: cloudwatch }, { Namespace: "dynoexport/Orders" })) {
    names.push(...page.Metrics.map((found) => found.MetricName));
  }
  return names;
}

async function errorCode(request) {
  try {
    await request;
  } catch (error) {
    // CloudWatch's errors have a name of the older query protocol, too, which is the code elsewhere.
    return error.Code ?? error.name;
  }
  return null;
}

async function errorCodes(bucket, database) {
  const missing = "Missing";
  return {
    athena: await errorCode(
      athena.send(new GetQueryExecutionCommand({ QueryExecutionId: missing })),
    ),
    cloudformation: await errorCode(describeStack(missing)),
    cloudwatch: await errorCode(
      cloudwatch.send(
        new GetMetricStatisticsCommand({
          Namespace: "dynoexport/Orders",
          MetricName: missing,
          StartTime: new Date(1_000_000),
          EndTime: new Date(0),
          Period: 60,
          Statistics: ["Sum"],
        }),
      ),
    ),
    dynamodb: await errorCode(dynamodb.send(new ScanCommand({ TableName: missing }))),
    glue: await errorCode(
      glue.send(new GetTableCommand({ DatabaseName: database, Name: missing })),
    ),
    s3: await errorCode(s3.send(new GetObjectCommand({ Bucket: bucket, Key: missing }))),
  };
}

async function deleteStack(name) {
  await cloudformation.send(new DeleteStackCommand({ StackName: name }));
  await waitUntilStackDeleteComplete({ client: cloudformation, ...WAIT }, { StackName: name });
  return errorCode(describeStack(name));
}

async function main() {
  const seen = {};
  const common = await createStack(COMMON_STACK, "common.yaml", {});
  const { BucketName: bucket, DatabaseName: database, WorkGroup: workGroup } = common.outputs;
  await publishScripts(bucket);
  const table = await createStack(TABLE_STACK, "table.yaml", {
    TableName: TABLE,
    ReadMode: "native",
    NumberOfWorkers: "2",
  });
  seen.stacks = { [COMMON_STACK]: common, [TABLE_STACK]: table };
  seen.resources = await resources(TABLE_STACK);
  seen.scripts = await keyPages(bucket, "scripts/");
  seen.upload = await upload(bucket);

  await createTable();
  seen.unprocessed = await putOrders();
  seen.scan = await scanPages();
  seen.run = await runWorkflow(table.outputs.WorkflowName);

  seen.tables = await tablePages(database);
  seen.table = await catalogTable(database, "snapshots_orders");
  seen.partitions = await partitionPages(database, "snapshots_orders");
  const columns = "orderid, number, price, paid, tags, lines, customer, photo, note";
  seen.query = await query(`SELECT ${columns} FROM orders ORDER BY orderid`, database, workGroup);
  seen.metrics = await metrics();
  seen.metricNames = await metricNames();
  seen.errors = await errorCodes(bucket, database);
  seen.deleted = await deleteStack(TABLE_STACK);
  console.log(JSON.stringify(seen));
}

await main();
