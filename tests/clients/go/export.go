// Export exports a DynamoDB table as a user of the AWS SDK for Go v2 does, and prints what it saw.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	athenatypes "github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	gluetypes "github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

const (
	tableName   = "Orders"
	commonStack = "dynoexport-common"
	tableStack  = "dynoexport-Orders-parquet"
	orders      = 30
	// BatchWriteItem takes 25 items.
	batch = 25
	poll  = 200 * time.Millisecond
	wait  = time.Minute
)

type stack struct {
	Status  string            `json:"status"`
	Outputs map[string]string `json:"outputs"`
}

type run struct {
	Status    string `json:"status"`
	Succeeded int32  `json:"succeeded"`
	Failed    int32  `json:"failed"`
}

type catalogTable struct {
	Columns       [][]string `json:"columns"`
	PartitionKeys [][]string `json:"partitionKeys"`
}

type queryResult struct {
	Status  string      `json:"status"`
	Reason  *string     `json:"reason"`
	Columns [][]string  `json:"columns"`
	Rows    [][]*string `json:"rows"`
	Pages   []int       `json:"pages"`
}

type seen struct {
	Stacks      map[string]stack   `json:"stacks"`
	Resources   []string           `json:"resources"`
	Scripts     [][]string         `json:"scripts"`
	Upload      int64              `json:"upload"`
	Unprocessed int                `json:"unprocessed"`
	Scan        []int32            `json:"scan"`
	Run         run                `json:"run"`
	Tables      [][]string         `json:"tables"`
	Table       catalogTable       `json:"table"`
	Partitions  []int              `json:"partitions"`
	Query       queryResult        `json:"query"`
	Metrics     map[string]float64 `json:"metrics"`
	MetricNames []string           `json:"metricNames"`
	Errors      map[string]string  `json:"errors"`
	Deleted     string             `json:"deleted"`
}

type clients struct {
	athena         *athena.Client
	cloudformation *cloudformation.Client
	cloudwatch     *cloudwatch.Client
	dynamodb       *dynamodb.Client
	glue           *glue.Client
	s3             *s3.Client
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	settings := must(config.LoadDefaultConfig(ctx))
	c := clients{
		athena.NewFromConfig(settings),
		cloudformation.NewFromConfig(settings),
		cloudwatch.NewFromConfig(settings),
		dynamodb.NewFromConfig(settings),
		glue.NewFromConfig(settings),
		s3.NewFromConfig(settings),
	}
	if err := json.NewEncoder(os.Stdout).Encode(c.export(ctx)); err != nil {
		log.Fatal(err)
	}
}

func (c clients) export(ctx context.Context) seen {
	common := c.createStack(ctx, commonStack, "common.yaml", nil)
	bucket, database := common.Outputs["BucketName"], common.Outputs["DatabaseName"]
	c.publishScripts(ctx, bucket)
	table := c.createStack(ctx, tableStack, "table.yaml", map[string]string{
		"TableName":       tableName,
		"ReadMode":        "native",
		"NumberOfWorkers": "2",
	})
	c.createTable(ctx)
	found := seen{
		Stacks:      map[string]stack{commonStack: common, tableStack: table},
		Resources:   c.resources(ctx),
		Scripts:     c.keyPages(ctx, bucket, "scripts/"),
		Upload:      c.upload(ctx, bucket),
		Unprocessed: c.putOrders(ctx),
		Scan:        c.scanPages(ctx),
	}
	found.Run = c.runWorkflow(ctx, table.Outputs["WorkflowName"])
	found.Tables = c.tablePages(ctx, database)
	found.Table = c.catalogTable(ctx, database, "snapshots_orders")
	found.Partitions = c.partitionPages(ctx, database, "snapshots_orders")
	columns := "orderid, number, price, paid, tags, lines, customer, photo, note"
	sql := fmt.Sprintf("SELECT %s FROM orders ORDER BY orderid", columns)
	found.Query = c.query(ctx, sql, database, common.Outputs["WorkGroup"])
	found.Metrics = c.metrics(ctx)
	found.MetricNames = c.metricNames(ctx)
	found.Errors = c.errorNames(ctx, bucket, database)
	found.Deleted = c.deleteStack(ctx, tableStack)
	return found
}

