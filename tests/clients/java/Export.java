import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.athena.AthenaClient;
import software.amazon.awssdk.services.athena.model.ColumnInfo;
import software.amazon.awssdk.services.athena.model.Datum;
import software.amazon.awssdk.services.athena.model.QueryExecutionState;
import software.amazon.awssdk.services.athena.model.QueryExecutionStatus;
import software.amazon.awssdk.services.athena.model.ResultSet;
import software.amazon.awssdk.services.cloudformation.CloudFormationClient;
import software.amazon.awssdk.services.cloudformation.model.Capability;
import software.amazon.awssdk.services.cloudformation.model.Output;
import software.amazon.awssdk.services.cloudformation.model.Parameter;
import software.amazon.awssdk.services.cloudformation.model.Stack;
import software.amazon.awssdk.services.cloudformation.model.StackResource;
import software.amazon.awssdk.services.cloudwatch.CloudWatchClient;
import software.amazon.awssdk.services.cloudwatch.model.Datapoint;
import software.amazon.awssdk.services.cloudwatch.model.Dimension;
import software.amazon.awssdk.services.cloudwatch.model.Metric;
import software.amazon.awssdk.services.cloudwatch.model.MetricDatum;
import software.amazon.awssdk.services.cloudwatch.model.Statistic;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeDefinition;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.dynamodb.model.KeySchemaElement;
import software.amazon.awssdk.services.dynamodb.model.KeyType;
import software.amazon.awssdk.services.dynamodb.model.ScalarAttributeType;
import software.amazon.awssdk.services.dynamodb.model.ScanResponse;
import software.amazon.awssdk.services.dynamodb.model.WriteRequest;
import software.amazon.awssdk.services.glue.GlueClient;
import software.amazon.awssdk.services.glue.model.Column;
import software.amazon.awssdk.services.glue.model.Table;
import software.amazon.awssdk.services.glue.model.WorkflowRun;
import software.amazon.awssdk.services.glue.model.WorkflowRunStatus;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Object;

/** Exports a DynamoDB table as a user of the AWS SDK for Java v2 does, and prints what it saw. */
public final class Export {
    private static final String TABLE = "Orders";
    private static final String COMMON_STACK = "dynoexport-common";
    private static final String TABLE_STACK = "dynoexport-Orders-parquet";
    private static final int ORDERS = 30;
    // BatchWriteItem takes 25 items.
    private static final int BATCH = 25;
    private static final Duration POLL = Duration.ofMillis(200);

    private final AthenaClient athena = AthenaClient.create();
    private final CloudFormationClient cloudFormation = CloudFormationClient.create();
    private final CloudWatchClient cloudWatch = CloudWatchClient.create();
    private final DynamoDbClient dynamoDb = DynamoDbClient.create();
    private final GlueClient glue = GlueClient.create();
    private final S3Client s3 = S3Client.create();

    public static void main(String[] arguments) throws IOException, InterruptedException {
        System.out.println(json(new Export().export()));
    }

    private Map<String, Object> export() throws IOException, InterruptedException {
        Map<String, Object> seen = new LinkedHashMap<>();
        createStack(COMMON_STACK, "common.yaml", Map.of());
        Map<String, String> common = outputs(COMMON_STACK);
        String bucket = common.get("BucketName");
        String database = common.get("DatabaseName");
        publishScripts(bucket);
        createStack(TABLE_STACK, "table.yaml", Map.of(
                "TableName", TABLE, "ReadMode", "native", "NumberOfWorkers", "2"));
        seen.put("stacks", Map.of(
                COMMON_STACK, describeStack(COMMON_STACK),
                TABLE_STACK, describeStack(TABLE_STACK)));
        seen.put("resources", resources());
        seen.put("scripts", keyPages(bucket, "scripts/"));
        seen.put("upload", upload(bucket));

        createTable();
        seen.put("unprocessed", putOrders());
        seen.put("scan", scanPages());
        seen.put("run", runWorkflow(outputs(TABLE_STACK).get("WorkflowName")));

        seen.put("tables", tablePages(database));
        seen.put("table", catalogTable(database, "snapshots_orders"));
        seen.put("partitions", partitionPages(database, "snapshots_orders"));
        String columns = "orderid, number, price, paid, tags, lines, customer, photo, note";
        String sql = "SELECT " + columns + " FROM orders ORDER BY orderid";
        seen.put("query", query(sql, database, common.get("WorkGroup")));
        seen.put("metrics", metrics());
        seen.put("metricNames", metricNames());
        seen.put("errors", errorNames(bucket, database));
        seen.put("deleted", deleteStack(TABLE_STACK));
        return seen;
    }

