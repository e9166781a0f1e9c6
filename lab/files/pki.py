"""The lab's certificate authority, and certificates laid out on a host as certbot does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence

from ..state import LabError, directory, lock
from .tree import Tree

LETSENCRYPT = "/etc/letsencrypt"
CA_DAYS = 3650
LEAF_DAYS = 397  # the longest that browsers take
RENEW_BEFORE = 30 * 86400  # seconds

CA_CONFIG = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = ca
[name]
CN = nginx-websocket lab CA
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

LEAF_EXTENSIONS = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""

# What certbot's own file of that name settles (protocols, ciphers, session cache), in the lab's words.
OPTIONS_SSL = """\
# TLS settings shared by the sites whose certificates certbot manages.
ssl_session_cache shared:le_nginx_SSL:10m;
ssl_session_timeout 1440m;
ssl_session_tickets off;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_prefer_server_ciphers off;
ssl_ciphers "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
DHE-RSA-AES128-GCM-SHA256";
"""

RENEWAL = """\
version = 2.1.0
archive_dir = {root}/archive/{name}
cert = {root}/live/{name}/cert.pem
privkey = {root}/live/{name}/privkey.pem
chain = {root}/live/{name}/chain.pem
fullchain = {root}/live/{name}/fullchain.pem

[renewalparams]
authenticator = nginx
installer = nginx
key_type = ecdsa
"""


def authority() -> Path:
    """Return the path of the lab CA's certificate, made once for each checkout."""
    folder = directory("ca")
    certificate = folder / "ca.crt"
    with lock("ca"):
        if not certificate.exists():
            config = folder / "ca.cnf"
            config.write_text(CA_CONFIG)
            _ec_key(folder / "ca.key")
            made = folder / "ca.new"
            command = ["req", "-x509", "-new", "-sha256", "-config", str(config), "-days", str(CA_DAYS)]
            _openssl(*command, "-key", str(folder / "ca.key"), "-out", str(made))
            made.replace(certificate)
    return certificate


def certificate(names: Sequence[str]) -> Path:
    """Return the folder with `cert.pem` and `privkey.pem` for the names, made anew before they expire.

    Args:
        names: DNS names, the first is the certificate's own.
    """
    ca = authority()
    folder = directory("ca", names[0])
    leaf, key = folder / "cert.pem", folder / "privkey.pem"
    extensions = LEAF_EXTENSIONS.format(names=", ".join(f"DNS:{name}" for name in names))
    recipe = folder / "extensions.cnf"
    with lock("ca"):
        if leaf.exists() and recipe.exists() and recipe.read_text() == extensions and _fresh(leaf, ca):
            return folder
        _ec_key(key)
        request = folder / "request.csr"
        _openssl("req", "-new", "-key", str(key), "-subj", f"/CN={names[0]}", "-out", str(request))
        recipe.write_text(extensions)
        command = ["x509", "-req", "-sha256", "-in", str(request), "-CA", str(ca), "-CAcreateserial"]
        command += ["-CAkey", str(ca.with_suffix(".key")), "-days", str(LEAF_DAYS), "-extfile", str(recipe)]
        made = folder / "cert.new"
        _openssl(*command, "-out", str(made))
        made.replace(leaf)
    return folder


def dhparams() -> bytes:
    """Return DH parameters of the group ffdhe2048 (RFC 7919, appendix A.1) in PEM."""
    path = directory("ca") / "dhparams.pem"
    with lock("ca"):
        if not path.exists():
            made = path.with_suffix(".new")
            group = ["-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"]
            _openssl("genpkey", "-genparam", *group, "-out", str(made))
            made.replace(path)
    return path.read_bytes()


def certbot(tree: Tree, names: Sequence[str]) -> None:
    """Add a certificate for the names to a host's tree as certbot leaves it: archive, live links, options.

    Args:
        tree: the host's files.
        names: DNS names, the first one names the folder below `live/`.
    """
    folder, chain = certificate(names), authority().read_bytes()
    leaf, name = (folder / "cert.pem").read_bytes(), names[0]
    contents = {
        "cert": leaf,
        "chain": chain,
        "fullchain": leaf + chain,
        "privkey": (folder / "privkey.pem").read_bytes(),
    }
    for part in ("archive", "live"):
        tree.directory(f"{LETSENCRYPT}/{part}", 0o700)
        tree.directory(f"{LETSENCRYPT}/{part}/{name}")
    for kind, content in contents.items():
        mode = 0o600 if kind == "privkey" else 0o644
        tree.file(f"{LETSENCRYPT}/archive/{name}/{kind}1.pem", content, mode)
        tree.link(f"{LETSENCRYPT}/live/{name}/{kind}.pem", f"../../archive/{name}/{kind}1.pem")
    tree.file(f"{LETSENCRYPT}/renewal/{name}.conf", RENEWAL.format(root=LETSENCRYPT, name=name))
    tree.file(f"{LETSENCRYPT}/options-ssl-nginx.conf", OPTIONS_SSL)
    tree.file(f"{LETSENCRYPT}/ssl-dhparams.pem", dhparams())


def _ec_key(path: Path) -> None:
    """Make a P-256 key that only its owner can read."""
    path.touch(mode=0o600)
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))
    path.chmod(0o600)


def _fresh(leaf: Path, ca: Path) -> bool:
    """Say whether a certificate is this CA's and has some weeks left."""
    checks = (
        ["x509", "-checkend", str(RENEW_BEFORE), "-noout", "-in", str(leaf)],
        ["verify", "-CAfile", str(ca), str(leaf)],
    )
    done = (subprocess.run(["openssl", *check], capture_output=True, check=False) for check in checks)
    return all(one.returncode == 0 for one in done)


def _openssl(*arguments: str) -> None:
    """Run openssl; its words become the error's."""
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError("the openssl command is missing: run `make setup`") from None
    if done.returncode != 0:
        raise LabError(f"`openssl {' '.join(arguments)}` failed: {done.stderr.strip()}")
