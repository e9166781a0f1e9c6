"""meta/argument_specs.yml is the only source: defaults, rules and documentation follow it."""

import pytest
import yaml

from docs.generate_variables import document
from roles.nginx_websocket.site_model.specification import SPECIFICATION, options
from roles.nginx_websocket.site_model.values.rules import RULES
from tests.unit.role.rendering import ROOT

#: What play keywords read before the role is there.
OF_THE_PLAY = {"nginx_websocket_serial", "nginx_websocket_order", "nginx_websocket_max_fail_percentage"}


def leaves(known, place=""):
    """Yield place and option of every value that is no list and no dictionary with known keys."""
    for key, option in known.items():
        here = f"{place}.{key}" if place else key
        kind = option["type"]
        if kind == "list":
            here += "[]"
            kind = option["elements"]
        if "options" in option:
            yield from leaves(option["options"], here)
        elif kind == "dict":
            yield f"{here}.key", {"type": "str"}
            yield f"{here}.value", {"type": "str"}
        else:
            yield here, {**option, "type": kind}


def test_every_text_and_number_has_a_rule():
    wanted = {
        place for place, option in leaves(options()) if option["type"] != "bool" and "choices" not in option
    }
    assert wanted == set(RULES)


def test_defaults_of_the_role_are_those_of_the_specification():
    defaults = yaml.safe_load((ROOT / "roles/nginx_websocket/defaults/main.yml").read_text())
    wanted = {
        name: option["default"]
        for name, option in options().items()
        if "default" in option and name not in OF_THE_PLAY
    }
    assert defaults == wanted


def test_every_default_is_accepted_by_its_rule():
    for place, option in leaves(options()):
        default = option.get("default")
        for value in default if isinstance(default, list) else [default]:
            if place in RULES and value is not None and not place.endswith((".key", ".value")):
                assert RULES[place](value) is None, place


@pytest.mark.parametrize("place", list(leaves(options())), ids=lambda leaf: leaf[0])
def test_every_option_is_described(place):
    name, option = place
    if not name.endswith((".key", ".value")):
        assert option["description"]


def test_the_page_is_up_to_date():
    assert (ROOT / "docs/variables.md").read_text() == document(SPECIFICATION)
