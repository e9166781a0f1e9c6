"""What a site asks of an nginx that is built without one of its modules."""

import pytest

from roles.nginx_websocket.site_model import fit
from tests.unit.role.rendering import checked, facts

MODULES = [
    *("http_proxy", "http_rewrite", "http_map", "http_ssl", "http_v2", "http_upstream_keepalive"),
    *("http_limit_conn", "http_limit_req"),
]
SITE = {
    "name": "example.org",
    "backends": [{"name": "app"}],
    "websockets": [{"path": "/ws/"}],
    "limits": {"sockets": 10},
}


def fitted(without, loaded=()):
    plan = checked(SITE)
    host = facts(plan)
    host["nginx"].update(
        version="1.22.1", modules=[m for m in MODULES if m != without], loaded_modules=list(loaded)
    )
    return fit(plan["sites"], host)


def test_everything_is_there():
    result = fitted("")
    assert (result["errors"], result["warnings"]) == ([], [])
    assert result["sites"][0]["tls"]["http2"] is True


@pytest.mark.parametrize(
    ("module", "variable"),
    [
        ("http_ssl", "tls.enabled"),
        ("http_proxy", "backends"),
        ("http_upstream_keepalive", "backends[0].keepalive"),
        ("http_limit_conn", "limits.sockets"),
    ],
)
def test_a_module_that_is_needed_is_named_with_the_variable(module, variable):
    (error,) = fitted(module)["errors"]
    assert error.startswith(f"nginx_websocket_sites[0].{variable} is ")
    assert f"ngx_{module}_module, which /usr/sbin/nginx 1.22.1 is built without" in error


def test_a_module_that_is_loaded_is_there():
    assert fitted("http_ssl", ["modules/ngx_http_ssl_module.so"])["errors"] == []


def test_http2_is_left_out_and_said():
    result = fitted("http_v2")
    assert result["errors"] == []
    assert "without the module ngx_http_v2_module" in result["warnings"][0]
    assert result["sites"][0]["tls"]["http2"] is False