    private void createStack(String name, String template, Map<String, String> parameters)
            throws IOException {
        String body = Files.readString(Path.of("templates", template));
        List<Parameter> given = parameters.entrySet().stream()
                .map(entry -> Parameter.builder()
                        .parameterKey(entry.getKey())
                        .parameterValue(entry.getValue())
                        .build())
                .toList();
        cloudFormation.createStack(request -> request
                .stackName(name)
                .templateBody(body)
                .parameters(given)
                .capabilities(Capability.CAPABILITY_IAM));
        try (var waiter = cloudFormation.waiter()) {
            waiter.waitUntilStackCreateComplete(request -> request.stackName(name));
        }
    }

    private Map<String, Object> describeStack(String name) {
        Stack stack = cloudFormation.describeStacks(request -> request.stackName(name))
                .stacks().get(0);
        return Map.of("status", stack.stackStatusAsString(), "outputs", outputs(stack));
    }

    private Map<String, String> outputs(String name) {
        return outputs(cloudFormation.describeStacks(request -> request.stackName(name))
                .stacks().get(0));
    }

    private static Map<String, String> outputs(Stack stack) {
        Map<String, String> values = new LinkedHashMap<>();
        for (Output output : stack.outputs()) {
            values.put(output.outputKey(), output.outputValue());
        }
        return values;
    }

    private List<String> resources() {
        return cloudFormation.describeStackResources(request -> request.stackName(TABLE_STACK))
                .stackResources().stream().map(StackResource::logicalResourceId).sorted().toList();
    }

    private void publishScripts(String bucket) {
        for (String script : List.of("export_table.py", "create_current_view.py")) {
            s3.putObject(
                    request -> request.bucket(bucket).key("scripts/current/" + script),
                    RequestBody.fromFile(Path.of("scripts", script)));
        }
    }

    /** By the asynchronous client, which has an HTTP client of its own. */
    private long upload(String bucket) {
        String key = "uploads/2 MiB";
        byte[] body = new byte[2 * 1024 * 1024];
        Arrays.fill(body, (byte) 'x');
        try (S3AsyncClient client = S3AsyncClient.create()) {
            client.putObject(
                    request -> request.bucket(bucket).key(key),
                    AsyncRequestBody.fromBytes(body)).join();
            return client.headObject(request -> request.bucket(bucket).key(key))
                    .join().contentLength();
        }
    }

    private List<List<String>> keyPages(String bucket, String prefix) {
        return s3.listObjectsV2Paginator(
                        request -> request.bucket(bucket).prefix(prefix).maxKeys(1))
                .stream()
                .map(page -> page.contents().stream().map(S3Object::key).toList())
                .toList();
    }

    private static Map<String, AttributeValue> order(int number) {
        AttributeValue note = number % 2 == 0
                ? AttributeValue.fromS("paid") : AttributeValue.fromNul(true);
        return Map.of(
                "OrderId", AttributeValue.fromS("order-%02d".formatted(number)),
                "Number", AttributeValue.fromN("" + number),
                "Price", AttributeValue.fromN(number + ".25"),
                "Paid", AttributeValue.fromBool(number % 2 == 0),
                "Tags", AttributeValue.fromSs(List.of("gift", "new")),
                "Lines", AttributeValue.fromL(List.of(
                        AttributeValue.fromN("" + number),
                        AttributeValue.fromN("" + (number + 1)))),
                "Customer", AttributeValue.fromM(Map.of(
                        "Name", AttributeValue.fromS("Zoë"),
                        "Age", AttributeValue.fromN("36"))),
                "Photo", AttributeValue.fromB(
                        SdkBytes.fromByteArray(new byte[] {(byte) number, (byte) 255})),
                "Note", note);
    }

