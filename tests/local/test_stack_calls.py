"""CreateStack and UpdateStack on the endpoint are checked and rolled back as change sets are."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from cloud import bucket, changes, workflow

if TYPE_CHECKING:
    from cloud import Cloud

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}
NAMED_ROLE = {
    **ROLE,
    "Properties": {"AssumeRolePolicyDocument": {"Statement": []}, "RoleName": "refused"},
}
ONE_OF_TWO = {
    "Parameters": {"A": {"Type": "String", "Default": ""}, "B": {"Type": "Number", "Default": 0}},
    "Rules": {
        "OneOfTwo": {
            "RuleCondition": {"Fn::Not": [{"Fn::Equals": [{"Ref": "A"}, ""]}]},
            "Assertions": [
                {
                    "Assert": {
                        "Fn::And": [
                            {"Fn::Equals": [{"Ref": "B"}, 0]},
                            {"Fn::Contains": [["x", "y"], {"Ref": "A"}]},
                        ]
                    },
                    "AssertDescription": "A or B",
                }
            ],
        }
    },
}


def given(**parameters: str) -> dict[str, Any]:
    """A call's parameters."""
    values = [{"ParameterKey": name, "ParameterValue": parameters[name]} for name in parameters]
    return {"Parameters": values}


REFUSED = pytest.mark.parametrize(
    ("template", "call", "error"),
    [
        ({}, given(Odd="1"), r"ValidationError.*\[Odd\] do not exist in the template"),
        (
            {"Parameters": {"A": {"Type": "String", "AllowedValues": ["a"]}}},
            given(A="b"),
            r"ValidationError.*AllowedValues \[a\]",
        ),
        ({"Description": "x" * 51_200}, {}, r"ValidationError.*less than or equal to 51200"),
        (
            {"Resources": {"Role": ROLE}},
            {},
            r"InsufficientCapabilitiesException.*\[CAPABILITY_IAM\]",
        ),
        (
            {"Resources": {"Role": NAMED_ROLE}},
            {"Capabilities": ["CAPABILITY_IAM"]},
            r"InsufficientCapabilitiesException.*\[CAPABILITY_NAMED_IAM\]",
        ),
        (ONE_OF_TWO, given(A="x", B="1"), r"ValidationError.*A or B"),
        (ONE_OF_TWO, given(A="z"), r"ValidationError.*A or B"),
    ],
    ids=["surplus", "value", "length", "capability", "named", "rule", "contains"],
)


@pytest.mark.parametrize("operation", ["create_stack", "create_change_set"])
@REFUSED
def test_refused_call_creates_no_stack(
    cloud: Cloud, operation: str, template: Any, call: Any, error: str
) -> None:
    kind = {} if operation == "create_stack" else {"ChangeSetName": "c", "ChangeSetType": "CREATE"}
    body = json.dumps({"Resources": {"Flow": workflow("refused")}, **template})
    with pytest.raises(ClientError, match=error):
        getattr(cloud.api, operation)(StackName="refused", TemplateBody=body, **kind, **call)
    with pytest.raises(ClientError, match="does not exist"):
        cloud.status("refused")
    assert "refused" not in cloud.workflows()


@pytest.mark.parametrize("operation", ["update_stack", "create_change_set"])
@REFUSED
def test_refused_call_changes_no_stack(
    cloud: Cloud, operation: str, template: Any, call: Any, error: str
) -> None:
    """It stays as it is, without a change set, and takes the next update."""
    flow = {"Flow": workflow("kept", Description="old")}
    cloud.create("kept", flow)
    kind = {} if operation == "update_stack" else {"ChangeSetName": "c", "ChangeSetType": "UPDATE"}
    changed = {"Flow": workflow("kept", Description="new"), **template.get("Resources", {})}
    body = json.dumps({**template, "Resources": changed})
    with pytest.raises(ClientError, match=error):
        getattr(cloud.api, operation)(StackName="kept", TemplateBody=body, **kind, **call)
    assert cloud.status("kept") == "CREATE_COMPLETE"
    assert cloud.api.list_change_sets(StackName="kept")["Summaries"] == []
    assert cloud.glue.get_workflow(Name="kept")["Workflow"]["Description"] == "old"
    assert cloud.api.get_template(StackName="kept")["TemplateBody"] == {"Resources": flow}
    assert cloud.update("kept", {"Flow": changed["Flow"]}) == "UPDATE_COMPLETE"


