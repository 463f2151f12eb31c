// An app of cdk whose one stack is templates/table.yaml.
const cdk = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");

// The caller's own credentials, and cdk's bucket for the template.
const roles = {
  "own credentials": new cdk.CliCredentialsStackSynthesizer(),
  "cdk's roles": new cdk.DefaultStackSynthesizer(),
};
const stack = new cdk.Stack(new cdk.App(), "cdk-orders", {
  env: { account: "123456789012", region: "us-east-1" },
  synthesizer: roles[process.env.CREDENTIALS],
});
new CfnInclude(stack, "Export", {
  templateFile: process.env.TEMPLATE,
  parameters: { TableName: "Orders", OutputFormat: "avro" },
});
