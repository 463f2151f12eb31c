// templates/common.yaml as a CDK stack.
'use strict';

const { CfnCondition, CfnOutput, Fn, Stack } = require('aws-cdk-lib');
const { CfnWorkGroup } = require('aws-cdk-lib/aws-athena');
const { CfnDatabase, CfnSecurityConfiguration } = require('aws-cdk-lib/aws-glue');
const { CfnBucket, CfnBucketPolicy } = require('aws-cdk-lib/aws-s3');
const { CfnTopic, CfnTopicPolicy } = require('aws-cdk-lib/aws-sns');
const { addForm, allow, document, NO_VALUE, retain, unchecked } = require('./parts');

const FORM = {
  Notifications: {
    NotificationEmail: ['E-mail for failures', {
      description: 'Email address for failure notifications. AWS first sends a confirmation email.',
      allowedPattern: '^([^\\s@]+@[^\\s@]+\\.[^\\s@]+)?$',
      constraintDescription: 'must be empty or an e-mail address',
      default: '',
      maxLength: 254,
    }],
  },
  Encryption: {
    KmsKeyArn: ['KMS key', {
      description: "ARN of a KMS key of this region that encrypts bucket, logs, query results and topic. Its policy must let CloudWatch Logs (logs.<region>.amazonaws.com) and, for notifications, events.amazonaws.com and cloudwatch.amazonaws.com use it: docs/security.md. Empty: S3's own encryption.",
      allowedPattern: '^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+)?$',
      constraintDescription: 'must be empty or the ARN of a KMS key (not of an alias)',
      default: '',
      maxLength: 2048,
    }],
  },
};