def test_rule_that_holds_or_does_not_apply_lets_a_stack_be_created(cloud: Cloud) -> None:
    for name, call in {"rule-one": given(A="x"), "rule-two": given(B="1")}.items():
        flow = {"Flow": workflow(name)}
        assert cloud.create(name, flow, **ONE_OF_TWO, call=call) == "CREATE_COMPLETE"


@pytest.mark.parametrize("attribute", ["Role.Arn", ["Role", "Arn"]], ids=["text", "list"])
def test_an_attribute_is_named_by_a_text_or_a_list(cloud: Cloud, attribute: Any) -> None:
    """In a resource, within another function, and in an output; the resource follows its role."""
    arn = {"Fn::GetAtt": attribute}
    resources = {
        "Flow": workflow("attributed", Description={"Fn::Join": ["", ["by ", arn]]}),
        "Job": {
            "Type": "AWS::Glue::Job",
            "Properties": {
                "Name": "attributed",
                "Role": arn,
                "Command": {"Name": "pythonshell", "ScriptLocation": "s3://scripts/any.py"},
            },
        },
        "Role": ROLE,
    }
    call = {"Capabilities": ["CAPABILITY_IAM"]}
    outputs = {"Outputs": {"Role": {"Value": arn}}}
    assert cloud.create("attributed", resources, **outputs, call=call) == "CREATE_COMPLETE"
    role = cloud.glue.get_job(JobName="attributed")["Job"]["Role"]
    assert role.startswith("arn:aws:iam::123456789012:role/attributed-Role-")
    described = cloud.glue.get_workflow(Name="attributed")["Workflow"]["Description"]
    assert described == f"by {role}"
    (output,) = cloud.describe("attributed")["Outputs"]
    assert output["OutputValue"] == role
    changed = {**resources, "Flow": workflow("attributed", Description=arn)}
    assert cloud.update("attributed", changed, **outputs, call=call) == "UPDATE_COMPLETE"
    assert cloud.glue.get_workflow(Name="attributed")["Workflow"]["Description"] == role


def test_a_template_of_the_cdk_is_deployed(cloud: Cloud, endpoint: Endpoint) -> None:
    """Its metadata creates nothing; its bootstrap version is a parameter of Systems Manager."""
    version = "/cdk-bootstrap/hnb659fds/version"
    endpoint.client("ssm").put_parameter(Name=version, Value="21", Type="String")
    template = {
        "Parameters": {
            "BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": version}
        },
        "Conditions": {
            "CDKMetadataAvailable": {
                "Fn::Or": [
                    {"Fn::Equals": [{"Ref": "AWS::Region"}, region]}
                    for region in ("eu-west-1", "us-east-1")
                ]
            }
        },
        "Rules": {
            "CheckBootstrapVersion": {
                "Assertions": [
                    {
                        "Assert": {
                            "Fn::Not": [
                                {
                                    "Fn::Contains": [
                                        ["1", "2", "3", "4", "5"],
                                        {"Ref": "BootstrapVersion"},
                                    ]
                                }
                            ]
                        },
                        "AssertDescription": "CDK bootstrap stack version 6 required.",
                    }
                ]
            }
        },
    }

    def resources(analytics: str) -> dict[str, Any]:
        metadata = {
            "Type": "AWS::CDK::Metadata",
            "Properties": {"Analytics": analytics},
            "Condition": "CDKMetadataAvailable",
        }
        return {"Flow": workflow("of-the-cdk"), "CDKMetadata": metadata}

    assert cloud.create("of-the-cdk", resources("v2:one"), **template) == "CREATE_COMPLETE"
    listed = cloud.api.describe_stack_resources(StackName="of-the-cdk")["StackResources"]
    assert {resource["LogicalResourceId"] for resource in listed} == {"Flow", "CDKMetadata"}
    assert cloud.update("of-the-cdk", resources("v2:two"), **template) == "UPDATE_COMPLETE"
    cloud.api.delete_stack(StackName="of-the-cdk")
    assert "of-the-cdk" not in cloud.workflows()


