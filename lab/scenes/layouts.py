"""Layouts of nginx's files as other packages and hosting panels have them, rebuilt around Debian's binary.

What nginx.org's package and panels ship cannot be fetched everywhere; their directories, accounts, units and
command lines are what a deployment meets, and those are rebuilt here. Each host serves lammp.test as `broken`
does.
"""

from __future__ import annotations

from ..files.tree import Tree

UNITS = "/etc/systemd/system"

PANEL = "/www/server/nginx"
PANEL_SITES = "/www/server/panel/vhost/nginx"
PANEL_COMMAND = f"{PANEL}/sbin/nginx -p {PANEL} -c conf/nginx.conf"

DEBIAN_CONF_D = """\
user www-data;
worker_processes auto;
pid /run/nginx.pid;
include /etc/nginx/modules-enabled/*.conf;

events {
    worker_connections 768;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    error_log /var/log/nginx/error.log;

    include /etc/nginx/conf.d/*.conf;
}
"""

NGINX_ORG = """\
user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;
    access_log  /var/log/nginx/access.log;
    keepalive_timeout  65;

    include /etc/nginx/conf.d/*.conf;
}
"""

NGINX_ORG_DEFAULT = """\
server {
    listen       80;
    server_name  localhost;

    location / {
        root   /var/www/html;
        index  index.html;
    }
}
"""

# Reload and stop are signals: neither looks at the configuration first.
NGINX_ORG_UNIT = """\
[Unit]
Description=nginx with the unit of nginx.org's package
After=network.target

[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStartPre=+/bin/systemd-sysusers /etc/sysusers.d/nginx.conf
ExecStart=/usr/sbin/nginx -c /etc/nginx/nginx.conf
ExecReload=/bin/kill -s HUP $MAINPID
ExecStop=/bin/kill -s TERM $MAINPID

[Install]
WantedBy=multi-user.target
"""

PANEL_CONF = f"""\
user  www-data;
worker_processes auto;
error_log  /www/wwwlogs/nginx_error.log  crit;
pid        {PANEL}/logs/nginx.pid;

events {{
    use epoll;
    worker_connections 4096;
    multi_accept on;
}}

http {{
    include       mime.types;
    default_type  application/octet-stream;
    server_names_hash_bucket_size 512;
    client_max_body_size 50m;
    access_log off;

    include {PANEL_SITES}/*.conf;
}}
"""

PANEL_UNIT = f"""\
[Unit]
Description=nginx as a hosting panel starts it
After=network.target

[Service]
Type=forking
PIDFile={PANEL}/logs/nginx.pid
ExecStartPre=/bin/cp /usr/sbin/nginx {PANEL}/sbin/nginx
ExecStartPre=/bin/cp /etc/nginx/mime.types {PANEL}/conf/mime.types
ExecStart={PANEL_COMMAND}
ExecReload=/bin/kill -s HUP $MAINPID
ExecStop=/bin/kill -s QUIT $MAINPID

[Install]
WantedBy=multi-user.target
"""

# Fedora's family: a default server in the main file itself, and a unit whose reload does parse first.
EL = """\
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    access_log /var/log/nginx/access.log;
    sendfile on;
    types_hash_max_size 4096;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;

    include /etc/nginx/conf.d/*.conf;

    server {
        listen 80;
        server_name _;
        root /var/www/html;
        include /etc/nginx/default.d/*.conf;
    }
}
"""

EL_UNIT = """\
[Unit]
Description=nginx with the unit of Fedora's family
After=network.target

[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStartPre=+/bin/systemd-sysusers /etc/sysusers.d/nginx.conf
ExecStartPre=/bin/rm -f /run/nginx.pid
ExecStartPre=/usr/sbin/nginx -t
ExecStart=/usr/sbin/nginx
ExecReload=/usr/sbin/nginx -s reload
KillSignal=SIGQUIT
KillMode=mixed
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""

# Alpine: sites are in http.d, and conf.d is for the main context, where a site's file would be an error.
ALPINE = """\
user nginx;
worker_processes auto;
pcre_jit on;
error_log /var/log/nginx/error.log warn;
pid /run/nginx.pid;

