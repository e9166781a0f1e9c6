"""Where sites belong, read from configurations as hosts have them."""

import os

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.host.layout import LayoutError, find_layout
from module_utils.nginx_websocket.host.sites import server_blocks


@pytest.fixture
def conf(tmp_path):
    """Writes files below a directory and loads its nginx.conf."""

    def write(main, **files):
        for name, text in {**files, "nginx.conf": main}.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return load(str(tmp_path / "nginx.conf"))

    return write


DEBIAN = "events {}\nhttp {\n include conf.d/*.conf;\n include sites-enabled/*;\n}\n"


def test_debian(conf, tmp_path):
    (tmp_path / "sites-available").mkdir()
    layout = find_layout(conf(DEBIAN))
    assert (layout.kind, layout.site_dir) == ("sites-available", str(tmp_path / "sites-available"))
    assert (layout.enabled_dir, layout.include) == (
        str(tmp_path / "sites-enabled"),
        str(tmp_path / "sites-enabled/*"),
    )
    assert layout.include_at == str(tmp_path / "nginx.conf") + ":4"
    assert layout.site_path("a.test") == str(tmp_path / "sites-available/a.test")


def test_conf_d_where_nothing_is_available(conf, tmp_path):
    layout = find_layout(conf(DEBIAN))
    assert (layout.kind, layout.site_dir, layout.enabled_dir) == ("conf.d", str(tmp_path / "conf.d"), None)
    assert layout.site_path("a.test") == str(tmp_path / "conf.d/a.test.conf")
    assert layout.site_path("a.conf") == str(tmp_path / "conf.d/a.conf")


def test_panel(conf, tmp_path):
    layout = find_layout(
        conf(
            "events {}\nstream { include tcp/*.conf; }\n"
            "http {\n include mime.types;\n include proxy/*.conf;\n"
            " server { listen 888; include inner/*.conf; }\n include panel/vhost/*.conf;\n}\n",
            **{
                "mime.types": "",
                "proxy__x.conf": "gzip on;",
                "panel__vhost__a.conf": "server {}",
                "inner__x.conf": "",
            },
        )
    )
    assert (layout.kind, layout.site_dir) == ("directory", str(tmp_path / "panel/vhost"))
    assert layout.suffix == ".conf"


def test_http_in_an_included_file(conf, tmp_path):
    (tmp_path / "sites-available").mkdir()
    layout = find_layout(
        conf("events {}\ninclude http.conf;\n", **{"http.conf": "http { include sites-enabled/*; }"})
    )
    assert layout.kind == "sites-available"
    assert layout.include_at == str(tmp_path / "http.conf") + ":1"


def test_names_that_the_pattern_asks_for(conf, tmp_path):
    layout = find_layout(conf("events {}\nhttp { include vhosts/site-*.inc; }\n"))
    assert (layout.prefix, layout.suffix) == ("site-", ".inc")
    path = layout.site_path("a.test")
    assert path == str(tmp_path / "vhosts/site-a.test.inc")
    assert layout.includes(path)
    for other in ("vhosts/a.test.inc", "vhosts/.site-a.inc", "vhosts/site-a.conf", "other/site-a.inc"):
        assert not layout.includes(str(tmp_path / other))


def test_dot_files_are_not_found_by_a_bare_star(conf, tmp_path):
    layout = find_layout(conf("events {}\nhttp { include sites/*; }\n"))
    assert layout.includes(str(tmp_path / "sites/a.test"))
    assert not layout.includes(str(tmp_path / "sites/.a.test"))


def test_nothing_included(conf):
    with pytest.raises(
        LayoutError, match=r"includes no directory.*add a line such as 'include .*/conf.d/\*.conf;'"
    ):
        find_layout(conf("events {}\nhttp { include mime.types; }\n", **{"mime.types": ""}))


def test_wishes(conf, tmp_path):
    (tmp_path / "sites-available").mkdir()
    configuration = conf(DEBIAN)
    layout = find_layout(configuration, site_dir=str(tmp_path / "conf.d") + "/")
    assert (layout.kind, layout.site_dir) == ("conf.d", str(tmp_path / "conf.d"))
    layout = find_layout(configuration, site_dir="/srv/sites", enabled_dir=str(tmp_path / "sites-enabled"))
    assert (layout.kind, layout.site_dir, layout.enabled_dir) == (
        "sites-available",
        "/srv/sites",
        str(tmp_path / "sites-enabled"),
    )
    with pytest.raises(LayoutError, match=r"nginx does not include /srv/sites.*conf\.d"):
        find_layout(configuration, site_dir="/srv/sites")


def test_symlinked_directory_is_the_same_directory(conf, tmp_path):
    configuration = conf(DEBIAN)
    (tmp_path / "conf.d").mkdir()
    os.symlink(tmp_path / "conf.d", tmp_path / "link")
    assert find_layout(configuration, site_dir=str(tmp_path / "link")).kind == "conf.d"


def test_servers_are_listed_with_their_places(conf, tmp_path):
    configuration = conf(
        "events {}\nstream { server { listen 1; } }\nhttp {\n include conf.d/*.conf;\n}\n",
        **{
            "conf.d__a.conf": "server {\n server_name a.test\n  *.a.test;\n server_name b.test;\n"
            " listen 443 ssl;\n"
            " listen [::]:443 ssl;\n ssl_certificate /c.pem;\n ssl_certificate_key /k.pem;\n}\n\nserver { }\n"
        },
    )
    first, second = server_blocks(configuration)
    assert first.names == ["a.test", "*.a.test", "b.test"]
    assert first.listen == ["443 ssl", "[::]:443 ssl"]
    assert (first.file, first.line) == (str(tmp_path / "conf.d/a.conf"), 1)
    assert (first.certificate, first.certificate_key) == ("/c.pem", "/k.pem")
    assert (second.names, second.listen, second.line) == ([], ["80"], 11)
