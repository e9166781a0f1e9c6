"""What the host alone decides: ports, files, certificates; and what it cannot carry."""

import base64

import pytest

from roles.nginx_websocket.site_model import fit, live_files
from tests.unit.role.rendering import checked, facts, render

SITE = {"name": "a.example", "backends": [{"name": "app"}], "websockets": [{"path": "/ws/"}]}
FILE = "/etc/nginx/sites-enabled/a.example"


def prepared(site=SITE, **host):
    plan = checked(site)
    assert plan["errors"] == []
    return plan, facts(plan, **host)


def silent(found):
    """Let no backend answer."""
    for backend in found["backends"].values():
        backend.update(answered=False, port=None, address="")


def slurped(text):
    return [
        {"item": {"site": "a.example", "path": FILE}, "content": base64.b64encode(text.encode()).decode()}
    ]


def test_a_backend_that_answers_elsewhere_is_taken_where_it_answers():
    plan, found = prepared()
    found["backends"]["a_example_app"].update(port=3000, address="[::1]:3000")
    result = fit(plan["sites"], found)
    assert "server [::1]:3000;" in render(result["candidates"][0]["model"])
    assert result["candidates"][0]["deploy"]["routes"][0]["backend"] == "http://[::1]:3000"
    assert result["sites"][0]["backends"][0]["port"] == 3000
    assert result["warnings"] == []


def test_a_silent_backend_keeps_the_port_of_the_live_file():
    plan, found = prepared(ports={"a_example_app": 3000})
    live = render(fit(plan["sites"], found)["candidates"][0]["model"])
    silent(found)
    found["nginx"]["sites"] = [{"names": ["a.example"], "file": FILE}]
    assert live_files(plan["sites"], found) == [{"site": "a.example", "path": FILE}]
    result = fit(plan["sites"], found, slurped(live))
    assert render(result["candidates"][0]["model"]) == live
    assert result["warnings"] == [
        "a.example: backend app does not answer: its port stays 3000, as in the live file; "
        "the site is deployed all the same."
    ]


@pytest.mark.parametrize(
    "live", ["", "server { listen 80; }", "upstream other_app {\n    server 127.0.0.1:1;\n}\n"]
)
def test_a_silent_backend_without_a_former_port_gets_its_first_candidate(live):
    plan, found = prepared()
    silent(found)
    result = fit(plan["sites"], found, slurped(live))
    assert "server 127.0.0.1:8000;" in render(result["candidates"][0]["model"])
    assert "its port stays 8000, the first candidate" in result["warnings"][0]


def test_a_silent_backend_keeps_the_port_of_a_file_of_somebody_else():
    plan, found = prepared()
    silent(found)
    found["backends"]["a_example_app"]["port"] = 3000
    result = fit(plan["sites"], found)
    assert "server 127.0.0.1:3000;" in render(result["candidates"][0]["model"])
    assert "its port stays 3000, as in the live file" in result["warnings"][0]


def test_nothing_is_read_when_all_answer():
    plan, found = prepared()
    found["nginx"]["sites"] = [{"names": ["a.example"], "file": FILE}]
    assert live_files(plan["sites"], found) == []


def refusals(plan, found):
    result = fit(plan["sites"], found)
    assert result["candidates"] == []
    return result["errors"]


def test_no_nginx():
    plan, found = prepared()
    found["nginx"] = {"found": False, "message": "no nginx on this host: install it (apt install nginx)"}
    assert refusals(plan, found) == ["no nginx on this host: install it (apt install nginx)"]


def test_another_nginx_than_the_one_that_is_named():
    plan, found = prepared()
    found["nginx"] = {"found": True, "message": "no nginx here: /opt/nginx does not exist"}
    assert refusals(plan, found) == ["no nginx here: /opt/nginx does not exist"]


def test_several_nginx():
    plan, found = prepared()
    found["nginx"] = {"found": False, "ambiguous": True, "message": "two masters run."}
    assert refusals(plan, found) == [
        "two masters run. nginx_websocket_binary and nginx_websocket_conf_path say which one is meant."
    ]


def test_no_layout():
    plan, found = prepared()
    found["nginx"]["layout_error"] = "no include in http."
    assert refusals(plan, found) == [
        "no include in http. nginx_websocket_site_dir says where site files belong."
    ]
    plan, found = prepared({**SITE, "file": "/etc/nginx/own.conf"})
    found["nginx"]["layout_error"] = "no include in http."
    assert fit(plan["sites"], found)["errors"] == []


def test_a_certificate_that_nginx_could_not_load():
    plan, found = prepared({**SITE, "redirect_www": True})
    path = "/etc/letsencrypt/live/a.example/fullchain.pem"
    found["certificates"][0].update(usable=False, problem=f"{path} does not exist")
    (error,) = refusals(plan, found)
    assert error == (
        f"nginx_websocket_sites[0].tls.certificate is '{path}', expected a certificate and key that nginx "
        f"can load: {path} does not exist. Issue it (certbot certonly --webroot -w /var/www/html "
        "-d a.example -d www.a.example), name the right files, or set tls.enabled to false."
    )