// createStack goes by a change set, as the AWS CLI's deploy does.
func (c clients) createStack(ctx context.Context, name, template string, parameters map[string]string) stack {
	var given []cloudformationtypes.Parameter
	for key, value := range parameters {
		given = append(given, cloudformationtypes.Parameter{
			ParameterKey:   aws.String(key),
			ParameterValue: aws.String(value),
		})
	}
	body := must(os.ReadFile("templates/" + template))
	changes := must(c.cloudformation.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName:     aws.String(name),
		ChangeSetName: aws.String("create"),
		ChangeSetType: cloudformationtypes.ChangeSetTypeCreate,
		TemplateBody:  aws.String(string(body)),
		Parameters:    given,
		Capabilities:  []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityIam},
	}))
	made := cloudformation.NewChangeSetCreateCompleteWaiter(c.cloudformation)
	err := made.Wait(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: changes.Id}, wait)
	if err != nil {
		log.Fatal(err)
	}
	must(c.cloudformation.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{
		ChangeSetName: changes.Id,
	}))
	complete := cloudformation.NewStackCreateCompleteWaiter(c.cloudformation)
	err = complete.Wait(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)}, wait)
	if err != nil {
		log.Fatal(err)
	}
	return must(c.describeStack(ctx, name))
}

func (c clients) describeStack(ctx context.Context, name string) (stack, error) {
	answer, err := c.cloudformation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{
		StackName: aws.String(name),
	})
	if err != nil {
		return stack{}, err
	}
	outputs := map[string]string{}
	for _, output := range answer.Stacks[0].Outputs {
		outputs[*output.OutputKey] = *output.OutputValue
	}
	return stack{string(answer.Stacks[0].StackStatus), outputs}, nil
}

func (c clients) resources(ctx context.Context) []string {
	answer := must(c.cloudformation.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{
		StackName: aws.String(tableStack),
	}))
	names := []string{}
	for _, resource := range answer.StackResources {
		names = append(names, aws.ToString(resource.LogicalResourceId))
	}
	sort.Strings(names)
	return names
}

func (c clients) publishScripts(ctx context.Context, bucket string) {
	for _, script := range []string{"export_table.py", "create_current_view.py"} {
		file := must(os.Open("scripts/" + script))
		must(c.s3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("scripts/current/" + script),
			Body:   file,
		}))
		file.Close()
	}
}

func (c clients) upload(ctx context.Context, bucket string) int64 {
	key := aws.String("uploads/2 MiB")
	must(c.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket),
		Key:    key,
		Body:   bytes.NewReader(bytes.Repeat([]byte("x"), 2*1024*1024)),
	}))
	head := must(c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: key}))
	return *head.ContentLength
}

func (c clients) keyPages(ctx context.Context, bucket, prefix string) [][]string {
	found := [][]string{}
	pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{
		Bucket:  aws.String(bucket),
		Prefix:  aws.String(prefix),
		MaxKeys: aws.Int32(1),
	})
	for pages.HasMorePages() {
		keys := []string{}
		for _, object := range must(pages.NextPage(ctx)).Contents {
			keys = append(keys, *object.Key)
		}
		found = append(found, keys)
	}
	return found
}

func order(number int) map[string]dynamodbtypes.AttributeValue {
	digits := strconv.Itoa(number)
	var note dynamodbtypes.AttributeValue = &dynamodbtypes.AttributeValueMemberS{Value: "paid"}
	if number%2 == 1 {
		note = &dynamodbtypes.AttributeValueMemberNULL{Value: true}
	}
	return map[string]dynamodbtypes.AttributeValue{
		"OrderId": &dynamodbtypes.AttributeValueMemberS{Value: fmt.Sprintf("order-%02d", number)},
		"Number":  &dynamodbtypes.AttributeValueMemberN{Value: digits},
		"Price":   &dynamodbtypes.AttributeValueMemberN{Value: digits + ".25"},
		"Paid":    &dynamodbtypes.AttributeValueMemberBOOL{Value: number%2 == 0},
		"Tags":    &dynamodbtypes.AttributeValueMemberSS{Value: []string{"gift", "new"}},
		"Lines": &dynamodbtypes.AttributeValueMemberL{Value: []dynamodbtypes.AttributeValue{
			&dynamodbtypes.AttributeValueMemberN{Value: digits},
			&dynamodbtypes.AttributeValueMemberN{Value: strconv.Itoa(number + 1)},
		}},
		"Customer": &dynamodbtypes.AttributeValueMemberM{Value: map[string]dynamodbtypes.AttributeValue{
			"Name": &dynamodbtypes.AttributeValueMemberS{Value: "Zoë"},
			"Age":  &dynamodbtypes.AttributeValueMemberN{Value: "36"},
		}},
		"Photo": &dynamodbtypes.AttributeValueMemberB{Value: []byte{byte(number), 255}},
		"Note":  note,
	}
}

