"""What proves the measures of access control: 2.1 to 2.4, and 3.3."""

from bailee.access.checks import accounts, factors, privileges, secrets, tenant_policies

MODULES = [accounts, privileges, factors, tenant_policies, secrets]

__all__ = ["MODULES"]
