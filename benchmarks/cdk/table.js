// templates/table.yaml as a CDK stack.
'use strict';

const { CfnCondition, CfnOutput, CfnRule, Fn, Stack } = require('aws-cdk-lib');
const glue = require('aws-cdk-lib/aws-glue');
const { CfnAlarm } = require('aws-cdk-lib/aws-cloudwatch');
const { CfnRule: EventRule } = require('aws-cdk-lib/aws-events');
const { CfnPolicy, CfnRole } = require('aws-cdk-lib/aws-iam');
const { FORM } = require('./form');
const { NO_VALUE, addForm, allow, document, shared } = require('./parts');

const NAMES = {
  Bucket: 'dynamodb-exports-${AWS::AccountId}-${AWS::Region}',
  Database: 'dynamodb_exports',
  WorkGroup: 'dynamodb-exports',
};
const EXPORT = '${OutputFormat}/${TableName}';
const OBJECTS = ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'];

/** Fn::Sub, with the names of what the common stack has. */
function text(value) {
  return Fn.sub(value.replace(/\$\{(Bucket|Database|WorkGroup)\}/g, (_, name) => NAMES[name]));
}

const arn = (service, rest) => (
  text(`arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${rest}`)
);
const inBucket = (...keys) => keys.map((key) => text(`arn:\${AWS::Partition}:s3:::\${Bucket}${key}`));

