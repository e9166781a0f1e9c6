"""The question's request, followed through the configuration by the room ``behaviour``."""

from __future__ import annotations

from ...behaviour.behaviour import behaviour
from ...behaviour.request import Request
from ...behaviour.route import Route, route
from ...behaviour.stream import passage
from . import place
from .facts import Facts


def followed(facts: Facts, request: Request) -> Route:
    """The route of a request, also behind a ``stream`` server of the same nginx."""
    configuration = facts.configuration
    assert configuration is not None
    files = place.file_kinds(facts)
    facts.request = request
    facts.passage = passage(configuration, request, facts.version)
    if facts.passage is not None:
        return behaviour(configuration, request, version=facts.version, files=files, admitted=True).route
    return route(configuration, request, version=facts.version, file_kind=files)
