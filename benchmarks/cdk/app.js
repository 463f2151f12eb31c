// The two templates of templates/, declared with the AWS CDK: the peer of benchmarks/generator.py.
'use strict';

const { App, LegacyStackSynthesizer } = require('aws-cdk-lib');
const { CommonStack } = require('./common');
const { TableStack } = require('./table');

const app = new App({ analyticsReporting: false, treeMetadata: false });
// The one without a bootstrap parameter and rule, which our templates do not have either.
const options = () => ({ synthesizer: new LegacyStackSynthesizer() });
new CommonStack(app, 'common', options());
new TableStack(app, 'table', options());
app.synth();