func (c clients) createTable(ctx context.Context) {
	must(c.dynamodb.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(tableName),
		KeySchema: []dynamodbtypes.KeySchemaElement{
			{AttributeName: aws.String("OrderId"), KeyType: dynamodbtypes.KeyTypeHash},
		},
		AttributeDefinitions: []dynamodbtypes.AttributeDefinition{
			{AttributeName: aws.String("OrderId"), AttributeType: dynamodbtypes.ScalarAttributeTypeS},
		},
		BillingMode: dynamodbtypes.BillingModePayPerRequest,
	}))
	exists := dynamodb.NewTableExistsWaiter(c.dynamodb)
	err := exists.Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(tableName)}, wait)
	if err != nil {
		log.Fatal(err)
	}
}

func (c clients) putOrders(ctx context.Context) int {
	unprocessed := 0
	for start := 1; start <= orders; start += batch {
		var requests []dynamodbtypes.WriteRequest
		for number := start; number < start+batch && number <= orders; number++ {
			requests = append(requests, dynamodbtypes.WriteRequest{
				PutRequest: &dynamodbtypes.PutRequest{Item: order(number)},
			})
		}
		answer := must(c.dynamodb.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]dynamodbtypes.WriteRequest{tableName: requests},
		}))
		unprocessed += len(answer.UnprocessedItems[tableName])
	}
	return unprocessed
}

func (c clients) scanPages(ctx context.Context) []int32 {
	counts := []int32{}
	pages := dynamodb.NewScanPaginator(c.dynamodb, &dynamodb.ScanInput{
		TableName: aws.String(tableName),
		Limit:     aws.Int32(20),
	})
	for pages.HasMorePages() {
		counts = append(counts, must(pages.NextPage(ctx)).Count)
	}
	return counts
}

func (c clients) runWorkflow(ctx context.Context, name string) run {
	started := must(c.glue.StartWorkflowRun(ctx, &glue.StartWorkflowRunInput{Name: aws.String(name)}))
	for {
		found := must(c.glue.GetWorkflowRun(ctx, &glue.GetWorkflowRunInput{
			Name:  aws.String(name),
			RunId: started.RunId,
		})).Run
		if found.Status != gluetypes.WorkflowRunStatusRunning {
			statistics := found.Statistics
			return run{string(found.Status), statistics.SucceededActions, statistics.FailedActions}
		}
		time.Sleep(poll)
	}
}

func (c clients) tablePages(ctx context.Context, database string) [][]string {
	found := [][]string{}
	pages := glue.NewGetTablesPaginator(c.glue, &glue.GetTablesInput{
		DatabaseName: aws.String(database),
		MaxResults:   aws.Int32(1),
	})
	for pages.HasMorePages() {
		names := []string{}
		for _, table := range must(pages.NextPage(ctx)).TableList {
			names = append(names, *table.Name)
		}
		found = append(found, names)
	}
	return found
}

func (c clients) catalogTable(ctx context.Context, database, name string) catalogTable {
	table := must(c.glue.GetTable(ctx, &glue.GetTableInput{
		DatabaseName: aws.String(database),
		Name:         aws.String(name),
	})).Table
	return catalogTable{columns(table.StorageDescriptor.Columns), columns(table.PartitionKeys)}
}

func columns(list []gluetypes.Column) [][]string {
	found := [][]string{}
	for _, column := range list {
		found = append(found, []string{*column.Name, *column.Type})
	}
	return found
}

func (c clients) partitionPages(ctx context.Context, database, table string) []int {
	counts := []int{}
	pages := glue.NewGetPartitionsPaginator(c.glue, &glue.GetPartitionsInput{
		DatabaseName: aws.String(database),
		TableName:    aws.String(table),
		MaxResults:   aws.Int32(1),
	})
	for pages.HasMorePages() {
		counts = append(counts, len(must(pages.NextPage(ctx)).Partitions))
	}
	return counts
}

