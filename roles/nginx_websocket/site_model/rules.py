"""Which kind of value each variable holds.

The key is the place in the specification: dots between keys, ``[]`` for an element of a list. A test makes
sure that every text and number of the specification has a rule here.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

from . import service_values, values
from .regex import location_regex
from .values import Problem

_SITES = "nginx_websocket_sites[]"

_SITE: Dict[str, Callable[[Any], Problem]] = {
    "name": values.site_name,
    "server_names[]": values.server_name,
    "listen.addresses[]": values.address,
    "real_ip.trusted[]": values.network,
    "real_ip.header": values.header_name_or("proxy_protocol"),
    "http.port": values.port,
    "http.acme_root": values.file_path,
    "tls.port": values.port,
    "tls.certificate": values.file_path,
    "tls.certificate_key": values.file_path,
    "tls.options_file": values.file_or("auto", "none"),
    "tls.dhparam": values.file_or("auto", "none"),
    "tls.hsts.max_age": values.number(0, 10 * 31536000, "seconds"),
    "backends[].name": values.backend_name,
    "backends[].host": values.host_or_address,
    "backends[].ports[]": values.port,
    "backends[].socket": values.socket_path,
    "backends[].servers[].host": values.host_or_address,
    "backends[].servers[].port": values.port,
    "backends[].servers[].socket": values.socket_path,
    "backends[].servers[].weight": values.number(1, 65535, "a share"),
    "backends[].servers[].max_conns": values.number(0, 1_000_000, "a number of connections"),
    "backends[].servers[].max_fails": values.number(0, 1000, "a number of attempts"),
    "backends[].servers[].fail_timeout": values.time,
    "backends[].keepalive": values.number(0, 4096, "a number of idle connections"),
    "backends[].connect_timeout": values.time,
    "backends[].path": values.url_path,
    "backends[].tls.server_name": values.host_name,
    "backends[].tls.ca": values.file_path,
    "origins[]": values.origin,
    "websockets[].path": values.url_path,
    "websockets[].regex": location_regex,
    "websockets[].backend": values.backend_name,
    "websockets[].timeout": values.time,
    "websockets[].origins[]": values.origin,
    "websockets[].probe_path": values.url_path,
    "websockets[].subprotocols[]": values.http_token,
    "api[].path": values.url_path,
    "api[].backend": values.backend_name,
    "api[].timeout": values.time,
    "api[].max_body_size": values.size,
    "api[].cors.origins[]": values.origin,
    "api[].cors.methods[]": values.http_token,
    "api[].cors.headers[]": values.http_token,
    "api[].cors.max_age": values.number(0, 31536000, "seconds"),
    "uploads[].path": values.url_path,
    "uploads[].backend": values.backend_name,
    "uploads[].max_body_size": values.size,
    "uploads[].timeout": values.time,
    "max_body_size": values.size,
    "limits.sockets": values.number(1, 100_000, "a number of sockets"),
    "limits.handshakes_per_minute": values.number(1, 60_000, "a number of handshakes"),
    "limits.requests_per_second": values.number(1, 100_000, "a number of requests"),
    "limits.burst": values.number(1, 100_000, "a number of requests"),
    "limits.header_size": values.header_size,
    "spa.root": values.file_path,
    "spa.assets[]": values.url_path,
    "access_log": values.file_or("auto", "none"),
    "security_headers.key": values.header_name,
    "security_headers.value": values.header_value_or_none,
    "includes[]": values.file_path,
    "file": values.file_path,
}

_SERVICE: Dict[str, Callable[[Any], Problem]] = {
    "name": service_values.unit_name,
    "user": service_values.ordinary_user,
    "group": service_values.ordinary_user,
    "working_directory": values.file_path,
    "command[]": service_values.command_word,
    "port": values.port,
    "environment.key": service_values.environment_name,
    "environment.value": service_values.command_word,
    "environment_file": values.file_path,
    "writable_paths[]": values.file_path,
    "after[]": service_values.unit_file_name,
    "start_timeout": values.number(1, 600, "seconds"),
}

RULES: Dict[str, Callable[[Any], Problem]] = {
    **{f"{_SITES}.{place}": rule for place, rule in _SITE.items()},
    "nginx_websocket_max_sockets": values.number(0, 1_000_000, "a number of sockets"),
    **{f"nginx_websocket_backend_service.{place}": rule for place, rule in _SERVICE.items()},
    "nginx_websocket_binary": values.file_or(""),
    "nginx_websocket_conf_path": values.file_or(""),
    "nginx_websocket_site_dir": values.file_or(""),
    "nginx_websocket_enabled_dir": values.file_or(""),
    "nginx_websocket_state_dir": values.file_path,
    "nginx_websocket_keep_backups": values.number(1, 1000, "a number of backups"),
    "nginx_websocket_lock_timeout": values.number(0, 3600, "seconds"),
    "nginx_websocket_proof_timeout": values.number(1, 600, "seconds"),
    "nginx_websocket_confirm_window": values.number(0, 86400, "seconds"),
    "nginx_websocket_detect_timeout": values.number(1, 60, "seconds"),
    "nginx_websocket_verify_address": values.host_or_address,
    "nginx_websocket_verify_ca_file": values.local_file,
    "nginx_websocket_verify_timeout": values.number(1, 300, "seconds"),
    "nginx_websocket_serial[]": values.batch,
    "nginx_websocket_max_fail_percentage": values.number(0, 100, "percent"),
    "nginx_websocket_soak": values.number(0, 86400, "seconds"),
    "nginx_websocket_soak_interval": values.number(1, 3600, "seconds"),
    "nginx_websocket_summary_json": values.local_file,
    "nginx_websocket_summary_junit": values.local_file,
    "nginx_websocket_summary_html": values.local_file,
    "nginx_websocket_summary_retry": values.local_file,
    "nginx_websocket_rollback_to": values.rollback_point,
    "nginx_websocket_reason": values.one_line,
}
