"""Whether an account, other than the one that asks, may do something: before it is given something to look after."""

from uuid import UUID

from bailee.access.members import permissions_of
from bailee.access.model import AccountState
from bailee.access.permissions import staff_permissions
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as member_rows
from bailee.access.store import roles as role_rows
from bailee.foundation.database import OperatorReader, TenantReader


async def staff_holds(tx: OperatorReader, account_id: UUID, permission: str) -> bool:
    """Whether it is active staff with a standing role that permits this."""
    account = await account_rows.find_account(tx, account_id)
    if account is None or account.state is not AccountState.ACTIVE:
        return False
    return permission in staff_permissions(await role_rows.list_roles_of(tx, account_id))


async def member_holds(tx: TenantReader, account_id: UUID, permission: str) -> bool:
    """Whether it is an active member of the transaction's tenant whose role permits this."""
    member = await member_rows.find_membership(tx, account_id)
    if member is None or member.state != "active":
        return False
    return permission in await permissions_of(tx, tx.tenant, member.role)