func (c clients) query(ctx context.Context, sql, database, workGroup string) queryResult {
	started := must(c.athena.StartQueryExecution(ctx, &athena.StartQueryExecutionInput{
		QueryString:           aws.String(sql),
		QueryExecutionContext: &athenatypes.QueryExecutionContext{Database: aws.String(database)},
		WorkGroup:             aws.String(workGroup),
	}))
	status := c.queryEnd(ctx, started.QueryExecutionId)
	result := queryResult{Status: string(status.State), Reason: status.StateChangeReason}
	if status.State != athenatypes.QueryExecutionStateSucceeded {
		return result
	}
	pages := athena.NewGetQueryResultsPaginator(c.athena, &athena.GetQueryResultsInput{
		QueryExecutionId: started.QueryExecutionId,
		MaxResults:       aws.Int32(10),
	})
	for pages.HasMorePages() {
		set := must(pages.NextPage(ctx)).ResultSet
		result.Columns = nil
		for _, column := range set.ResultSetMetadata.ColumnInfo {
			result.Columns = append(result.Columns, []string{*column.Name, *column.Type})
		}
		for _, row := range set.Rows {
			var cells []*string
			for _, cell := range row.Data {
				cells = append(cells, cell.VarCharValue)
			}
			result.Rows = append(result.Rows, cells)
		}
		result.Pages = append(result.Pages, len(set.Rows))
	}
	return result
}

func (c clients) queryEnd(ctx context.Context, id *string) *athenatypes.QueryExecutionStatus {
	for {
		status := must(c.athena.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{
			QueryExecutionId: id,
		})).QueryExecution.Status
		switch status.State {
		case athenatypes.QueryExecutionStateQueued, athenatypes.QueryExecutionStateRunning:
			time.Sleep(poll)
		default:
			return status
		}
	}
}

func (c clients) metrics(ctx context.Context) map[string]float64 {
	must(c.cloudwatch.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: aws.String("Shop"),
		MetricData: []cloudwatchtypes.MetricDatum{{
			MetricName: aws.String("Orders"),
			Value:      aws.Float64(orders),
			Timestamp:  aws.Time(time.Now()),
		}},
	}))
	return map[string]float64{
		"Orders": c.metricSum(ctx, "Shop", "Orders", nil),
		"Snapshots": c.metricSum(ctx, "dynoexport/Orders", "Snapshots", []cloudwatchtypes.Dimension{
			{Name: aws.String("Table"), Value: aws.String(tableName)},
			{Name: aws.String("Format"), Value: aws.String("parquet")},
		}),
	}
}

func (c clients) metricSum(
	ctx context.Context, namespace, name string, dimensions []cloudwatchtypes.Dimension,
) float64 {
	now := time.Now()
	answer := must(c.cloudwatch.GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace:  aws.String(namespace),
		MetricName: aws.String(name),
		Dimensions: dimensions,
		StartTime:  aws.Time(now.Add(-time.Hour)),
		EndTime:    aws.Time(now.Add(time.Minute)),
		Period:     aws.Int32(60),
		Statistics: []cloudwatchtypes.Statistic{cloudwatchtypes.StatisticSum},
	}))
	sum := 0.0
	for _, point := range answer.Datapoints {
		sum += *point.Sum
	}
	return sum
}

func (c clients) metricNames(ctx context.Context) []string {
	names := []string{}
	pages := cloudwatch.NewListMetricsPaginator(c.cloudwatch, &cloudwatch.ListMetricsInput{
		Namespace: aws.String("dynoexport/Orders"),
	})
	for pages.HasMorePages() {
		for _, metric := range must(pages.NextPage(ctx)).Metrics {
			names = append(names, *metric.MetricName)
		}
	}
	return names
}

func errorName(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	return fmt.Sprint(err)
}

func (c clients) errorNames(ctx context.Context, bucket, database string) map[string]string {
	missing := aws.String("Missing")
	names := map[string]string{}
	_, err := c.athena.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: missing})
	names["athena"] = errorName(err)
	_, err = c.describeStack(ctx, *missing)
	names["cloudformation"] = errorName(err)
	_, err = c.cloudwatch.GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace:  aws.String("dynoexport/Orders"),
		MetricName: missing,
		StartTime:  aws.Time(time.Unix(1000, 0)),
		EndTime:    aws.Time(time.Unix(0, 0)),
		Period:     aws.Int32(60),
		Statistics: []cloudwatchtypes.Statistic{cloudwatchtypes.StatisticSum},
	})
	names["cloudwatch"] = errorName(err)
	_, err = c.dynamodb.Scan(ctx, &dynamodb.ScanInput{TableName: missing})
	names["dynamodb"] = errorName(err)
	_, err = c.glue.GetTable(ctx, &glue.GetTableInput{DatabaseName: aws.String(database), Name: missing})
	names["glue"] = errorName(err)
	_, err = c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: missing})
	names["s3"] = errorName(err)
	return names
}

func (c clients) deleteStack(ctx context.Context, name string) string {
	must(c.cloudformation.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String(name)}))
	deleted := cloudformation.NewStackDeleteCompleteWaiter(c.cloudformation)
	err := deleted.Wait(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)}, wait)
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.describeStack(ctx, name)
	return errorName(err)
}
