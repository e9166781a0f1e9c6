"""What ``nginx -V`` says, in the words of several builds."""

import pytest

from module_utils.nginx_websocket.host.binary import NginxError, find_binary, inspect_binary, parse_version

DEBIAN = """nginx version: nginx/1.22.1
built with OpenSSL 3.0.22 25 Aug 2026
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2 -fPIC' --prefix=/usr/share/nginx \
--conf-path=/etc/nginx/nginx.conf \
--error-log-path=stderr --pid-path=/run/nginx.pid --modules-path=/usr/lib/nginx/modules \
--with-http_ssl_module --with-http_realip_module --with-http_v2_module --without-http_ssi_module \
--with-stream=dynamic --with-http_image_filter_module=dynamic
"""


def test_debian():
    binary = parse_version(DEBIAN, "/usr/sbin/nginx")
    assert (binary.product, binary.version, binary.version_text) == ("nginx", (1, 22, 1), "1.22.1")
    assert (binary.prefix, binary.conf_path) == ("/usr/share/nginx", "/etc/nginx/nginx.conf")
    assert (binary.error_log, binary.pid_path) == ("stderr", "/run/nginx.pid")
    assert binary.configure[0] == "--with-cc-opt=-g -O2 -fPIC"
    assert {"http_ssl", "http_realip", "http_v2", "http_proxy"} <= set(binary.modules)
    assert "http_ssi" not in binary.modules
    assert binary.dynamic_modules == ["stream", "http_image_filter"]
    assert binary.openssl == "OpenSSL 3.0.22 25 Aug 2026"
    assert (binary.user, binary.group) == ("nobody", "")


def test_bare_source_build():
    binary = parse_version(
        "nginx version: nginx/1.18.0\nconfigure arguments:\n", "/usr/local/nginx/sbin/nginx"
    )
    assert (binary.prefix, binary.conf_path) == ("/usr/local/nginx", "/usr/local/nginx/conf/nginx.conf")
    assert binary.error_log == "/usr/local/nginx/logs/error.log"
    assert binary.pid_path == "/usr/local/nginx/logs/nginx.pid"
    assert (binary.openssl, binary.http2_form) == ("", "none")
    assert "http_realip" not in binary.modules


@pytest.mark.parametrize(
    "line, product, version, text",
    [
        ("nginx version: nginx/1.18.0 (Ubuntu)", "nginx", (1, 18, 0), "1.18.0 (Ubuntu)"),
        ("nginx version: openresty/1.25.3.1", "openresty", (1, 25, 3), "1.25.3.1"),
        ("Tengine version: Tengine/3.1.0\nnginx version: nginx/1.24.0", "nginx", (1, 24, 0), "1.24.0"),
        ("nginx version: freenginx/1.29.0", "freenginx", (1, 29, 0), "1.29.0"),
    ],
)
def test_products(line, product, version, text):
    binary = parse_version(line + "\n", "nginx")
    assert (binary.product, binary.version, binary.version_text) == (product, version, text)


@pytest.mark.parametrize(
    "version, form", [("1.25.0", "listen"), ("1.25.1", "directive"), ("1.30.6", "directive")]
)
def test_http2_form(version, form):
    text = f"nginx version: nginx/{version}\nconfigure arguments: --with-http_v2_module\n"
    assert parse_version(text, "nginx").http2_form == form


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_running_it(tmp_path):
    path = script(tmp_path / "nginx", "echo 'nginx version: nginx/1.26.3' >&2\n# \0libpcre2-8.so.0\0\n")
    binary = inspect_binary(path)
    assert (binary.path, binary.version) == (path, (1, 26, 3))
    assert (binary.pcre, binary.pcre_library) == ("pcre2", "libpcre2-8.so.0")


def test_what_cannot_be_asked(tmp_path):
    with pytest.raises(NginxError, match="cannot be executed: No such file"):
        inspect_binary(str(tmp_path / "none"))
    with pytest.raises(NginxError, match="does not answer as nginx does: 'hello'"):
        inspect_binary(script(tmp_path / "other", "echo hello"))


def test_finding_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("module_utils.nginx_websocket.host.binary.WELL_KNOWN", ())
    (tmp_path / "nginx").mkdir()
    assert find_binary() == ""  # a directory of that name is no binary
    (tmp_path / "nginx").rmdir()
    script(tmp_path / "nginx", "true")
    assert find_binary() == str(tmp_path / "nginx")
