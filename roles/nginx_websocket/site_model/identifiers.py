"""Names for what nginx keeps for all files together: variables, upstreams, log formats.

Two sites must never share one, since nginx lets the last ``map`` of a variable win for all sites without a
word.
"""

from __future__ import annotations

import hashlib
from typing import Any, List, Mapping

#: nginx's ``variables_hash_bucket_size`` is 64 by default, and a name that does not fit stops it from
#: starting (``ngx_hash_init``). Two pointers, the length and the longest of our suffixes leave this much.
LONGEST_STEM = 24

DIGEST_LENGTH = 6


def stem(name: str) -> str:
    """Return the identifier that stands for a site, different for different sites.

    A dot becomes ``_`` and a hyphen ``__``; since the two are never neighbours in a host name, no two names
    become one. A name that begins with a digit gets a ``_`` in front, because ``$1`` is a capture in nginx. A
    long name is cut and ends in a digest of the whole.
    """
    identifier = name.replace("-", "__").replace(".", "_")
    if identifier[:1].isdigit():
        identifier = "_" + identifier
    if len(identifier) > LONGEST_STEM:
        digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_LENGTH]
        identifier = identifier[: LONGEST_STEM - DIGEST_LENGTH - 1].rstrip("_") + "_" + digest
    return identifier


def upstream(site: str, backend: str) -> str:
    """Return the name of the upstream of a site's backend."""
    return f"{stem(site)}_{backend.replace('-', '__')}"


def bracketed(host: str) -> str:
    """Return a host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def all_names(site: Mapping[str, Any]) -> List[str]:
    """Return every host name that a completed site answers to, the one that redirects among them."""
    return [*site["server_names"], *([site["www"]] if site["www"] else [])]