def test_exports_are_listed_while_their_outputs_exist(cloud: Cloud) -> None:
    """Neither with a false condition nor after an update that takes them away."""
    resources = {"Flow": workflow("exporting"), "Other": workflow("exporting-other")}

    def options(**outputs: Any) -> dict[str, Any]:
        return {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}, "Outputs": outputs}

    def exported() -> dict[str, str]:
        exports = cloud.api.list_exports()["Exports"]
        return {
            export["Name"]: export["Value"]
            for export in exports
            if export["Name"].startswith("exporting")
        }

    kept = {"Value": {"Ref": "Flow"}, "Export": {"Name": "exporting-kept"}}
    gone = {"Value": {"Ref": "Other"}, "Export": {"Name": {"Fn::Sub": "exporting-${Other}"}}}
    never = {"Value": "x", "Condition": "Never", "Export": {"Name": "exporting-never"}}
    empty = {"Value": {"Ref": "AWS::NoValue"}, "Export": {"Name": "exporting-nothing"}}
    cloud.create("exporting", resources, **options(A=kept, B=gone, C=never, D=empty))
    assert exported() == {
        "exporting-kept": "exporting",
        "exporting-exporting-other": "exporting-other",
    }
    cloud.update("exporting", resources, **options(A=kept, B={**gone, "Condition": "Never"}))
    assert exported() == {"exporting-kept": "exporting"}


def test_validation_lists_parameters_and_capabilities(cloud: Cloud) -> None:
    """An unused parameter is no fault."""
    parameters = {
        "Unused": {"Type": "Number", "Default": 5, "Description": "Nobody reads it"},
        "Secret": {"Type": "String", "NoEcho": True},
    }

    def validate(resources: Any) -> Any:
        body = {"Description": "Valid", "Parameters": parameters, "Resources": resources}
        return cloud.api.validate_template(TemplateBody=json.dumps(body))

    answer = validate({"Flow": workflow("valid")})
    assert answer["Description"] == "Valid"
    assert answer["Parameters"] == [
        {
            "ParameterKey": "Unused",
            "DefaultValue": "5",
            "NoEcho": False,
            "Description": "Nobody reads it",
        },
        {"ParameterKey": "Secret", "NoEcho": True},
    ]
    assert answer.get("Capabilities", []) == []
    answer = validate({"Role": ROLE})
    assert answer["Capabilities"] == ["CAPABILITY_IAM"]
    assert answer["CapabilitiesReason"].endswith("[AWS::IAM::Role]")
    assert validate({"Role": NAMED_ROLE})["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    for wrong, reason in (
        ({"Odd": {"Type": "AWS::Odd::Thing"}}, r"\[AWS::Odd::Thing\]"),
        ({"Flow": workflow("valid", Description={"Ref": "Missing"})}, r"\[Missing\]"),
        ({"Flow": workflow("valid", Description={"Fn::GetAtt": "Gone.Arn"})}, r"\[Gone\]"),
    ):
        with pytest.raises(ClientError, match=f"ValidationError.*{reason}"):
            validate(wrong)


