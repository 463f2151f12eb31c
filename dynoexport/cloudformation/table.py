"""The table stack, one for a table and format: the workflow, its triggers, and its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import If, Output, Ref, Sub, Template, glue

from dynoexport import naming, settings
from dynoexport.cloudformation import context, form, nodes, options, parameters, roles
from dynoexport.cloudformation.options import catalog_update, identity
from dynoexport.workflow import pipeline

if TYPE_CHECKING:
    from troposphere import AWSHelperFn

    from dynoexport.cloudformation.options.option import Option

_DESCRIPTION = (
    "dynoexport: exports a DynamoDB table to S3 and Athena by an AWS Glue Workflow: export job, "
    "crawler, and a view of the newest snapshot. Needs the common stack of common.yaml."
)
_TRIGGER_NAMES = {
    pipeline.START_TRIGGER: naming.start_trigger,
    pipeline.CRAWL_TRIGGER: naming.crawl_trigger,
    pipeline.PUBLISH_TRIGGER: naming.publish_trigger,
}
# The publish trigger names the crawl trigger, where there is one, and so comes after it: "If a
# resource with a condition isn't created, any resources that depend on that resource aren't created
# either", which is true of DependsOn and not of a name in the branch of a condition that is false.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-condition.html
_TRIGGER_DESCRIPTIONS = {
    pipeline.START_TRIGGER: "Starts the export on schedule",
    pipeline.CRAWL_TRIGGER: "Crawls the snapshot when its export has succeeded",
    pipeline.PUBLISH_TRIGGER: If(
        catalog_update.IS_CRAWLED,
        Sub(f"Publishes the view when the crawl of ${{{pipeline.CRAWL_TRIGGER}}} has succeeded"),
        "Publishes the view when the export has succeeded",
    ),
}
# What a trigger starts may not be there; then there is no trigger either.
_CONDITIONS = {
    pipeline.CRAWLER: catalog_update.IS_CRAWLED,
    pipeline.VIEW_JOB: identity.IS_QUERYABLE,
}


def build() -> Template:
    """The template of a table stack."""
    template = Template(Description=_DESCRIPTION)
    template.set_version()
    form.add_to(template, parameters.table_groups())
    for option in options.OPTIONS:
        _add_logic(template, option)
    _add_workflow(template)
    _add_triggers(template)
    nodes.add(template)
    roles.add(template)
    for option in options.OPTIONS:
        template.add_resource(list(option.resources))
    _add_outputs(template)
    return template


def _add_logic(template: Template, option: Option) -> None:
    """The option's rules, which refuse what Glue or a job would refuse, and its conditions."""
    for rule in option.rules:
        template.add_rule(rule.name, rule.to_dict())
    for name, condition in option.conditions.items():
        template.add_condition(name, condition)


def _add_workflow(template: Template) -> None:
    """One run at a time: two runs of a table would compete for its read capacity."""
    table, fmt = context.TABLE, context.FORMAT
    template.add_resource(
        glue.Workflow(
            pipeline.WORKFLOW,
            Description=Sub(f"Exports the DynamoDB table {table} to S3 and Athena as {fmt}"),
            DefaultRunProperties={name: Ref(name) for name in settings.RUN_PROPERTIES},
            MaxConcurrentRuns=1,
            Tags=context.glue_tags(),
            **options.properties(pipeline.WORKFLOW),
        )
    )


def _add_triggers(template: Template) -> None:
    """Each comes after the one before it.

    Side by side they race when they are created or deleted ("Workflow was modified while adding
    trigger"), and CloudFormation does not try again:
    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2103
    """
    crawled, direct = (
        pipeline.export_pipeline(default_schedule=settings.DEFAULT_SCHEDULE, crawled=crawled)
        for crawled in (True, False)
    )
    without_crawl = {trigger.name: trigger for trigger in direct.triggers}
    for trigger in crawled.triggers:
        template.add_resource(_trigger(trigger, without_crawl.get(trigger.name, trigger)))


