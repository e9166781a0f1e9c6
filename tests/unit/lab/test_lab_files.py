"""What a lab host gets before it boots: the page, the certificates, the scenes, the keys."""

import io
import re
import subprocess
import tarfile

import pytest

from lab import scenes
from lab.files import bundle, pki, ssh
from lab.files.tree import Tree
from lab.state import LabError


def members(tree):
    archive = tarfile.open(fileobj=io.BytesIO(tree.tar()))  # noqa: SIM115 in memory
    return {"/" + member.name: member for member in archive}, archive


def test_tree_makes_parents_before_their_children_and_keeps_modes_owners_and_links():
    tree = Tree()
    tree.file("/a/b/key", b"secret", 0o600, owner=1000)
    tree.directory("/a/b", 0o700, owner=1000)
    tree.link("/a/live", "b/key")
    found, archive = members(tree)
    assert list(found) == ["/a", "/a/b", "/a/b/key", "/a/live"]
    assert (found["/a"].mode, found["/a/b"].mode, found["/a/b"].uid) == (0o755, 0o700, 1000)
    assert (found["/a/b/key"].mode, found["/a/b/key"].uid) == (0o600, 1000)
    assert archive.extractfile("a/b/key").read() == b"secret"
    assert found["/a/live"].linkname == "b/key"


def test_bundle_names_assets_by_their_content(tmp_path, monkeypatch):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<script src="/assets/index.js"></script>')
    monkeypatch.setattr(bundle, "SOURCE", tmp_path)
    names = []
    for content in ("one", "two"):
        (tmp_path / "assets" / "index.js").write_text(content)
        files = bundle.bundle()
        (asset,) = set(files) - {"index.html"}
        assert re.fullmatch(r"assets/index-[0-9a-f]{8}\.js", asset)
        assert files["index.html"].decode() == f'<script src="/{asset}"></script>'
        names.append(asset)
    assert names[0] != names[1]


def test_page_refers_to_nothing_that_is_not_there():
    files = bundle.bundle()
    referred = re.findall(r'(?:src|href)="/([^"]+)"', files["index.html"].decode())
    assert referred
    assert set(referred) == set(files) - {"index.html"}


def test_certificate_holds_for_its_names_and_is_the_authoritys():
    folder = pki.certificate(["a.test", "www.a.test"])
    ca = pki.authority()
    for name, status in (("www.a.test", 0), ("b.test", 2)):
        command = ["openssl", "verify", "-CAfile", ca, "-verify_hostname", name, folder / "cert.pem"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == status, name
    assert (folder / "privkey.pem").stat().st_mode & 0o777 == 0o600


def test_certificate_is_kept_until_its_names_change():
    first = (pki.certificate(["a.test"]) / "cert.pem").read_bytes()
    assert (pki.certificate(["a.test"]) / "cert.pem").read_bytes() == first
    assert (pki.certificate(["a.test", "b.test"]) / "cert.pem").read_bytes() != first


def test_certificate_is_made_anew_before_it_expires(monkeypatch):
    monkeypatch.setattr(pki, "LEAF_DAYS", 29)
    first = (pki.certificate(["a.test"]) / "cert.pem").read_bytes()
    assert (pki.certificate(["a.test"]) / "cert.pem").read_bytes() != first


def test_certbot_tree_has_live_links_that_lead_to_the_archive():
    tree = Tree()
    pki.certbot(tree, ["a.test"])
    found, archive = members(tree)
    for kind in ("cert", "chain", "fullchain", "privkey"):
        link = found[f"/etc/letsencrypt/live/a.test/{kind}.pem"]
        assert link.linkname == f"../../archive/a.test/{kind}1.pem"
        assert f"/etc/letsencrypt/archive/a.test/{kind}1.pem" in found
    read = {
        kind: archive.extractfile(f"etc/letsencrypt/archive/a.test/{kind}1.pem").read()
        for kind in ("cert", "chain")
    }
    assert (
        archive.extractfile("etc/letsencrypt/archive/a.test/fullchain1.pem").read()
        == read["cert"] + read["chain"]
    )
    assert found["/etc/letsencrypt/archive/a.test/privkey1.pem"].mode == 0o600
    assert {"/etc/letsencrypt/options-ssl-nginx.conf", "/etc/letsencrypt/ssl-dhparams.pem"} <= set(found)


def test_scenes_are_the_same_in_any_order():
    assert scenes.build(["neighbour", "broken"]).tar() == scenes.build(["broken", "neighbour", "fresh"]).tar()
    assert scenes.check(["neighbour", "fresh", "broken", "broken"]) == ["broken", "neighbour"]
    assert scenes.check([]) == scenes.check(["fresh"]) == ["fresh"]


def test_fresh_scene_leaves_nginx_alone():
    assert not [path for path in scenes.build(["fresh"]).paths() if path.startswith("/etc/nginx")]


def test_unknown_scene_is_refused_with_the_known_ones():
    with pytest.raises(
        LabError, match=r"scene: 'brokn' is unknown, expected some of fresh, broken, neighbour"
    ):
        scenes.check(["brokn"])


def test_host_key_is_known_before_the_first_contact():
    tree = Tree()
    ssh.add_keys(tree, "one")
    ssh.host_key("two")
    known = dict(line.split(" ", 1) for line in ssh.known_hosts().read_text().splitlines())
    assert set(known) == {"one", "two"}
    found, archive = members(tree)
    public = archive.extractfile("etc/ssh/ssh_host_ed25519_key.pub").read().decode()
    assert public.startswith(known["one"])
    assert found["/home/deploy/.ssh/authorized_keys"].uid == 1000


def test_known_hosts_file_below_a_path_with_a_space_is_quoted(tmp_path, monkeypatch):
    from lab import state

    monkeypatch.setattr(state, "STATE", tmp_path / "my lab")
    asked = subprocess.run(
        ["ssh", "-G", *ssh.options("one"), "192.0.2.1"], capture_output=True, text=True, check=True
    ).stdout
    # ssh takes several files, so the words must be held together; it prints them without the quotes.
    assert f'UserKnownHostsFile="{tmp_path}/my lab/ssh/known_hosts"' in ssh.options("one")
    assert f"userknownhostsfile {tmp_path}/my lab/ssh/known_hosts\n" in asked.replace('"', "")
    assert "hostkeyalias one\n" in asked
