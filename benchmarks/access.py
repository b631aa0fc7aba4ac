"""Sign-in, authentication and permissions, against what they cannot be faster than."""

import asyncio
import multiprocessing
import ssl
import statistics
import time
import timeit
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx2

from bailee.access.model import AccountKind, AccountState, SessionKind, StartedSession
from bailee.access.permissions import SCOPES, STAFF_PERMISSIONS
from bailee.access.store import accounts as rows
from bailee.assembly import Services
from bailee.foundation.ids import new_id
from bailee.foundation.principal import ActorKind, Principal, anonymous
from bailee.foundation.secrets import Secret
from benchmarks.figures import Figure
from tests.functional.instance import Instance

ROUNDS = 5
AT_ONCE = 4
SIGN_INS = 40
CHECKS = 200_000
REQUESTS = 600
FLOODERS = 32
FLOODS = 3
FLOOD_SECONDS = 20.0
PASSWORD = Secret(b"seventeen quiet herons at dawn")


async def _together(count: int, work: Callable[[int], Awaitable[object]]) -> float:
    """How many a second when a few run at once, which keeps the hashing pool busy."""
    start = time.perf_counter()
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*[worker() for _ in range(AT_ONCE)])
    return count / (time.perf_counter() - start)


async def sign_ins(services: Services) -> Figure:
    """Whole sign-ins, from the attempt's count to the event, against bare hashing in the same pool, in turns."""
    hasher, email = services.hasher, "bench@example.com"
    hashed = await hasher.hash(PASSWORD)
    async with services.database.operator() as tx:
        await rows.insert_account(tx, new_id(), AccountKind.MEMBER, email, "Bench", AccountState.ACTIVE, hashed)

    async def sign_in(number: int) -> None:
        by = anonymous(f"192.0.2.{number % 250}", new_id(), "Bench")
        found = await services.access.sign_in.by_password(email=email, password=PASSWORD, kind=SessionKind.API, by=by)
        assert isinstance(found, StartedSession)

    async def hash_only(_number: int) -> None:
        assert await hasher.verify(hashed, PASSWORD)

    whole, bare = [], []
    for _ in range(ROUNDS):
        bare.append(await _together(SIGN_INS, hash_only))
        whole.append(await _together(SIGN_INS, sign_in))
    return Figure(
        "sign-ins, in one process", statistics.median(whole), "Argon2id in the same pool", statistics.median(bare),
        "at least 0.9",
    )  # fmt: skip


def permission_checks() -> Figure:
    """`Principal.require`, as each guard and each verb calls it."""
    principal = Principal(ActorKind.STAFF, "bench", STAFF_PERMISSIONS)
    seconds = min(timeit.repeat(lambda: principal.require("tenants.read"), number=CHECKS, repeat=ROUNDS))
    return Figure("permission checks", CHECKS / seconds, "one in 5 µs", 200_000, "at least 1")


def over_https() -> list[Figure]:
    """The same request with and without a token, and an API that is read while sign-ins flood in."""
    instance = Instance()
    try:
        instance.wait_until_ready()
        with instance.set_up():
            tenant = instance.new_tenant("Bench", sorted(SCOPES))
        figures = [_overhead(instance, tenant["api_key"]), _under_flood(instance, tenant["api_key"])]
        instance.stop()
        return figures
    finally:
        instance.remove()


def _overhead(instance: Instance, key: str) -> Figure:
    """In turns on one connection each, so that both meet the same machine."""
    with instance.http() as anybody, instance.http(key) as known:
        for client in (anybody, known):
            _times(client, "/health", 100)
        without: list[float] = []
        with_token: list[float] = []
        for _ in range(ROUNDS):
            without += _times(anybody, "/health", REQUESTS // ROUNDS)
            with_token += _times(known, "/health", REQUESTS // ROUNDS)
    return Figure(
        "authenticated requests", 1 / statistics.median(with_token), "the same request without a token",
        1 / statistics.median(without), "at least 0.87 (1.15 times as long)",
    )  # fmt: skip


def _under_flood(instance: Instance, key: str) -> Figure:
    """The 95th percentile of reads, in turns at rest and while as many sign-ins as the queue holds are under way."""
    rest, flooded = [], []
    with instance.http(key) as client:
        _times(client, "/api/v1/tenant", 100)
        for _ in range(FLOODS):
            rest.append(_p95(_times(client, "/api/v1/tenant", REQUESTS)))
            with _flooding(instance):
                flooded.append(_p95(_times(client, "/api/v1/tenant", REQUESTS)))
            time.sleep(2)  # what is queued is done with
    return Figure(
        "reads at the 95th percentile, during a flood of sign-ins", 1 / statistics.median(flooded), "at rest",
        1 / statistics.median(rest), "at least 0.5 (twice as long)",
    )  # fmt: skip


@contextmanager
def _flooding(instance: Instance) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    flood = context.Process(target=_flood, args=(instance.base_url, str(instance.ca_file)), daemon=True)
    flood.start()
    try:
        time.sleep(4)
        yield
        assert flood.is_alive(), "the flood has to last as long as the measurement"
    finally:
        flood.kill()
        flood.join()


def _times(client: httpx2.Client, path: str, count: int) -> list[float]:
    found = []
    for _ in range(count):
        start = time.perf_counter()
        answer = client.get(path)
        found.append(time.perf_counter() - start)
        assert answer.is_success, answer.text
    return found


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _flood(base_url: str, ca_file: str) -> None:
    """Strangers from many addresses of the loopback network, each at an account of its own."""
    trust = ssl.create_default_context(cafile=ca_file)

    async def flooder(number: int) -> None:
        transport = httpx2.AsyncHTTPTransport(verify=trust, local_address=f"127.0.1.{number + 1}")
        async with httpx2.AsyncClient(base_url=base_url, transport=transport, timeout=60) as client:
            end = time.monotonic() + FLOOD_SECONDS + 20
            attempt = 0
            while time.monotonic() < end:
                attempt += 1
                body = {"email": f"nobody-{number}-{attempt}@example.com", "password": "not this one either"}
                await client.post("/api/v1/session", json=body)

    async def run() -> None:
        await asyncio.gather(*[flooder(number) for number in range(FLOODERS)])

    asyncio.run(run())
