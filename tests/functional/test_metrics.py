"""Metrics and readiness: numbers for the operator's Prometheus, nothing for anybody else, and nobody in a label."""

from pathlib import Path

import pytest

from tests.functional.conftest import FreshInstance
from tests.functional.instance import Instance

pytestmark = [pytest.mark.functional, pytest.mark.timeout(180)]

MARKER = "marker-of-somebody-1234"


@pytest.fixture(scope="module")
def instance(fresh_instance: FreshInstance, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    token: Path = tmp_path_factory.mktemp("metrics") / "token"
    token.write_text("a token for metrics\n")
    made = fresh_instance(BAILEE_MONITORING__METRICS_TOKEN_FILE=str(token))
    made.set_up().close()
    return made


def test_numbers_come_with_the_token_alone(instance: Instance) -> None:
    for token, status in ((None, 401), ("wrong", 401), (instance.staff_token, 401), ("a token for metrics", 200)):
        with instance.http(token) as http:
            assert http.get("/metrics").status_code == status, token
    with instance.http("a token for metrics") as http:
        assert http.get("/api/v1/events").status_code == 401


def test_requests_are_counted_by_route_and_nobody_is_named(instance: Instance) -> None:
    with instance.staff_client() as staff:
        tenant = staff.tenants.create(MARKER).id
    with instance.http(instance.staff_token) as http:
        assert http.get(f"/api/v1/tenants/{tenant}").is_success
        assert http.get(f"/api/v1/tenants/{MARKER}").status_code == 404
        assert http.get(f"/{MARKER}?q={MARKER}").status_code == 404
        http.request("BREW", f"/{MARKER}")
    with instance.http("a token for metrics") as http:
        text = http.get("/metrics").text
    assert 'bailee_requests_total{method="GET",route="/api/v1/tenants/{tenant}",status="200"}' in text
    assert 'route="unmatched"' in text
    for hidden in (MARKER, tenant, "127.0.0.1", "owner@", "BREW"):
        assert hidden not in text, hidden
    for name in ("ledger_pending", "detector_waiting", "jobs_waiting", "mail_failed", "webhooks_dead"):
        assert f"bailee_{name} " in text


def test_it_is_ready_while_both_database_servers_answer(instance: Instance) -> None:
    with instance.http() as http:
        assert http.get("/ready").json() == {"status": "ready", "main": True, "keyring": True}


def test_there_are_none_without_a_token_file(fresh_instance: FreshInstance) -> None:
    with fresh_instance().http("a token for metrics") as http:
        assert http.get("/metrics").status_code == 404