def test_roles_have_the_managed_policies_of_aws(cloud: Cloud, endpoint: Endpoint) -> None:
    """A stack attaches and detaches them; one that does not exist fails it."""
    iam = endpoint.client("iam")
    arns = [
        f"arn:aws:iam::aws:policy/{name}"
        for name in ("service-role/AWSGlueServiceRole", "AmazonS3ReadOnlyAccess")
    ]
    call = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}

    def role(name: str, *policies: str) -> Any:
        document = {"Version": "2012-10-17", "Statement": []}
        properties = {"RoleName": name, "AssumeRolePolicyDocument": document}
        return {"Role": {**ROLE, "Properties": {**properties, "ManagedPolicyArns": policies}}}

    def attached() -> list[str]:
        answer = iam.list_attached_role_policies(RoleName="managed")["AttachedPolicies"]
        return [policy["PolicyArn"] for policy in answer]

    assert cloud.create("managed", role("managed", arns[0]), call=call) == "CREATE_COMPLETE"
    assert attached() == [arns[0]]
    assert cloud.update("managed", role("managed", arns[1]), call=call) == "UPDATE_COMPLETE"
    assert attached() == [arns[1]]
    iam.attach_role_policy(RoleName="managed", PolicyArn=arns[0])
    assert set(attached()) == set(arns)
    iam.detach_role_policy(RoleName="managed", PolicyArn=arns[0])
    odd = role("managed-odd", "arn:aws:iam::aws:policy/Odd")
    assert cloud.create("managed-odd", odd, call=call) == "ROLLBACK_COMPLETE"
    cloud.api.delete_stack(StackName="managed")
    for gone in ("managed", "managed-odd"):
        with pytest.raises(iam.exceptions.NoSuchEntityException):
            iam.get_role(RoleName=gone)


def test_change_sets_of_a_new_stack_share_it_until_one_is_executed(cloud: Cloud) -> None:
    """Then the others are gone, and the stack is as the executed one says."""
    body = json.dumps({"Resources": {"Flow": workflow("shared")}})
    call = {"StackName": "shared", "ChangeSetType": "CREATE", "TemplateBody": body}
    first, second = (
        cloud.api.create_change_set(**call, ChangeSetName=name) for name in ("first", "second")
    )
    cloud.stacks.append("shared")
    assert first["StackId"] == second["StackId"]
    cloud.api.execute_change_set(StackName="shared", ChangeSetName="first")
    with pytest.raises(cloud.api.exceptions.ChangeSetNotFoundException):
        cloud.api.execute_change_set(StackName="shared", ChangeSetName="second")
    assert cloud.status("shared") == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match=r"ValidationError.*already exists and cannot be created"):
        cloud.api.create_change_set(**call, ChangeSetName="third")


@pytest.mark.parametrize("way", ["stack", "change-set"])
def test_of_calls_at_the_same_time_one_creates_the_stack(cloud: Cloud, way: str) -> None:
    """The others are refused by name."""
    name = f"racing-{way}"
    flows = {f"Flow{number}": workflow(f"{name}-{number}") for number in range(8)}
    call = {"StackName": name, "TemplateBody": json.dumps({"Resources": flows})}

    def create(number: int) -> str:
        try:
            if way == "stack":
                cloud.api.create_stack(**call)
            else:
                change_set = f"c-{number}"
                cloud.api.create_change_set(
                    **call, ChangeSetName=change_set, ChangeSetType="CREATE"
                )
                cloud.api.execute_change_set(StackName=name, ChangeSetName=change_set)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    cloud.stacks.append(name)
    with ThreadPoolExecutor(6) as executor:
        outcomes = sorted(executor.map(create, range(6)))
    assert outcomes.count("created") == 1
    allowed = {
        "stack": {"AlreadyExistsException"},
        "change-set": {"ValidationError", "ChangeSetNotFound", "InvalidChangeSetStatus"},
    }[way]
    assert set(outcomes) - {"created"} <= allowed
    assert cloud.status(name) == "CREATE_COMPLETE"
    listed = cloud.api.describe_stack_resources(StackName=name)["StackResources"]
    assert {resource["LogicalResourceId"] for resource in listed} == set(flows)