    private void createTable() {
        dynamoDb.createTable(request -> request
                .tableName(TABLE)
                .keySchema(KeySchemaElement.builder()
                        .attributeName("OrderId").keyType(KeyType.HASH).build())
                .attributeDefinitions(AttributeDefinition.builder()
                        .attributeName("OrderId").attributeType(ScalarAttributeType.S).build())
                .billingMode(BillingMode.PAY_PER_REQUEST));
        try (var waiter = dynamoDb.waiter()) {
            waiter.waitUntilTableExists(request -> request.tableName(TABLE));
        }
    }

    private int putOrders() {
        int unprocessed = 0;
        for (int start = 1; start <= ORDERS; start += BATCH) {
            List<WriteRequest> requests = new ArrayList<>();
            for (int number = start; number < start + BATCH && number <= ORDERS; number++) {
                Map<String, AttributeValue> item = order(number);
                requests.add(WriteRequest.builder().putRequest(put -> put.item(item)).build());
            }
            unprocessed += dynamoDb
                    .batchWriteItem(request -> request.requestItems(Map.of(TABLE, requests)))
                    .unprocessedItems().values().stream().mapToInt(List::size).sum();
        }
        return unprocessed;
    }

    private List<Integer> scanPages() {
        return dynamoDb.scanPaginator(request -> request.tableName(TABLE).limit(20))
                .stream().map(ScanResponse::count).toList();
    }

    private Map<String, Object> runWorkflow(String name) throws InterruptedException {
        String id = glue.startWorkflowRun(request -> request.name(name)).runId();
        while (true) {
            WorkflowRun run = glue.getWorkflowRun(request -> request.name(name).runId(id)).run();
            if (run.status() != WorkflowRunStatus.RUNNING) {
                return Map.of(
                        "status", run.statusAsString(),
                        "succeeded", run.statistics().succeededActions(),
                        "failed", run.statistics().failedActions());
            }
            Thread.sleep(POLL.toMillis());
        }
    }

    private List<List<String>> tablePages(String database) {
        return glue.getTablesPaginator(request -> request.databaseName(database).maxResults(1))
                .stream()
                .map(page -> page.tableList().stream().map(Table::name).toList())
                .toList();
    }

    private Map<String, Object> catalogTable(String database, String name) {
        Table table = glue.getTable(request -> request.databaseName(database).name(name)).table();
        return Map.of(
                "columns", columns(table.storageDescriptor().columns()),
                "partitionKeys", columns(table.partitionKeys()));
    }

    private static List<List<String>> columns(List<Column> columns) {
        return columns.stream().map(column -> List.of(column.name(), column.type())).toList();
    }

    private List<Integer> partitionPages(String database, String table) {
        return glue.getPartitionsPaginator(
                        request -> request.databaseName(database).tableName(table).maxResults(1))
                .stream().map(page -> page.partitions().size()).toList();
    }

    private Map<String, Object> query(String sql, String database, String workGroup)
            throws InterruptedException {
        String id = athena.startQueryExecution(request -> request
                .queryString(sql)
                .queryExecutionContext(context -> context.database(database))
                .workGroup(workGroup)).queryExecutionId();
        Map<String, Object> result = new LinkedHashMap<>();
        QueryExecutionStatus status = queryEnd(id);
        result.put("status", status.stateAsString());
        result.put("reason", status.stateChangeReason());
        if (status.state() != QueryExecutionState.SUCCEEDED) {
            return result;
        }
        List<ResultSet> pages = athena.getQueryResultsPaginator(
                        request -> request.queryExecutionId(id).maxResults(10))
                .stream().map(page -> page.resultSet()).toList();
        List<ColumnInfo> columns = pages.get(0).resultSetMetadata().columnInfo();
        result.put("columns", columns.stream()
                .map(column -> List.of(column.name(), column.type())).toList());
        result.put("rows", pages.stream()
                .flatMap(page -> page.rows().stream())
                .map(row -> row.data().stream().map(Datum::varCharValue).toList())
                .toList());
        result.put("pages", pages.stream().map(page -> page.rows().size()).toList());
        return result;
    }

