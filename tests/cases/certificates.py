"""Certificates for the cases that speak TLS, made with the openssl command on first use.

Kinds: ``valid`` (127.0.0.1, localhost, app.example.test), ``wrong-name``, ``expired``, ``self-signed``.
"""

from __future__ import annotations

import os
import subprocess
from typing import Dict

NAMES = {"wrong-name": "DNS:other.example.test"}
VALID_NAMES = "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:app.example.test"
BACKEND_NAMES = "DNS:backend.example.test,IP:127.0.0.1"

CA_CONFIGURATION = """[ca]
default_ca=c
[c]
database={0}/index
serial={0}/serial
new_certs_dir={0}
default_md=sha256
policy=p
[p]
commonName=supplied
"""


def make_certificates(kind: str, directory: str) -> None:
    """Write ca.pem, cert.pem, key.pem, backend.pem and backend.key into the directory.

    Args:
        kind: one of the kinds above; it is the server's certificate that has the fault.
        directory: is made when it does not exist.
    """
    os.makedirs(directory, exist_ok=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl(
        directory,
        "req",
        "-x509",
        *key,
        "-days",
        "30",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=Lab Test CA",
    )
    files: Dict[str, str] = {"cert": "key.pem", "backend": "backend.key"}
    for name, key_file in files.items():
        names = BACKEND_NAMES if name == "backend" else NAMES.get(kind, VALID_NAMES)
        with open(os.path.join(directory, "extensions"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        _openssl(
            directory, "req", "-new", *key, "-keyout", key_file, "-out", name + ".csr", "-subj", "/CN=lab"
        )
        if name == "cert" and kind == "expired":
            _expired(directory)
        elif name == "cert" and kind == "self-signed":
            _openssl(
                directory,
                "req",
                "-x509",
                "-key",
                key_file,
                "-in",
                "cert.csr",
                "-days",
                "30",
                "-out",
                "cert.pem",
                "-addext",
                "subjectAltName=" + names,
            )
        else:
            _openssl(
                directory,
                "x509",
                "-req",
                "-in",
                name + ".csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "30",
                "-out",
                name + ".pem",
                "-extfile",
                "extensions",
            )


def _expired(directory: str) -> None:
    for name, content in (("ca.cnf", CA_CONFIGURATION.format(directory)), ("index", ""), ("serial", "01\n")):
        with open(os.path.join(directory, name), "w", encoding="ascii") as file:
            file.write(content)
    _openssl(
        directory,
        "ca",
        "-batch",
        "-config",
        "ca.cnf",
        "-cert",
        "ca.pem",
        "-keyfile",
        "ca.key",
        "-in",
        "cert.csr",
        "-out",
        "cert.pem",
        "-notext",
        "-startdate",
        "20230101000000Z",
        "-enddate",
        "20230201000000Z",
        "-extfile",
        "extensions",
    )


def _openssl(directory: str, *arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments], cwd=directory, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