class CommonStack extends Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const form = addForm(this, FORM);
    const key = form.KmsKeyArn.valueAsString;
    const email = form.NotificationEmail.valueAsString;
    const given = (name, value) => new CfnCondition(this, name, {
      expression: Fn.conditionNot(Fn.conditionEquals(value, '')),
    });
    this.hasKey = given('HasKmsKey', key);
    this.hasTopic = given('HasTopic', email);
    this.withKey = (value, otherwise) => Fn.conditionIf('HasKmsKey', value, otherwise);

    const bucket = this.addBucket(key);
    const database = this.addDatabase();
    const workGroup = this.addWorkGroup(key, bucket);
    const viewWorkGroup = this.addViewWorkGroup();
    const security = this.addSecurity(key);
    const topic = this.addTopic(key, email);
    this.addOutputs({ bucket, database, workGroup, viewWorkGroup, security, key, topic });
  }

  addBucket(key) {
    const expiring = (id, prefix, days) => (
      { id, prefix, expirationInDays: days, status: 'Enabled' }
    );
    const bucket = new CfnBucket(this, 'Bucket', {
      bucketName: Fn.sub('dynamodb-exports-${AWS::AccountId}-${AWS::Region}'),
      bucketEncryption: {
        serverSideEncryptionConfiguration: [{
          bucketKeyEnabled: this.withKey(true, NO_VALUE),
          serverSideEncryptionByDefault: {
            kmsMasterKeyId: this.withKey(key, NO_VALUE),
            sseAlgorithm: this.withKey('aws:kms', 'AES256'),
          },
        }],
      },
      lifecycleConfiguration: {
        rules: [
          {
            id: 'AbortStaleUploads',
            abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
            status: 'Enabled',
          },
          expiring('ExpireTemporaryFiles', 'glue-temp-dir/', 14),
          expiring('ExpireQueryResults', 'athena-results/', 30),
        ],
      },
      ownershipControls: { rules: [{ objectOwnership: 'BucketOwnerEnforced' }] },
      publicAccessBlockConfiguration: {
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
    });
    retain(bucket);
    unchecked(bucket, {
      CKV_AWS_18: 'Access logs need a bucket of their own; CloudTrail logs as much',
      CKV_AWS_19: "checkov does not evaluate If: the key is S3's or the one that was given",
      CKV_AWS_21: 'A snapshot is never changed, and one that the retention deletes is to go',
    });
    const arn = (rest) => Fn.sub(`arn:\${AWS::Partition}:s3:::\${Bucket}${rest}`, {
      Bucket: bucket.ref,
    });
    new CfnBucketPolicy(this, 'BucketPolicy', {
      bucket: bucket.ref,
      policyDocument: document({
        Sid: 'DenyWithoutTLS',
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: ['s3:*'],
        Resource: [arn(''), arn('/*')],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    });
    return bucket;
  }

  addDatabase() {
    const database = new CfnDatabase(this, 'Database', {
      catalogId: this.account,
      databaseInput: {
        name: 'dynamodb_exports',
        description: 'Snapshots of DynamoDB tables, and views of the newest ones',
      },
    });
    retain(database);
    return database;
  }

  addWorkGroup(key, bucket) {
    return new CfnWorkGroup(this, 'WorkGroup', {
      name: 'dynamodb-exports',
      description: 'Queries of exported DynamoDB tables',
      recursiveDeleteOption: true,
      state: 'ENABLED',
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        resultConfiguration: {
          encryptionConfiguration: {
            encryptionOption: Fn.conditionIf('HasKmsKey', 'SSE_KMS', 'SSE_S3').toString(),
            kmsKey: this.withKey(key, NO_VALUE).toString(),
          },
          outputLocation: Fn.sub('s3://${Bucket}/athena-results/'),
        },
      },
    });
  }

  addViewWorkGroup() {
    const workGroup = new CfnWorkGroup(this, 'ViewWorkGroup', {
      name: 'dynamodb-exports-views',
      description: 'Publication of the current views',
      recursiveDeleteOption: true,
      state: 'ENABLED',
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: false,
        publishCloudWatchMetricsEnabled: true,
      },
    });
    unchecked(workGroup, {
      CKV_AWS_82: 'Each view job has a prefix of its own; the bucket encrypts by default',
    });
    return workGroup;
  }

  addSecurity(key) {
    const security = new CfnSecurityConfiguration(this, 'SecurityConfiguration', {
      name: 'dynamodb-exports',
      encryptionConfiguration: {
        cloudWatchEncryption: { cloudWatchEncryptionMode: 'SSE-KMS', kmsKeyArn: key },
        jobBookmarksEncryption: { jobBookmarksEncryptionMode: 'DISABLED' },
        s3Encryptions: [{ kmsKeyArn: key, s3EncryptionMode: 'SSE-KMS' }],
      },
    });
    security.cfnOptions.condition = this.hasKey;
    unchecked(security, { CKV_AWS_99: 'The jobs keep no bookmarks that could be encrypted' });
    return security;
  }

  addTopic(key, email) {
    const topic = new CfnTopic(this, 'Topic', {
      displayName: 'dynoexport',
      kmsMasterKeyId: this.withKey(key, NO_VALUE).toString(),
      subscription: [{ endpoint: email, protocol: 'email' }],
    });
    const policy = new CfnTopicPolicy(this, 'TopicPolicy', {
      policyDocument: document(
        {
          ...allow('PublishEvents', ['sns:Publish'], [topic.ref]),
          Principal: { Service: 'events.amazonaws.com' },
        },
        {
          ...allow('PublishAlarms', ['sns:Publish'], [topic.ref], {
            StringEquals: { 'aws:SourceAccount': Fn.ref('AWS::AccountId') },
          }),
          Principal: { Service: 'cloudwatch.amazonaws.com' },
        },
      ),
      topics: [topic.ref],
    });
    topic.cfnOptions.condition = this.hasTopic;
    policy.cfnOptions.condition = this.hasTopic;
    return topic;
  }

  addOutputs({ bucket, database, workGroup, viewWorkGroup, security, key, topic }) {
    const show = (name, description, value, condition) => {
      const output = new CfnOutput(this, `${name}Output`, {
        description, value, condition, exportName: Fn.sub(`\${AWS::StackName}-${name}`),
      });
      output.overrideLogicalId(name);
    };
    show('BucketName', 'Bucket of all exports', bucket.ref);
    show('DatabaseName', 'Glue database of all exports', database.ref);
    show('WorkGroup', 'Athena workgroup for queries', workGroup.ref);
    show('ViewWorkGroup', 'Athena workgroup of the view jobs', viewWorkGroup.ref);
    show(
      'SecurityConfiguration', 'Glue security configuration that encrypts with the KMS key',
      security.ref, this.hasKey,
    );
    show('KmsKeyArn', 'KMS key that encrypts all exports', key, this.hasKey);
    show('TopicArn', 'Topic of the notifications', topic.ref, this.hasTopic);
  }
}

module.exports = { CommonStack };