def test_failed_create_stack_is_rolled_back(cloud: Cloud) -> None:
    """The stack is still described, and its name stays taken."""
    flow = {"Flow": workflow("twice")}
    assert cloud.create("twice-one", flow) == "CREATE_COMPLETE"
    more = {"Other": workflow("twice-other"), "Flow": workflow("twice")}
    assert cloud.create("twice-two", more) == "ROLLBACK_COMPLETE"
    assert cloud.reasons("twice-two")[0][:2] == ("Flow", "CREATE_FAILED")
    assert "twice-other" not in cloud.workflows()
    stacks = cloud.api.get_paginator("describe_stacks").paginate().search("Stacks")
    statuses = {stack["StackName"]: stack["StackStatus"] for stack in stacks}
    assert statuses["twice-one"] == "CREATE_COMPLETE"
    for name in ("twice-one", "twice-two"):
        with pytest.raises(cloud.api.exceptions.AlreadyExistsException):
            cloud.create(name, flow)


def test_create_stack_has_the_events_of_a_creation(cloud: Cloud) -> None:
    cloud.create("created", {"Flow": workflow("created")})
    assert cloud.events("created", since="REVIEW_IN_PROGRESS") == [
        "stack CREATE_IN_PROGRESS",
        "Flow CREATE_IN_PROGRESS",
        "Flow CREATE_COMPLETE",
        "stack CREATE_COMPLETE",
    ]
    assert cloud.api.list_change_sets(StackName="created")["Summaries"] == []


def test_update_stack_changes_what_a_parameter_is_part_of(cloud: Cloud) -> None:
    resources = {"Flow": workflow("updated", Description={"Fn::Sub": "is ${A}"})}
    template = {"Parameters": {"A": {"Type": "String"}, "B": {"Type": "Number", "Default": 0.5}}}
    cloud.create("updated", resources, **template, call=given(A="old"))
    assert cloud.update("updated", resources, **template, call=given(A="new")) == "UPDATE_COMPLETE"
    assert cloud.glue.get_workflow(Name="updated")["Workflow"]["Description"] == "is new"


def test_update_stack_without_changes_is_refused(cloud: Cloud) -> None:
    flow = {"Flow": workflow("same")}
    cloud.create("same", flow)
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloud.update("same", flow, Description="another text")
    assert cloud.status("same") == "CREATE_COMPLETE"


def test_failed_update_stack_is_rolled_back(cloud: Cloud) -> None:
    cloud.create("obstacle-two", {"Flow": workflow("obstacle-two")})
    cloud.create("backward", {"Flow": workflow("backward", Description="old")})
    resources = {
        "Flow": workflow("backward", Description="new"),
        "Taken": workflow("obstacle-two", DefaultRunProperties={"Flow": {"Ref": "Flow"}}),
    }
    assert cloud.update("backward", resources) == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.glue.get_workflow(Name="backward")["Workflow"]["Description"] == "old"


@pytest.mark.parametrize("operation", ["update_stack", "create_change_set"])
def test_previous_value_of_an_unknown_parameter_is_refused(cloud: Cloud, operation: str) -> None:
    """A change set without a type is an update."""
    flow = {"Flow": workflow("previous")}
    cloud.create("previous", flow)
    name = {"ChangeSetName": "c"} if operation == "create_change_set" else {}
    with pytest.raises(ClientError, match="Cannot specify usePreviousValue as true"):
        getattr(cloud.api, operation)(
            StackName="previous",
            TemplateBody=json.dumps({"Resources": flow}),
            Parameters=[{"ParameterKey": "A", "UsePreviousValue": True}],
            **name,
        )


