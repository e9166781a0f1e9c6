"""Random and hostile values for every variable: refused, or kept inside their directive.

``HYPOTHESIS_EXAMPLES=100000 pytest tests/unit/role/test_hostile_values.py`` is the long form.
"""

import copy
import os
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from module_utils.nginx_websocket.conf.load import load
from roles.nginx_websocket.site_model import check
from tests.unit.role.rendering import checked, rendered

SITES = yaml.safe_load(Path(__file__).with_name("sites.yml").read_text())
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "400"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

#: Words that mean something other than a value.
SPECIAL = {"/", "*", "auto", "none", "0", "", "null", "proxy_protocol"}

CHARACTERS = "\\\"'{};#$ \t\n\r\0\x7f%&|<>()[]*^~?!:/.,+-_@=a0Zé\u00a0\u2028"


def leaves(value, place=()):
    """Yield the place of every text and number."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from leaves(item, (*place, key))
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value) not in SPECIAL:
        yield place


PLACES = [(index, place) for index, site in enumerate(SITES) for place in leaves(site)]


def at(site, place):
    for key in place:
        site = site[key]
    return site


def mutations(value):
    """Return values made from a good one, most of them bad."""
    text = str(value)
    nasty = st.text(st.sampled_from(CHARACTERS), max_size=8)
    near = st.integers(0, len(text)).flatmap(
        lambda cut: st.tuples(nasty, st.integers(0, 3)).map(
            lambda part: text[:cut] + part[0] + text[cut + part[1] :]
        )
    )
    return st.one_of(near, near, nasty, st.text(max_size=20), st.integers(-(10**20), 10**20))


@st.composite
def mutated(draw):
    """Draw a site with one to three values changed, and its index."""
    index = draw(st.integers(0, len(SITES) - 1))
    site = copy.deepcopy(SITES[index])
    places = [place for number, place in PLACES if number == index]
    for place in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique=True)):
        value = draw(mutations(at(SITES[index], place)))
        if str(value) not in SPECIAL:
            at(site, place[:-1])[place[-1]] = value
    return index, site


def skeleton(content):
    """Return which directives there are, within which, with how many arguments; values do not count."""
    text = b"http {\n" + content.encode() + b"}\n"
    tree = load("/n.conf", read=lambda path: text if path == "/n.conf" else b"", glob=lambda pattern: [])

    def shape(directive):
        if directive.parent is not None and directive.parent.name == b"map":
            return ("entry", len(directive.args))
        inner = None if directive.block is None else frozenset(Counter(map(shape, directive.block)).items())
        return (directive.name, len(directive.args), inner)

    assert len(tree.root) == 1
    return shape(tree.root[0])


#: Origins as they are listed: a site's own come from its names and its port, which a mutation may change.
LISTED = {"own_origins": False}
GOOD = [skeleton(rendered({**site, **LISTED})[0]) for site in SITES]


@FUZZ
@given(mutated())
def test_what_is_accepted_stays_inside_its_directive(case):
    index, site = case
    headers = site.get("security_headers")
    if isinstance(headers, dict) and "" in headers.values():
        return  # takes a header away
    site = {**site, **LISTED}
    if not checked(site)["errors"]:
        assert skeleton(rendered(site)[0]) == GOOD[index]


ATTACKS = [
    ";",
    " ",
    " ;",
    "{",
    "}",
    '"',
    "'",
    "\\",
    "#",
    " #",
    "\n",
    "$host",
    "${host}",
    "; return 444; #",
    "\\n",
]


@pytest.mark.parametrize(("index", "place"), PLACES, ids=lambda part: str(part))
def test_no_attack_leaves_its_directive(index, place):
    """Each of the characters that mean something to nginx, in front of, within and behind each value."""
    value = str(at(SITES[index], place))
    middle = len(value) // 2
    for attack in ATTACKS:
        for hostile in (attack + value, value[:middle] + attack + value[middle:], value + attack):
            site = copy.deepcopy({**SITES[index], **LISTED})
            at(site, place[:-1])[place[-1]] = hostile
            if not checked(site)["errors"]:
                assert skeleton(rendered(site)[0]) == GOOD[index], hostile


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=10),
        st.binary(max_size=5),
        st.dates(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=8), st.integers()), inner, max_size=3),
    ),
    max_leaves=6,
)


@st.composite
def replaced(draw):
    """Draw a site in which anything at all stands at some place."""
    site = copy.deepcopy(SITES[0])
    place = draw(st.sampled_from([place for number, place in PLACES if number == 0]))
    place = place[: draw(st.integers(1, len(place)))]
    at(site, place[:-1])[place[-1]] = draw(ANYTHING)
    return site


@FUZZ
@given(replaced())
def test_a_value_of_any_type_is_accepted_or_refused_but_never_a_crash(site):
    result = checked(site)
    assert all("\n" not in error for error in result["errors"])
    if not result["errors"]:
        assert rendered(site)


@FUZZ
@given(ANYTHING)
def test_the_variable_itself_may_be_anything(value):
    assert check({"nginx_websocket_sites": value})["errors"]


def test_the_skeleton_sees_an_escape():
    """The comparison would notice a value that leaves its directive."""
    content = rendered(SITES[0])[0]
    assert skeleton(content.replace("5m;", "5m; return 200;")) != GOOD[0]
    assert skeleton(content.replace("proxy_ssl_verify on;", "proxy_ssl_verify on off;")) != GOOD[0]


@pytest.mark.parametrize("index", range(len(SITES)))
def test_every_value_is_reached(index):
    assert sum(1 for number, _ in PLACES if number == index) > 5