include /etc/nginx/modules/*.conf;
include /etc/nginx/conf.d/*.conf;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    server_tokens off;
    client_max_body_size 1m;
    access_log /var/log/nginx/access.log;

    include /etc/nginx/http.d/*.conf;
}
"""

# openSUSE: two directories, by patterns that are relative to the main file's.
OPENSUSE = """\
user nginx;
worker_processes 1;
error_log /var/log/nginx/error.log;
pid /run/nginx.pid;

events {
    worker_connections 1024;
    use epoll;
}

http {
    include mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;

    include conf.d/*.conf;

    server {
        listen 80;
        server_name localhost;
        root /var/www/html;
    }

    include vhosts.d/*.conf;
}
"""

# Arch: one file, no directory for sites.
ARCH = """\
worker_processes 1;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include mime.types;
    default_type application/octet-stream;

    server {
        listen 80;
        server_name localhost;
        root /var/www/html;
    }
}
"""


def conf_d(tree: Tree, site: bytes) -> None:
    """Include conf.d alone."""
    tree.file("/etc/nginx/nginx.conf", DEBIAN_CONF_D)
    tree.file("/etc/nginx/conf.d/lammp.test.conf", site)


def nginx_org(tree: Tree, site: bytes) -> None:
    """Rebuild nginx.org's package: conf.d alone, the user nginx, a unit that reloads by a signal."""
    tree.file("/etc/nginx/nginx.conf", NGINX_ORG)
    tree.file("/etc/nginx/conf.d/default.conf", NGINX_ORG_DEFAULT)
    tree.file("/etc/nginx/conf.d/lammp.test.conf", site)
    _user_nginx(tree, NGINX_ORG_UNIT)


def el(tree: Tree, site: bytes) -> None:
    """Rebuild the package of Fedora's family: conf.d, and a default server in the main file."""
    tree.file("/etc/nginx/nginx.conf", EL)
    tree.directory("/etc/nginx/default.d")
    tree.file("/etc/nginx/conf.d/lammp.test.conf", site)
    _user_nginx(tree, EL_UNIT)


def alpine(tree: Tree, site: bytes) -> None:
    """Rebuild Alpine's package under systemd: http.d for sites, conf.d for the main context."""
    tree.file("/etc/nginx/nginx.conf", ALPINE)
    tree.directory("/etc/nginx/modules")
    tree.file("/etc/nginx/http.d/lammp.test.conf", site)
    _user_nginx(tree, NGINX_ORG_UNIT)


def opensuse(tree: Tree, site: bytes) -> None:
    """Rebuild openSUSE's package: conf.d and vhosts.d, by relative patterns; the site is in vhosts.d."""
    tree.file("/etc/nginx/nginx.conf", OPENSUSE)
    tree.file("/etc/nginx/vhosts.d/lammp.test.conf", site)
    _user_nginx(tree, NGINX_ORG_UNIT)


def arch(tree: Tree, site: bytes) -> None:
    """Rebuild Arch's package, which includes no directory; the site's file lies where nginx does not look."""
    tree.file("/etc/nginx/nginx.conf", ARCH)
    tree.file("/etc/nginx/lammp.test.conf", site)


def _user_nginx(tree: Tree, unit: str) -> None:
    """Add a unit that makes the account `nginx` first."""
    tree.file("/etc/sysusers.d/nginx.conf", 'u nginx - "nginx user" /var/cache/nginx\n')
    tree.file(f"{UNITS}/nginx.service", unit)


def panel(tree: Tree, site: bytes) -> None:
    """Rebuild a hosting panel's nginx, while /etc/nginx with an old file of the site still lies there."""
    tree.file(f"{PANEL}/conf/nginx.conf", PANEL_CONF)
    for directory in ("sbin", "logs"):
        tree.directory(f"{PANEL}/{directory}")
    tree.directory("/www/wwwlogs")
    tree.file(f"{PANEL_SITES}/lammp.test.conf", site)
    tree.file(f"{UNITS}/panel-nginx.service", PANEL_UNIT)
    tree.link(f"{UNITS}/multi-user.target.wants/panel-nginx.service", f"{UNITS}/panel-nginx.service")
    tree.link(f"{UNITS}/nginx.service", "/dev/null")
    tree.file("/etc/nginx/sites-available/lammp.test", site)
    tree.link("/etc/nginx/sites-enabled/lammp.test", "/etc/nginx/sites-available/lammp.test")
