"""Check the role's variables and complete them."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional

from . import service
from .hosting import refuse_clashes
from .questions import questions
from .sites import complete
from .specification import PREFIX, Reader, options

SITES = "nginx_websocket_sites"
SERIAL = "nginx_websocket_serial"


def check(variables: Mapping[str, Any]) -> Dict[str, Any]:
    """Check everything that the user has set, before anything is rendered.

    Args:
        variables: Every variable whose name begins with ``nginx_websocket_``, by name.

    Returns:
        A dictionary of ``sites`` (completed, empty unless all is right), ``settings`` (the other variables,
        without the prefix), ``service`` (the backend's unit, None where there shall be none), ``questions``
        (what `nginx_facts` must find out), ``warnings``, and ``errors`` (messages, each naming variable,
        value, what was expected and the fix).
    """
    reader = Reader()
    if SERIAL in variables:
        variables = {**variables, SERIAL: _batches(variables[SERIAL])}
    read = reader.mapping(variables, options(), "", "")
    settings = {name[len(PREFIX) :]: value for name, value in read.items() if name != SITES}
    sites: List[Dict[str, Any]] = []
    unit: Optional[Dict[str, Any]] = None
    if not reader.refusals:
        if not read[SITES]:
            reader.refuse(
                SITES, read[SITES], "at least one site", "Describe it in the variables of the host or group."
            )
        for index, site in enumerate(read[SITES]):
            sites.append(complete(site, f"{SITES}[{index}]", reader))
        refuse_clashes(sites, SITES, reader)
        if settings["backend_service"]:
            unit = service.complete(settings["backend_service"], settings["max_sockets"], reader)
    warnings: List[str] = []
    if unit and sites and service.LOG not in settings["accept"]:
        warnings = [text for text in [service.tells_secrets(settings["backend_service"], sites)] if text]
    errors = [str(refusal) for refusal in reader.refusals]
    if errors:
        sites = []
    asked = questions(sites, settings) if sites else {}
    return {
        "sites": sites,
        "settings": settings,
        "service": None if errors else unit,
        "questions": asked,
        "errors": errors,
        "warnings": warnings,
    }


def _batches(value: object) -> object:
    """Return sizes of batches as a list: a number or text such as ``1,25%`` is one too, as for the plays."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return re.findall("[0-9A-Za-z.%-]+", str(value)) or value
    return value
