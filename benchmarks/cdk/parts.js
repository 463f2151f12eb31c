// What both stacks are made with.
'use strict';

const { Aws, CfnDeletionPolicy, CfnParameter, Fn } = require('aws-cdk-lib');

const NO_VALUE = Aws.NO_VALUE;

/** Parameters in groups, and how the console shows them; returns them by name. */
function addForm(stack, groups) {
  const parameters = {};
  const labels = {};
  for (const fields of Object.values(groups)) {
    for (const [name, [label, options]] of Object.entries(fields)) {
      parameters[name] = new CfnParameter(stack, name, { type: 'String', ...options });
      labels[name] = { default: label };
    }
  }
  stack.templateOptions.metadata = {
    'AWS::CloudFormation::Interface': {
      ParameterGroups: Object.entries(groups).map(([label, fields]) => (
        { Label: { default: label }, Parameters: Object.keys(fields) }
      )),
      ParameterLabels: labels,
    },
  };
  return parameters;
}

function document(...statements) {
  return { Version: '2012-10-17', Statement: statements };
}

function allow(sid, actions, resources, condition) {
  const statement = { Sid: sid, Effect: 'Allow', Action: actions, Resource: resources };
  return condition ? { ...statement, Condition: condition } : statement;
}

function retain(resource) {
  resource.cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN;
  resource.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN;
}

/** What checkov finds and is meant so. */
function unchecked(resource, reasons) {
  const skip = Object.entries(reasons).map(([id, comment]) => ({ id, comment }));
  resource.addMetadata('checkov', { skip });
}

/** A value that the common stack exports. */
function shared(name) {
  return Fn.importValue(Fn.sub(`\${CommonStackName}-${name}`));
}

module.exports = { NO_VALUE, addForm, allow, document, retain, shared, unchecked };
