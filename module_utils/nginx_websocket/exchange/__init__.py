"""RFC 6455: the opening handshake, frames, and the probe built on them.

``handshake`` and ``frames`` are functions over bytes; ``connection``, ``tls`` and ``probe`` do the I/O;
``masking`` keeps tokens out of what is printed.
"""

from __future__ import annotations

from .endpoint import Address, Endpoint, address_text, parse_address, parse_url
from .expectation import unmet
from .frames import CLOSE_CODES, close_meaning
from .masking import masked_argv, masked_headers, masked_url
from .probe import probe
from .result import ERROR_KINDS, Probe

__all__ = [
    "CLOSE_CODES",
    "ERROR_KINDS",
    "Address",
    "Endpoint",
    "Probe",
    "address_text",
    "close_meaning",
    "masked_argv",
    "masked_headers",
    "masked_url",
    "parse_address",
    "parse_url",
    "probe",
    "unmet",
]
