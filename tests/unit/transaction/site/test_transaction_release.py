"""The release id proves by itself whether a file was edited."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from module_utils.nginx_websocket.transaction.site.release import (
    LITERAL,
    claimed,
    pristine,
    release_id,
    stamped,
)
from module_utils.nginx_websocket.transaction.tree.evidence import hand_edit, masked_line

MARK = b"location = /.well-known/nginx-websocket/@RELEASE@ { return 200 @RELEASE@; }\n"


def test_the_id_is_the_digest_of_the_content_with_the_literal():
    assert release_id(MARK) == hashlib.sha256(MARK).hexdigest()[:32]
    assert stamped(MARK).count(release_id(MARK).encode()) == 2 and LITERAL not in stamped(MARK)
    assert claimed(stamped(MARK)) == release_id(MARK)


def test_files_of_others_claim_nothing():
    for content in (b"", b"server {}", b"# /.well-known/nginx-websocket/short", MARK):
        assert claimed(content) is None and not pristine(content)


@given(
    st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 400), st.binary(min_size=1, max_size=3)
)
def test_any_edit_shows(before, after, place, edit):
    content = before.replace(b"@", b"") + MARK + after.replace(b"@", b"")
    live = stamped(content)
    assert pristine(live)
    place %= len(live) + 1
    edited = live[:place] + edit + live[place:]
    if edited != live:
        assert not pristine(edited)


def test_a_hand_edit_is_shown_without_its_secrets():
    text = hand_edit(b"a;\nb;\n", b"a;\nproxy_set_header Authorization 'Bearer abcdefghijkl';\n", "/etc/x")
    assert text.splitlines()[:2] == ["--- /etc/x (release)", "+++ /etc/x (now)"]
    assert "-b;" in text and "+proxy_set_header Authorization ***;" in text


def test_masking():
    assert masked_line("  proxy_set_header X-Api-Key s3cr3t;") == "  proxy_set_header X-Api-Key ***;"
    assert masked_line('set $my_token "abc def";') == "set $my_token ***;"
    assert masked_line("proxy_pass http://user:pass@10.0.0.1;") == "proxy_pass http://user:***@10.0.0.1;"
    same = "proxy_set_header Authorization $http_authorization;"
    assert masked_line(same) == same
    for plain in ("listen 443 ssl;", "ssl_certificate_key /etc/x.pem;", "server_name token.example.org;"):
        assert masked_line(plain) == plain
    assert len(masked_line("x" * 1000)) == 160
