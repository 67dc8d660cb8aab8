"""A fast stand-in for DynamoDB that keeps the conditions of our operations: `python -m bench.dynamodb --help`."""