def _trigger(trigger: pipeline.Trigger, direct: pipeline.Trigger) -> glue.Trigger:
    """The trigger, which waits for what ``direct`` waits for if there is no crawler.

    Its name derives from the workflow's, so that both are replaced together.
    """
    resource = glue.Trigger(
        trigger.name,
        Name=Sub(_TRIGGER_NAMES[trigger.name](f"${{{pipeline.WORKFLOW}}}")),
        Description=_TRIGGER_DESCRIPTIONS[trigger.name],
        Type=trigger.type,
        WorkflowName=Ref(trigger.workflow),
        Actions=[_action(action) for action in trigger.actions],
        Tags=context.glue_tags(),
        **options.properties(trigger.name),
    )
    if trigger.conditions:
        resource.DependsOn = pipeline.START_TRIGGER
        resource.Predicate = glue.Predicate(
            Logical="AND",
            Conditions=[
                _either(with_crawl, without)
                for with_crawl, without in zip(trigger.conditions, direct.conditions, strict=True)
            ],
        )
    if trigger.schedule is None:
        resource.StartOnCreation = trigger.start_on_creation
    for action in trigger.actions:
        condition = _CONDITIONS.get(action.job or action.crawler or "")
        if condition is not None:
            resource.Condition = condition
    return resource


def _either(
    with_crawl: pipeline.Condition, without: pipeline.Condition
) -> glue.Condition | AWSHelperFn:
    if with_crawl == without:
        return _condition(without)
    return If(catalog_update.IS_CRAWLED, _condition(with_crawl), _condition(without))


def _action(action: pipeline.Action) -> glue.Action:
    if action.job is not None:
        return glue.Action(JobName=Ref(action.job))
    return glue.Action(CrawlerName=Ref(action.crawler))


def _condition(condition: pipeline.Condition) -> glue.Condition:
    options = {"LogicalOperator": condition.logical_operator}
    if condition.job is not None:
        return glue.Condition(JobName=Ref(condition.job), State=condition.state, **options)
    return glue.Condition(
        CrawlerName=Ref(condition.crawler), CrawlState=condition.crawl_state, **options
    )


def _add_outputs(template: Template) -> None:
    """What to run and where to look.

    An output cannot repeat an imported value, so these name bucket and database themselves.
    CloudFormation cannot convert the table's name to the view's.
    """
    table, fmt = context.TABLE, context.FORMAT
    bucket = f"s3://{naming.bucket('${AWS::AccountId}', '${AWS::Region}')}"
    data, manifests = naming.data_prefix(table, fmt), naming.manifest_prefix(table, fmt)
    folded = f"{table} in lower case, with _ for every character but a-z, 0-9 and _"
    view = f"{naming.DATABASE}.{context.SCOPE.catalog_prefix}<{folded}>"
    no_view = "Athena cannot read xml: a run publishes no view."
    crawled, queryable = (
        {"Condition": condition} for condition in (catalog_update.IS_CRAWLED, identity.IS_QUERYABLE)
    )

    def show(key: str, description: str, value: object, **condition: str) -> None:
        template.add_output(Output(key, Description=description, Value=value, **condition))

    show("WorkflowName", "Start it to export the table", Ref(pipeline.WORKFLOW))
    show("ExportJobName", "Job that exports the table", Ref(pipeline.EXPORT_JOB))
    show("CrawlerName", "Crawler of the snapshots", Ref(pipeline.CRAWLER), **crawled)
    show("ViewJobName", "Job that publishes the view", Ref(pipeline.VIEW_JOB), **queryable)
    show("DataLocation", "Where the snapshots are", Sub(f"{bucket}/{data}"))
    show("ManifestLocation", "Manifests of complete snapshots", Sub(f"{bucket}/{manifests}"))
    show("View", "Athena view of the newest complete snapshot", Sub(view), **queryable)
    show("QueryNote", "Why there is no view", no_view, Condition=identity.IS_NOT_QUERYABLE)
