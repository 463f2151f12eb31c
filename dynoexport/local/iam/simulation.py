"""IAM's policy simulator, which moto lacks, with the endpoint's own decisions.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import itertools
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import NoSuchEntity
from moto.iam.responses import IamResponse

from dynoexport.local.iam import authorization, identities
from dynoexport.local.iam.authorization import Request


def _simulate(self: IamResponse) -> ActionResult:
    arn = self._get_param("PolicySourceArn")
    holder = identities.holder(arn)
    if holder is None:
        raise NoSuchEntity(f"Policy source {arn} does not exist.")
    known = {
        entry["ContextKeyName"]: ",".join(entry["ContextKeyValues"])
        for entry in self._get_param("ContextEntries", [])
    }
    asked = itertools.product(
        self._get_param("ActionNames", []), self._get_param("ResourceArns", ["*"])
    )
    policies = identities.policies(holder)
    results = [_result(Request(*pair, known), policies) for pair in asked]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _result(request: Request, policies: authorization.Policies) -> dict[str, Any]:
    decision = authorization.decide(request, policies)
    denied = "explicitDeny" if decision.statement else "implicitDeny"
    return {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": "allowed" if decision.allowed else denied,
    }


def install() -> None:
    """Give moto's IAM a simulator; before the first request."""
    replaced: Any = IamResponse
    replaced.simulate_principal_policy = _simulate
