"""Services of the endpoint beside Glue: Athena, CloudWatch, SNS, DynamoDB and its exports."""
