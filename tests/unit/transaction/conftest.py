"""An nginx tree in a temporary directory, and the instance that reads it."""

from __future__ import annotations

import os
from typing import Callable

import pytest

from module_utils.nginx_websocket.host.layout import Layout
from module_utils.nginx_websocket.transaction.site.instance import Instance

MAIN = """\
events {{}}
error_log {root}/error.log;
http {{
    include {root}/conf.d/*.conf;
    include {root}/sites-enabled/*;
}}
"""


class Tree:
    """A small Debian-like tree."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.main = self.write("nginx.conf", MAIN.format(root=self.root))
        for name in ("conf.d", "sites-available", "sites-enabled"):
            os.mkdir(self.path(name))

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def write(self, name: str, content: str) -> str:
        with open(self.path(name), "w", encoding="utf-8") as stream:
            stream.write(content)
        return self.path(name)

    def enable(self, name: str, content: str) -> str:
        self.write(f"sites-available/{name}", content)
        os.symlink(f"../sites-available/{name}", self.path(f"sites-enabled/{name}"))
        return self.path(f"sites-enabled/{name}")

    def instance(self, kind: str = "sites-available", **more: object) -> Instance:
        if kind == "sites-available":
            layout = Layout(
                kind,
                self.main,
                self.path("sites-available"),
                self.path("sites-enabled"),
                self.path("sites-enabled/*"),
                f"{self.main}:5",
            )
        else:
            layout = Layout(
                kind, self.main, self.path("conf.d"), None, self.path("conf.d/*.conf"), f"{self.main}:4"
            )
        return Instance("/usr/sbin/nginx", self.main, layout=layout, version=(1, 22, 1), **more)  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path) -> Tree:
    return Tree(str(tmp_path))


@pytest.fixture
def make_tree(tmp_path) -> Callable[[str], Tree]:
    def make(name: str) -> Tree:
        os.mkdir(tmp_path / name)
        return Tree(str(tmp_path / name))

    return make
