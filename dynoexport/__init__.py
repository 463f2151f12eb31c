"""dynoexport: DynamoDB tables in S3 and Athena, on a schedule, by AWS Glue Workflows alone.

The layers, each importing only from those before it (a test reads the imports):

    errors, model, limits   what can go wrong; the plain values; what AWS allows
    settings, naming,       what a user can set; every name and S3 key; when a schedule fires;
    schedule, pipeline      the one description of export -> crawl -> publish
    graph                   what AWS Glue would refuse about a workflow
    grants, policies        IAM statements; the policy of each role, least privilege
    stacks                  the templates as typed Python, and their canonical text
    assets                  where templates and scripts lie, in a checkout or an installed wheel
    deploy, runs,           what a user does with them, against any AWS endpoint: a stack, a
    queries, display        workflow run, a query; how they are shown
    local                   an AWS endpoint on a laptop that really runs Glue Workflows
    cli                     parses, calls one function, prints
"""

__version__ = "0.1.0"
