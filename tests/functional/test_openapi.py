"""The published OpenAPI document, held against the running product by schemathesis."""

import os
import subprocess
import sys
from pathlib import Path

from bailee.access.permissions import SCOPES
from tests.functional.instance import Demo

_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_SECONDS = 115


def test_document_and_product_agree(demo: Demo, tmp_path: Path) -> None:
    tenant = demo.new_tenant("Schemathesis", sorted(SCOPES))
    with demo.open(tenant["api_key"]) as client:
        fields = {"name": {"type": "string", "category": "identity", "searchable": True}}
        client.collections.put("people", {"title": "P", "purpose": "P", "subject": "optional", "fields": fields})
    program = Path(sys.executable).with_name("schemathesis")
    answer = subprocess.run(
        [
            program, "run", f"{demo.base_url}/api/v1/openapi.json", "--header",
            f"Authorization: Bearer {tenant['api_key']}", "--checks", _CHECKS, "--max-examples", "8",
            "--phases", "examples,coverage,fuzzing", "--seed", "20", "--tls-verify", str(demo.ca_file),
            # schemathesis cannot write NDJSON; the batch routes have tests of their own
            "--exclude-operation-id", "batchWriteRecords", "--exclude-operation-id", "batchReadRecords",
            "--request-timeout", "20", "--generation-database", "none", "--no-color", "--suppress-health-check", "all",
        ],
        cwd=tmp_path, env={**os.environ, "NO_PROXY": "*"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-6000:] + answer.stderr[-2000:]
    assert "Traceback" not in demo.logs()
