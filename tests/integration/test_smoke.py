from bailee.assembly import Services
from bailee.tenants.model import Tenant

async def test_a(services: Services, tenant: Tenant) -> None:
    assert tenant.state == "active"

async def test_b(own_services: Services) -> None:
    pass

async def test_c(own_services: Services, two_tenants: tuple[Tenant, Tenant]) -> None:
    pass
async def test_d(other_process: Services) -> None:
    pass