class TableStack extends Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const form = addForm(this, FORM);
    this.value = (name) => Fn.ref(form[name].logicalId);
    this.values = (...names) => Object.fromEntries(names.map((name) => [name, this.value(name)]));
    this.addRules();
    this.addConditions();
    this.glueTags = {
      'dynoexport:format': this.value('OutputFormat'),
      'dynoexport:table': this.value('TableName'),
    };
    this.addWorkflow();
    this.addRoles();
    this.addExportJob();
    this.addCrawler();
    this.addViewJob();
    this.addTriggers();
    this.addPolicies();
    this.addAlerts();
    this.addOutputs();
  }

  equals(name, value) {
    return Fn.conditionEquals(this.value(name), value);
  }

  given(name) {
    return Fn.conditionNot(this.equals(name, ''));
  }

  addRules() {
    const rule = (name, when, must, reason) => new CfnRule(this, name, {
      ruleCondition: when,
      assertions: [{ assert: must, assertDescription: reason }],
    });
    const { conditionNot: not, conditionOr: or } = Fn;
    rule(
      'WorkersOfGlue20', this.equals('GlueVersion', '2.0'),
      or(this.equals('WorkerType', 'G.1X'), this.equals('WorkerType', 'G.2X')),
      'Glue 2.0 has no workers but G.1X and G.2X',
    );
    rule(
      'OneSelection', not(this.equals('Columns', '')), this.equals('Exclude', ''),
      'Columns and Exclude exclude each other: leave one of them empty',
    );
    rule(
      'ZstdWhereGlueHasIt', this.equals('Compression', 'zstd'),
      not(or(
        this.equals('GlueVersion', '2.0'),
        this.equals('GlueVersion', '3.0'),
        this.equals('OutputFormat', 'avro'),
      )),
      'zstd needs Glue 4.0 or later and is not for avro: choose snappy or gzip',
    );
    rule(
      'SnapshotsExpireByTheViewJob', this.equals('OutputFormat', 'xml'),
      this.equals('SnapshotRetentionDays', 0),
      'xml has no view job, by which snapshots expire: leave SnapshotRetentionDays at 0',
    );
    rule(
      'ForeignTableIsScanned', this.given('SourceRoleArn'), not(this.equals('ReadMode', 'export')),
      'ReadMode export takes no SourceRoleArn: choose native',
    );
  }

  addConditions() {
    this.when = {};
    const condition = (name, expression) => {
      this.when[name] = new CfnCondition(this, name, { expression });
    };
    const { conditionNot: not, conditionOr: or } = Fn;
    condition('IsScheduled', this.equals('ScheduleState', 'ENABLED'));
    condition('IsQueryable', not(this.equals('OutputFormat', 'xml')));
    condition('IsNotQueryable', this.equals('OutputFormat', 'xml'));
    condition('IsCsv', this.equals('OutputFormat', 'csv'));
    condition('IsExportedByDynamoDB', this.equals('ReadMode', 'export'));
    condition('HasSourceRole', this.given('SourceRoleArn'));
    condition('IsScanned', not(or(this.equals('ReadMode', 'export'), this.given('SourceRoleArn'))));
    condition('HasConnection', this.given('ConnectionName'));
    condition('HasNotification', this.equals('NotifyOnFailure', 'true'));
    condition('HasTableKey', this.given('TableKeyArn'));
    condition('HasCatalogKeyArn', this.given('CatalogKeyArn'));
    condition('HasKmsKey', this.equals('UseKmsKey', 'true'));
    condition('HasRunLimit', not(this.equals('MaxRunMinutes', '0')));
    condition('HasAgeLimit', not(this.equals('MaxSnapshotAgeHours', '0')));
    condition('HasPermissionsBoundary', this.given('PermissionsBoundaryArn'));
  }

  addWorkflow() {
    this.workflow = new glue.CfnWorkflow(this, 'Workflow', {
      name: Fn.conditionIf(
        'IsScheduled',
        Fn.sub('dynoexport-${TableName}-${OutputFormat}-scheduled'),
        Fn.sub('dynoexport-${TableName}-${OutputFormat}'),
      ).toString(),
      description: Fn.sub('Exports the DynamoDB table ${TableName} to S3 and Athena as ${OutputFormat}'),
      defaultRunProperties: this.values(
        'MaxConsumedReadThroughput', 'OutputFormat', 'SnapshotRetentionDays', 'Splits', 'TableName',
      ),
      maxConcurrentRuns: 1,
      tags: this.glueTags,
    });
  }

  addTriggers() {
    const trigger = (id, suffix, properties) => new glue.CfnTrigger(this, id, {
      name: Fn.sub(`\${Workflow}-${suffix}`),
      tags: this.glueTags,
      workflowName: this.workflow.ref,
      ...properties,
    });
    const after = (condition) => ({
      type: 'CONDITIONAL',
      predicate: { conditions: [{ ...condition, logicalOperator: 'EQUALS' }], logical: 'AND' },
      startOnCreation: true,
    });
    const start = trigger('StartTrigger', 'start', {
      type: 'SCHEDULED',
      description: 'Starts the export on schedule',
      actions: [{ jobName: this.exportJob.ref }],
      schedule: this.value('Schedule').toString(),
      startOnCreation: Fn.conditionIf('IsScheduled', true, false),
    });
    const crawl = trigger('CrawlTrigger', 'crawl', {
      ...after({ jobName: this.exportJob.ref, state: 'SUCCEEDED' }),
      description: 'Crawls the snapshot when its export has succeeded',
      actions: [{ crawlerName: this.crawler.ref }],
    });
    const publish = trigger('PublishTrigger', 'publish', {
      ...after({ crawlerName: this.crawler.ref, crawlState: 'SUCCEEDED' }),
      description: 'Publishes the view when the crawl has succeeded',
      actions: [{ jobName: this.viewJob.ref }],
    });
    crawl.addResourceDependency(start);
    publish.addResourceDependency(crawl);
    publish.cfnOptions.condition = this.when.IsQueryable;
  }

  security() {
    return Fn.conditionIf('HasKmsKey', shared('SecurityConfiguration'), NO_VALUE).toString();
  }

  /** The value where the condition holds. */
  where(condition, value) {
    return Fn.conditionIf(condition, value, NO_VALUE);
  }

  addJob(id, { name, description, script, command, role, properties }) {
    return new glue.CfnJob(this, id, {
      name: Fn.sub(name),
      description: Fn.sub(description),
      command: {
        ...command,
        scriptLocation: text(`s3://\${Bucket}/scripts/\${ScriptsVersion}/${script}`),
      },
      connections: this.where('HasConnection', { Connections: [this.value('ConnectionName')] }),
      executionProperty: { maxConcurrentRuns: 1 },
      maxRetries: this.value('MaxRetries'),
      notificationProperty: this.where(
        'HasRunLimit', { NotifyDelayAfter: this.value('MaxRunMinutes') },
      ),
      role: role.attrArn,
      securityConfiguration: this.security(),
      timeout: this.value('TimeoutMinutes'),
      ...properties,
    });
  }

  addExportJob() {
    const passed = Object.entries(this.values(
      'CatalogPrefix', 'Columns', 'Compression', 'Exclude', 'GlueVersion', 'MapsAs',
      'MaxConsumedReadThroughput', 'MaxStructFields', 'NumberOfWorkers', 'OutputFormat', 'ReadMode',
      'ScriptsVersion', 'SourceRoleArn', 'Splits', 'TableName', 'TypeConflicts', 'Where', 'WorkerType',
    )).map(([name, value]) => [`--${name}`, value]);
    this.exportJob = this.addJob('ExportJob', {
      name: '${TableName}ExportTo${OutputFormat}',
      description: 'Exports the DynamoDB table ${TableName} as ${OutputFormat}',
      script: 'export_table.py',
      command: { name: 'glueetl', pythonVersion: '3' },
      role: this.exportRole,
      properties: {
        defaultArguments: {
          ...Object.fromEntries(passed),
          '--BucketName': shared('BucketName'),
          '--DatabaseName': shared('DatabaseName'),
          '--KmsKeyArn': Fn.conditionIf('HasKmsKey', shared('KmsKeyArn'), ''),
          '--TempDir': text('s3://${Bucket}/glue-temp-dir/'),
          '--conf': text('spark.hadoop.fs.s3a.endpoint.region=${AWS::Region}'),
          '--enable-continuous-cloudwatch-log': 'true',
          '--enable-continuous-log-filter': 'true',
          '--enable-metrics': 'true',
          '--job-bookmark-option': 'job-bookmark-disable',
          '--job-language': 'python',
        },
        glueVersion: this.value('GlueVersion').toString(),
        numberOfWorkers: this.value('NumberOfWorkers'),
        tags: {
          ...this.glueTags,
          'dynoexport:catalog-prefix': this.value('CatalogPrefix'),
          'dynoexport:stack': Fn.ref('AWS::StackName'),
          'dynoexport:workflow': this.workflow.ref,
        },
        workerType: this.value('WorkerType').toString(),
      },
    });
  }

  addViewJob() {
    this.viewJob = this.addJob('ViewJob', {
      name: '${TableName}${OutputFormat}CurrentView',
      description: 'Shows the newest snapshot of ${TableName} in Athena',
      script: 'create_current_view.py',
      command: { name: 'pythonshell', pythonVersion: '3.9' },
      role: this.viewRole,
      properties: {
        defaultArguments: {
          '--BucketName': shared('BucketName'),
          '--CatalogPrefix': this.value('CatalogPrefix'),
          '--DatabaseName': shared('DatabaseName'),
          '--OutputFormat': this.value('OutputFormat'),
          '--SnapshotRetentionDays': this.value('SnapshotRetentionDays'),
          '--TableName': this.value('TableName'),
          '--WorkGroup': shared('WorkGroup'),
          '--job-language': 'python',
          'library-set': 'analytics',
        },
        maxCapacity: 0.0625,
        tags: this.glueTags,
      },
    });
    this.viewJob.cfnOptions.condition = this.when.IsQueryable;
  }

  addCrawler() {
    const classifier = new glue.CfnClassifier(this, 'CsvClassifier', {
      csvClassifier: {
        name: Fn.sub('${TableName}${OutputFormat}Classifier'),
        allowSingleColumn: true,
        containsHeader: 'PRESENT',
        delimiter: ',',
        disableValueTrimming: true,
        quoteSymbol: '"',
      },
    });
    classifier.cfnOptions.condition = this.when.IsCsv;
    this.crawler = new glue.CfnCrawler(this, 'Crawler', {
      name: Fn.sub('${TableName}${OutputFormat}Crawler'),
      description: Fn.sub('Adds snapshots of ${TableName} to the Glue Data Catalog'),
      configuration: JSON.stringify({
        Version: 1.0,
        CrawlerOutput: {
          Partitions: { AddOrUpdateBehavior: 'InheritFromTable' },
          Tables: { AddOrUpdateBehavior: 'MergeNewColumns' },
        },
        Grouping: {
          TableGroupingPolicy: 'CombineCompatibleSchemas',
          TableLevelConfiguration: 3,
        },
      }),
      crawlerSecurityConfiguration: this.security(),
      databaseName: shared('DatabaseName'),
      role: this.crawlerRole.attrArn,
      schemaChangePolicy: {
        deleteBehavior: 'DELETE_FROM_DATABASE',
        updateBehavior: 'UPDATE_IN_DATABASE',
      },
      tablePrefix: Fn.sub('${CatalogPrefix}snapshots_'),
      tags: this.glueTags,
      targets: {
        s3Targets: [{
          connectionName: this.where('HasConnection', this.value('ConnectionName')).toString(),
          path: text(`s3://\${Bucket}/${EXPORT}/`),
        }],
      },
    });
    this.crawler.addPropertyOverride(
      'Classifiers', { 'Fn::If': ['IsCsv', [{ Ref: 'CsvClassifier' }], { Ref: 'AWS::NoValue' }] },
    );
  }

  addRole(id, statements) {
    const trust = {
      Effect: 'Allow',
      Principal: { Service: 'glue.amazonaws.com' },
      Action: ['sts:AssumeRole'],
      Condition: { StringEquals: { 'aws:SourceAccount': Fn.ref('AWS::AccountId') } },
    };
    return new CfnRole(this, id, {
      assumeRolePolicyDocument: document(trust),
      permissionsBoundary: this.where(
        'HasPermissionsBoundary', this.value('PermissionsBoundaryArn'),
      ).toString(),
      policies: [{ policyName: id, policyDocument: document(...statements) }],
      tags: Object.entries(this.glueTags).map(([key, value]) => ({ key, value: value.toString() })),
    });
  }

  addRoles() {
    this.exportRole = this.addRole('ExportRole', this.exportStatements());
    this.crawlerRole = this.addRole('CrawlerRole', this.crawlerStatements());
    this.viewRole = this.addRole('ViewRole', this.viewStatements());
    this.viewRole.cfnOptions.condition = this.when.IsQueryable;
  }

  listing(...prefixes) {
    return [
      allow('LocateBucket', ['s3:GetBucketLocation'], inBucket('')),
      allow('ListBucket', ['s3:ListBucket'], inBucket(''), {
        StringLike: {
          's3:prefix': prefixes.map((each) => (each.includes('${') ? Fn.sub(each) : each)),
        },
      }),
    ];
  }

  logging(group) {
    const actions = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'];
    return allow('WriteLogs', actions, [arn('logs', `log-group:/aws-glue/${group}*`)]);
  }

  catalog(sid, actions, tables) {
    const database = arn('glue', 'database/${Database}');
    const table = arn('glue', `table/\${Database}/\${CatalogPrefix}${tables}`);
    return allow(sid, actions.map((each) => `glue:${each}`), [arn('glue', 'catalog'), database, table]);
  }

  exportStatements() {
    const manifests = `manifests/${EXPORT}`;
    const temporary = `glue-temp-dir/${EXPORT}`;
    return [
      allow('ReadScript', ['s3:GetObject'], inBucket('/scripts/${ScriptsVersion}/export_table.py')),
      ...this.listing(
        `${EXPORT}/*`, `${manifests}/*`, `${temporary}/*`,
        '${OutputFormat}', '${OutputFormat}/', '${OutputFormat}_$folder$',
        EXPORT, `${EXPORT}_$folder$`,
        'glue-temp-dir', 'glue-temp-dir/', 'glue-temp-dir_$folder$',
        'glue-temp-dir/${OutputFormat}', 'glue-temp-dir/${OutputFormat}/',
        'glue-temp-dir/${OutputFormat}_$folder$', temporary, `${temporary}_$folder$`,
      ),
      allow('WriteSnapshot', [...OBJECTS, 's3:DeleteObject'], inBucket(
        `/${EXPORT}/*`, `/${temporary}/*`, '/${OutputFormat}_$folder$', `/${EXPORT}_$folder$`,
        '/glue-temp-dir_$folder$', '/glue-temp-dir/${OutputFormat}_$folder$',
        `/${temporary}_$folder$`,
      )),
      allow('WriteManifest', ['s3:GetObject', 's3:PutObject'], inBucket(`/${manifests}/*`)),
      allow('ReadOwnRun', ['glue:GetJobRun'], [arn('glue', 'job/${TableName}ExportTo${OutputFormat}')]),
      allow(
        'UseRunProperties',
        ['glue:GetWorkflowRunProperties', 'glue:PutWorkflowRunProperties'],
        [arn('glue', 'workflow/${Workflow}')],
      ),
      this.catalog('ReadCatalog', ['GetTable'], 'snapshots_*'),
      this.logging('jobs/'),
      allow('WriteMetrics', ['cloudwatch:PutMetricData'], ['*'], {
        StringEquals: { 'cloudwatch:namespace': ['Glue', 'dynoexport'] },
      }),
    ];
  }

  crawlerStatements() {
    return [
      ...this.listing(`${EXPORT}/*`),
      allow('ReadSnapshots', ['s3:GetObject'], inBucket(`/${EXPORT}/*`)),
      this.catalog('WriteCatalog', [
        'GetDatabase', 'GetTable', 'GetTables', 'CreateTable', 'UpdateTable', 'DeleteTable',
        'GetPartition', 'GetPartitions', 'BatchGetPartition', 'CreatePartition',
        'BatchCreatePartition', 'UpdatePartition', 'BatchUpdatePartition', 'DeletePartition',
        'BatchDeletePartition',
      ], 'snapshots_*'),
      this.logging('crawlers'),
    ];
  }

  viewStatements() {
    const manifests = `manifests/${EXPORT}`;
    const script = '/scripts/${ScriptsVersion}/create_current_view.py';
    return [
      allow('ReadScript', ['s3:GetObject'], inBucket(script)),
      ...this.listing(`${EXPORT}/*`, `${manifests}/*`, 'athena-results/*'),
      allow('ReadManifests', ['s3:GetObject'], inBucket(`/${manifests}/*`)),
      allow('DeleteExpiredSnapshots', ['s3:DeleteObject'], inBucket(`/${EXPORT}/*`, `/${manifests}/*`)),
      allow('WriteResults', [...OBJECTS, 's3:ListMultipartUploadParts'], inBucket('/athena-results/*')),
      allow('Query', [
        'athena:StartQueryExecution', 'athena:GetQueryExecution', 'athena:StopQueryExecution',
      ], [arn('athena', 'workgroup/${WorkGroup}')]),
      allow('ReadDatabase', ['glue:GetDatabase'], [
        arn('glue', 'catalog'), arn('glue', 'database/default'), arn('glue', 'database/${Database}'),
      ]),
      this.catalog('WriteView', ['GetTable', 'CreateTable', 'UpdateTable'], '*'),
      this.catalog('KeepPartitions', [
        'GetPartition', 'GetPartitions', 'BatchUpdatePartition', 'DeletePartition',
      ], 'snapshots_*'),
      allow('UseRunProperties', ['glue:GetWorkflowRunProperties'], [arn('glue', 'workflow/${Workflow}')]),
      this.logging('python-jobs/'),
      allow('WriteMetrics', ['cloudwatch:PutMetricData'], ['*'], {
        StringEquals: { 'cloudwatch:namespace': ['dynoexport'] },
      }),
    ];
  }

  addPolicy(id, name, condition, roles, ...statements) {
    const policy = new CfnPolicy(this, id, {
      policyName: name,
      policyDocument: document(...statements),
      roles,
    });
    policy.cfnOptions.condition = this.when[condition];
  }

  addPolicies() {
    const table = arn('dynamodb', 'table/${TableName}');
    const own = (does, condition, ...statements) => (
      this.addPolicy(`ExportRole${does}`, does, condition, [this.exportRole.ref], ...statements)
    );
    own(
      'ScansTable', 'IsScanned',
      allow('ScanTable', ['dynamodb:DescribeTable', 'dynamodb:Scan'], [table]),
      allow('ReadQuota', ['dynamodb:DescribeLimits'], ['*']),
    );
    own(
      'ExportsTable', 'IsExportedByDynamoDB',
      allow('ExportTable', [
        'dynamodb:DescribeContinuousBackups', 'dynamodb:DescribeTable',
        'dynamodb:ExportTableToPointInTime',
      ], [table]),
      allow('DescribeExport', ['dynamodb:DescribeExport'], [
        arn('dynamodb', 'table/${TableName}/export/*'),
      ]),
      allow('WriteExport', ['s3:PutObjectAcl'], inBucket(`/glue-temp-dir/${EXPORT}/*`)),
    );
    own(
      'AssumesRole', 'HasSourceRole',
      allow('AssumeSourceRole', ['sts:AssumeRole'], [text('${SourceRoleArn}')]),
    );
    own(
      'DecryptsTable', 'HasTableKey',
      allow('DecryptTable', ['kms:Decrypt'], [text('${TableKeyArn}')], {
        StringEquals: { 'kms:ViaService': Fn.sub('dynamodb.${AWS::Region}.${AWS::URLSuffix}') },
      }),
    );
    const view = this.where('IsQueryable', this.viewRole.ref).toString();
    const every = [this.exportRole.ref, this.crawlerRole.ref, view];
    const all = (id, condition, ...statements) => (
      this.addPolicy(id, id, condition, every, ...statements)
    );
    all(
      'RolesUseCatalogKey', 'HasCatalogKeyArn',
      allow('UseCatalogKey', ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey'], [
        text('${CatalogKeyArn}'),
      ]),
    );
    all('RolesUseConnection', 'HasConnection', ...this.connectionStatements());
    all(
      'RolesUseKey', 'HasKmsKey',
      allow('DecryptWithKey', ['kms:Decrypt'], [shared('KmsKeyArn')]),
      allow('EncryptLogs', ['logs:AssociateKmsKey'], [arn('logs', 'log-group:/aws-glue/*')]),
      allow('ReadSecurityConfiguration', ['glue:GetSecurityConfiguration'], ['*']),
    );
    this.addPolicy(
      'RolesWriteWithKey', 'RolesWriteWithKey', 'HasKmsKey', [this.exportRole.ref, view],
      allow('EncryptWithKey', ['kms:Encrypt', 'kms:GenerateDataKey'], [shared('KmsKeyArn')]),
    );
  }

  connectionStatements() {
    const interfaces = arn('ec2', 'network-interface/*');
    const describing = [
      'NetworkInterfaces', 'RouteTables', 'SecurityGroups', 'Subnets', 'VpcEndpoints',
    ];
    return [
      allow('ReadConnection', ['glue:GetConnection'], [
        arn('glue', 'catalog'), arn('glue', 'connection/${ConnectionName}'),
      ]),
      allow('DescribeNetwork', describing.map((each) => `ec2:Describe${each}`), ['*']),
      allow('DescribeVpc', ['ec2:DescribeVpcAttribute'], [arn('ec2', 'vpc/*')]),
      allow('CreateInterfaces', ['ec2:CreateNetworkInterface'], [
        interfaces, arn('ec2', 'subnet/*'), arn('ec2', 'security-group/*'),
      ]),
      allow('DeleteInterfaces', ['ec2:DeleteNetworkInterface'], [interfaces]),
      allow('TagInterfaces', ['ec2:CreateTags', 'ec2:DeleteTags'], [interfaces], {
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['aws-glue-service-resource'] },
      }),
    ];
  }

  addAlert(id, condition, detailType, detail, paths, sent = []) {
    const members = Object.keys(paths).map((name) => `"${name}": <${name}>`);
    const message = ['"export": "${TableName} as ${OutputFormat}"', ...sent, ...members].join(', ');
    const rule = new EventRule(this, id, {
      eventPattern: { source: ['aws.glue'], 'detail-type': [detailType], detail },
      state: 'ENABLED',
      targets: [{
        id: 'Topic',
        arn: shared('TopicArn'),
        inputTransformer: { inputPathsMap: paths, inputTemplate: Fn.sub(`{${message}}`) },
      }],
    });
    rule.cfnOptions.condition = this.when[condition];
  }

  addAlerts() {
    const jobName = [
      Fn.sub('${TableName}ExportTo${OutputFormat}'),
      Fn.sub('${TableName}${OutputFormat}CurrentView'),
    ];
    this.addAlert('JobFailedRule', 'HasNotification', 'Glue Job State Change', {
      jobName,
      state: ['FAILED', 'TIMEOUT'],
    }, {
      name: '$.detail.jobName',
      state: '$.detail.state',
      message: '$.detail.message',
      run: '$.detail.jobRunId',
    });
    this.addAlert('CrawlFailedRule', 'HasNotification', 'Glue Crawler State Change', {
      crawlerName: [Fn.sub('${TableName}${OutputFormat}Crawler')],
      state: ['Failed'],
    }, {
      name: '$.detail.crawlerName',
      state: '$.detail.state',
      message: '$.detail.errorMessage',
      log: '$.detail.cloudWatchLogLink',
    });
    this.addAlert('JobLateRule', 'HasRunLimit', 'Glue Job Run Status', { jobName }, {
      name: '$.detail.jobName',
      state: '$.detail.state',
      run: '$.detail.jobRunId',
    }, ['"message": "runs for more than ${MaxRunMinutes} minutes"']);
    this.addSnapshotAlarm();
  }

  addSnapshotAlarm() {
    const alarm = new CfnAlarm(this, 'SnapshotAlarm', {
      actionsEnabled: Fn.conditionIf('IsScheduled', true, false),
      alarmActions: [shared('TopicArn')],
      alarmDescription: Fn.sub(
        'No new snapshot of ${TableName} as ${OutputFormat} for ${MaxSnapshotAgeHours} hours',
      ),
      alarmName: Fn.sub('dynoexport-${TableName}-${OutputFormat}-snapshot-age'),
      comparisonOperator: 'LessThanThreshold',
      dimensions: [
        { name: 'Table', value: Fn.sub('${TableName}') },
        { name: 'Format', value: Fn.sub('${OutputFormat}') },
      ],
      evaluationPeriods: this.value('MaxSnapshotAgeHours'),
      metricName: 'Snapshots',
      namespace: 'dynoexport',
      okActions: [shared('TopicArn')],
      period: 3600,
      statistic: 'SampleCount',
      threshold: 1,
      treatMissingData: 'breaching',
    });
    alarm.cfnOptions.condition = this.when.HasAgeLimit;
  }

  addOutputs() {
    const show = (name, description, value, condition) => (
      new CfnOutput(this, name, { description, value, condition })
    );
    const folded = '<${TableName} in lower case, with _ for every character but a-z, 0-9 and _>';
    const bucket = 's3://dynamodb-exports-${AWS::AccountId}-${AWS::Region}';
    const { IsQueryable, IsNotQueryable } = this.when;
    show('WorkflowName', 'Start it to export the table', this.workflow.ref);
    show('ExportJobName', 'Job that exports the table', this.exportJob.ref);
    show('CrawlerName', 'Crawler of the snapshots', this.crawler.ref);
    show('ViewJobName', 'Job that publishes the view', this.viewJob.ref, IsQueryable);
    show('DataLocation', 'Where the snapshots are', Fn.sub(`${bucket}/${EXPORT}/`));
    show('ManifestLocation', 'Manifests of complete snapshots', Fn.sub(`${bucket}/manifests/${EXPORT}/`));
    show(
      'View', 'Athena view of the newest complete snapshot',
      Fn.sub(`dynamodb_exports.\${CatalogPrefix}${folded}`), IsQueryable,
    );
    show(
      'QueryNote', 'Why there is no view',
      'Athena cannot read xml: a run ends after the crawl and publishes no view.', IsNotQueryable,
    );
  }
}

module.exports = { TableStack };
