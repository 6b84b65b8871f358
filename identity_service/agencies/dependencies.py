from typing import Annotated

from fastapi import Depends, Request

from identity_service.agencies.use_cases import OperatorApprovals


async def _get_approvals(request: Request) -> OperatorApprovals:
    approvals: OperatorApprovals = request.app.state.operator_approvals
    return approvals


OperatorApprovalsDep = Annotated[OperatorApprovals, Depends(_get_approvals)]