def test_change_set_without_a_type_updates(cloud: Cloud) -> None:
    body = json.dumps({"Resources": {"Flow": workflow("typeless", Description="new")}})
    with pytest.raises(ClientError, match="does not exist"):
        cloud.api.create_change_set(StackName="typeless", ChangeSetName="c", TemplateBody=body)
    cloud.create("typeless", {"Flow": workflow("typeless")})
    cloud.api.create_change_set(StackName="typeless", ChangeSetName="c", TemplateBody=body)
    plan = cloud.api.describe_change_set(StackName="typeless", ChangeSetName="c")
    assert changes(plan) == [("Modify", "Flow", "False")]


def test_a_template_is_read_from_a_bucket_by_its_url(cloud: Cloud, endpoint: Endpoint) -> None:
    """As ``aws cloudformation deploy --s3-bucket`` gives it, of any length up to a megabyte."""
    cloud.s3.create_bucket(Bucket="templates-of-mine")
    text = json.dumps({"Metadata": {"x": "y" * 51_200}, "Resources": {"B": bucket("made-by-url")}})
    cloud.s3.put_object(Bucket="templates-of-mine", Key="a/t.json", Body=text)
    url = f"{endpoint.url}/templates-of-mine/a/t.json"
    change = {"StackName": "by-url", "ChangeSetName": "c", "ChangeSetType": "CREATE"}
    cloud.api.create_change_set(TemplateURL=url, **change)
    (described,) = cloud.api.describe_change_set(StackName="by-url", ChangeSetName="c")["Changes"]
    assert described["ResourceChange"]["ResourceType"] == "AWS::S3::Bucket"
    with pytest.raises(ClientError, match="The specified key does not exist"):
        cloud.api.create_change_set(TemplateURL=f"{url}x", **{**change, "StackName": "none"})


NO_TEMPLATES = [
    "[]",
    "hello",
    "a: [b",
    "{}",
    '{"Resources": []}',
    '{"Resources": {"A": {}}}',
    '{"Resources": {"A": "text"}}',
    '{"Parameters": [], "Resources": {"B": {"Type": "AWS::S3::Bucket"}}}',
    '{"Parameters": {"A": {}}, "Resources": {"B": {"Type": "AWS::S3::Bucket"}}}',
    '{"Rules": {"R": {}}, "Resources": {"B": {"Type": "AWS::S3::Bucket"}}}',
    '{"Conditions": {"c": "x"}, "Resources": {"B": {"Type": "AWS::S3::Bucket"}}}',
    "[" * 5_000,
]


@pytest.mark.parametrize("body", NO_TEMPLATES, ids=lambda body: body[:40])
@pytest.mark.parametrize("operation", ["create_stack", "create_change_set"])
def test_an_invalid_template_is_refused_and_leaves_no_stack(
    cloud: Cloud, operation: str, body: str
) -> None:
    more = {"ChangeSetName": "c", "ChangeSetType": "CREATE"}
    more = more if operation == "create_change_set" else {}
    with pytest.raises(ClientError, match="ValidationError"):
        getattr(cloud.api, operation)(StackName="shapeless", TemplateBody=body, **more)
    with pytest.raises(ClientError, match="does not exist"):
        cloud.status("shapeless")


def test_either_a_body_or_a_url_is_taken(cloud: Cloud) -> None:
    body = json.dumps({"Resources": {"B": bucket("either")}})
    with pytest.raises(ClientError, match="only TemplateBody or TemplateURL"):
        cloud.api.create_stack(StackName="either", TemplateBody=body, TemplateURL="http://x/y/z")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ({"Type": "String", "AllowedValues": [True, False]}, "true"),
        ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "b,a"),
    ],
)
def test_allowed_values_are_compared_as_texts_and_member_by_member(
    cloud: Cloud, parameter: Any, value: str
) -> None:
    flow = {"Flow": workflow("allowed")}
    given = [{"ParameterKey": "P", "ParameterValue": value}]
    body = json.dumps({"Parameters": {"P": parameter}, "Resources": flow})
    cloud.api.create_stack(StackName="allowed", TemplateBody=body, Parameters=given)
    assert cloud.status("allowed") == "CREATE_COMPLETE"
    cloud.api.delete_stack(StackName="allowed")