    private QueryExecutionStatus queryEnd(String id) throws InterruptedException {
        while (true) {
            QueryExecutionStatus status = athena
                    .getQueryExecution(request -> request.queryExecutionId(id))
                    .queryExecution().status();
            if (status.state() != QueryExecutionState.QUEUED
                    && status.state() != QueryExecutionState.RUNNING) {
                return status;
            }
            Thread.sleep(POLL.toMillis());
        }
    }

    private Map<String, Double> metrics() {
        cloudWatch.putMetricData(request -> request.namespace("Shop").metricData(
                MetricDatum.builder()
                        .metricName("Orders").value((double) ORDERS).timestamp(Instant.now())
                        .build()));
        return Map.of(
                "Orders", metricSum("Shop", "Orders", List.of()),
                "Snapshots", metricSum("dynoexport/Orders", "Snapshots", List.of(
                        Dimension.builder().name("Table").value(TABLE).build(),
                        Dimension.builder().name("Format").value("parquet").build())));
    }

    private double metricSum(String namespace, String name, List<Dimension> dimensions) {
        Instant now = Instant.now();
        return cloudWatch.getMetricStatistics(request -> request
                        .namespace(namespace)
                        .metricName(name)
                        .dimensions(dimensions)
                        .startTime(now.minus(Duration.ofHours(1)))
                        .endTime(now.plus(Duration.ofMinutes(1)))
                        .period(60)
                        .statistics(Statistic.SUM))
                .datapoints().stream().mapToDouble(Datapoint::sum).sum();
    }

    private List<String> metricNames() {
        return cloudWatch.listMetricsPaginator(request -> request.namespace("dynoexport/Orders"))
                .metrics().stream().map(Metric::metricName).toList();
    }

    private Map<String, String> errorNames(String bucket, String database) {
        String missing = "Missing";
        return Map.of(
                "athena", errorName(() -> athena.getQueryExecution(
                        request -> request.queryExecutionId(missing))),
                "cloudformation", errorName(() -> describeStack(missing)),
                "cloudwatch", errorName(() -> cloudWatch.getMetricStatistics(request -> request
                        .namespace("dynoexport/Orders")
                        .metricName(missing)
                        .startTime(Instant.ofEpochSecond(1000))
                        .endTime(Instant.EPOCH)
                        .period(60)
                        .statistics(Statistic.SUM))),
                "dynamodb", errorName(() -> dynamoDb.scan(request -> request.tableName(missing))),
                "glue", errorName(() -> glue.getTable(
                        request -> request.databaseName(database).name(missing))),
                "s3", errorName(() -> s3.getObject(
                        request -> request.bucket(bucket).key(missing)).abort()));
    }

    private static String errorName(Runnable call) {
        try {
            call.run();
            return null;
        } catch (AwsServiceException error) {
            return error.awsErrorDetails().errorCode();
        }
    }

    private String deleteStack(String name) {
        cloudFormation.deleteStack(request -> request.stackName(name));
        try (var waiter = cloudFormation.waiter()) {
            waiter.waitUntilStackDeleteComplete(request -> request.stackName(name));
        }
        return errorName(() -> describeStack(name));
    }

    /** JSON of maps, lists, texts and numbers; the JDK has no writer of it. */
    private static String json(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(entry -> json(entry.getKey()) + ":" + json(entry.getValue()))
                    .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof List<?> list) {
            return list.stream().map(Export::json).collect(Collectors.joining(",", "[", "]"));
        }
        if (value instanceof String text) {
            return text.chars().mapToObj(Export::jsonCharacter)
                    .collect(Collectors.joining("", "\"", "\""));
        }
        return String.valueOf(value);
    }

    /** Escaped unless it is plain ASCII, whatever the encoding of the standard output. */
    private static String jsonCharacter(int character) {
        boolean plain = character >= ' ' && character <= '~'
                && character != '"' && character != '\\';
        return plain ? Character.toString(character) : "\\u%04x".formatted(character);
    }
}