def test_a_certificate_that_browsers_will_refuse_is_refused_before_activation():
    plan, found = prepared({**SITE, "redirect_www": True})
    found["certificates"][0].update(missing_names=["www.a.example"], days_left=3.5)
    (error,) = fit(plan["sites"], found)["errors"]
    assert "expected a certificate that is valid for www.a.example, too" in error
    assert "-d a.example -d www.a.example), or set redirect_www to false." in error
    assert any("expires in 3 days" in warning for warning in fit(plan["sites"], found)["warnings"])
    found["certificates"][0].update(missing_names=[], days_left=-1.0)
    (error,) = fit(plan["sites"], found)["errors"]
    assert "expected a certificate that has not expired. Renew it first" in error


@pytest.mark.parametrize("key", ["options_file", "dhparam"])
def test_a_named_file_that_is_missing(key):
    plan, found = prepared({**SITE, "tls": {key: "/etc/nginx/tls.conf"}}, missing=["/etc/nginx/tls.conf"])
    (error,) = refusals(plan, found)
    assert error.startswith(f"nginx_websocket_sites[0].tls.{key} is '/etc/nginx/tls.conf', expected a file")


def test_a_file_of_the_users_own_that_is_missing():
    plan, found = prepared({**SITE, "includes": ["/etc/nginx/own.conf"]}, missing=["/etc/nginx/own.conf"])
    (error,) = refusals(plan, found)
    assert error == (
        "nginx_websocket_sites[0].includes[0] is '/etc/nginx/own.conf', expected a file that exists on the "
        "host. Put it there first."
    )


def test_a_site_without_tls_asks_for_no_certificate():
    plan, found = prepared({**SITE, "tls": {"enabled": False}})
    assert found["certificates"] == []
    content = render(fit(plan["sites"], found)["candidates"][0]["model"])
    assert "ssl" not in content
    assert "listen 80;" in content


def test_certificates_stay_with_their_sites():
    plan = checked({**SITE, "tls": {"enabled": False}}, {**SITE, "name": "b.example"})
    found = facts(plan)
    found["certificates"][0].update(usable=False, problem="it does not exist")
    (error,) = refusals(plan, found)
    assert error.startswith("nginx_websocket_sites[1].tls.certificate is '/etc/letsencrypt/live/b.example/")


def test_a_page_directory_that_is_missing_is_told():
    plan, found = prepared({**SITE, "spa": {"root": "/srv/a"}}, missing=["/srv/a"])
    result = fit(plan["sites"], found)
    assert result["errors"] == []
    assert result["warnings"] == [
        "nginx_websocket_sites[0].spa.root: /srv/a does not exist on the host; its pages are missing."
    ]


@pytest.mark.parametrize(
    ("backend", "where"),
    [
        ({"socket": "/run/a.sock"}, "http://unix:/run/a.sock"),
        ({"servers": [{"host": "10.0.0.1", "port": 80}]}, "http://10.0.0.1:80"),
        (
            {"servers": [{"host": "10.0.0.1", "port": 80}, {"socket": "/run/b.sock", "backup": True}]},
            "http://10.0.0.1:80 http://unix:/run/b.sock",
        ),
        ({"servers": [{"socket": "/run/b.sock"}], "tls": {"enabled": True}}, "https://unix:/run/b.sock"),
        ({"ports": [8443], "tls": {"enabled": True}}, "https://127.0.0.1:8443"),
    ],
)
def test_the_proof_knows_where_the_backend_is(backend, where):
    plan, found = prepared({**SITE, "backends": [{"name": "app", **backend}]})
    result = fit(plan["sites"], found)
    assert result["warnings"] == []
    assert result["candidates"][0]["deploy"]["routes"][0]["backend"] == where


def test_the_access_log_lies_beside_nginxs_own():
    plan, found = prepared()
    found["nginx"]["error_logs"] = ["/www/wwwlogs/nginx_error.log"]
    content = render(fit(plan["sites"], found)["candidates"][0]["model"])
    assert "access_log /www/wwwlogs/a.example.access.log a_example;" in content


def test_the_live_certificate_is_carried_over():
    plan, found = prepared()
    assert plan["questions"]["certificates"][0]["carry_over"] is True
    found["certificates"][0].update(certificate="/etc/ssl/own/a.pem", key="/etc/ssl/own/a.key")
    result = fit(plan["sites"], found)
    content = render(result["candidates"][0]["model"])
    assert "ssl_certificate /etc/ssl/own/a.pem;" in content
    assert "ssl_certificate_key /etc/ssl/own/a.key;" in content
    assert result["sites"][0]["tls"]["certificate"] == "/etc/ssl/own/a.pem"


def test_a_live_path_that_cannot_be_written_is_said():
    plan, found = prepared()
    found["certificates"][0].update(certificate="/etc/ssl/my own.pem", key="/etc/ssl/a.key")
    result = fit(plan["sites"], found)
    assert ".tls.certificate is '/etc/ssl/my own.pem', expected an absolute path" in result["errors"][0]


def test_what_the_variables_say_is_not_replaced():
    site = {"name": "a.example", "tls": {"certificate": "/c.pem"}}
    plan = checked(site)
    assert plan["questions"]["certificates"][0]["carry_over"] is False


def test_a_certificate_for_none_of_the_names_is_refused():
    plan, found = prepared()
    names = found["certificates"][0]["names"]
    found["certificates"][0].update(missing_names=list(names), names=["other.example"])
    (error,) = fit(plan["sites"], found)["errors"]
    assert "expected a certificate for a.example; this one is for other.example" in error
