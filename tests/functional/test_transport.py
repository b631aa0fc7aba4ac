"""What every connection and every answer has: TLS 1.3, a verified name, security headers."""

import http.client
import socket
import ssl

import pytest

from tests.functional.instance import Demo


def _shake(demo: Demo, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", demo.port), 5)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def test_own_authority_verifies_and_strangers_do_not(demo: Demo) -> None:
    with _shake(demo, ssl.create_default_context(cafile=str(demo.ca_file))) as tls:
        assert tls.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake(demo, ssl.create_default_context())


def test_http_2_is_agreed_by_alpn(demo: Demo) -> None:
    context = ssl.create_default_context(cafile=str(demo.ca_file))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with _shake(demo, context) as tls:
        assert tls.selected_alpn_protocol() == "h2"
    with demo.http(http2=True) as client:
        answer = client.get("/health")
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2")


def test_tls_1_2_is_refused(demo: Demo) -> None:
    context = ssl.create_default_context(cafile=str(demo.ca_file))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        _shake(demo, context)


def _get_health(plain: http.client.HTTPConnection) -> None:
    plain.request("GET", "/health")
    plain.getresponse()


def test_plain_http_is_not_answered(demo: Demo) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", demo.port, timeout=5)
    with pytest.raises((http.client.HTTPException, OSError)):
        _get_health(plain)
    plain.close()


@pytest.mark.parametrize(
    "path", ["/health", "/api/v1/collections", "/ledger/checkpoint", "/nothing", "/static/style.css"]
)
def test_every_answer_has_the_security_headers_and_its_own_request_id(demo: Demo, path: str) -> None:
    with demo.http() as client:
        first, second = client.get(path), client.get(path)
    for name, part in {
        "Strict-Transport-Security": "max-age=", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin", "Content-Security-Policy": "default-src 'none'", "Server": "bailee",
    }.items():  # fmt: skip
        assert part in first.headers[name]
    assert "unsafe" not in first.headers["Content-Security-Policy"]
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def test_host_header_steers_nothing(demo: Demo) -> None:
    with demo.http() as client:
        answer = client.get("/", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in answer.text + answer.headers.get("Location", "")
