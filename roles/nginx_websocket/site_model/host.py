"""Fit completed sites to their host: refuse what it cannot carry, and settle what it alone decides."""

from __future__ import annotations

import base64
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .deployment import asked, deployment
from .identifiers import all_names, bracketed, upstream
from .nginx_modules import with_modules
from .refusal import Refusal
from .rendering.site import exists, model
from .values.kinds import file_path

Site = Dict[str, Any]
Facts = Mapping[str, Any]

#: certbot renews 30 days ahead; less than this means that its renewal does not work.
FEW_DAYS = 14


def fit(sites: Sequence[Site], facts: Facts, live: Sequence[Mapping[str, Any]] = ()) -> Dict[str, Any]:
    """Settle what depends on the host.

    Args:
        sites: Completed sites.
        facts: What `nginx_facts` answered to the questions of `check`.
        live: Results of ``slurp`` for `live_files`, in which the port of a silent backend may stand.

    Returns:
        ``sites`` with the port of each backend, ``candidates`` (for each site what its template renders, and
        what `nginx_deploy` must know beside the content), ``errors`` and ``warnings`` (messages).
    """
    errors = [*_without_nginx(sites, facts["nginx"])]
    if errors:
        return {"sites": [], "candidates": [], "errors": errors, "warnings": []}
    warnings: List[str] = []
    contents = {
        result["item"]["site"]: base64.b64decode(result["content"]).decode("utf-8", "replace")
        for result in live
        if result.get("content")
    }
    settled = [_with_ports(site, facts, contents.get(site["name"], ""), warnings) for site in sites]
    refusals: List[Refusal] = []
    certificates = iter(facts["certificates"])
    for index, site in enumerate(settled):
        place = f"nginx_websocket_sites[{index}]"
        settled[index] = with_modules(site, place, facts["nginx"], refusals, warnings)
        if site["tls"]["enabled"]:
            _certificate(site, next(certificates), place, refusals, warnings)
        _paths(site, facts, place, refusals, warnings)
    errors = [str(refusal) for refusal in refusals]
    candidates = [] if errors else [_candidate(site, facts) for site in settled]
    return {"sites": settled, "candidates": candidates, "errors": errors, "warnings": warnings}


def _without_nginx(sites: Sequence[Site], nginx: Mapping[str, Any]) -> List[str]:
    """Return why the host cannot carry a site at all."""
    if not nginx["found"] or not nginx.get("binary"):
        which = "nginx_websocket_binary and nginx_websocket_conf_path say which one is meant."
        return [f"{nginx['message']} {which if nginx.get('ambiguous') else ''}".rstrip()]
    if nginx.get("layout_error") and not all(site["file"] for site in sites):
        return [f"{nginx['layout_error']} nginx_websocket_site_dir says where site files belong."]
    return []


def _with_ports(site: Site, facts: Facts, live: str, warnings: List[str]) -> Site:
    """Return the site with ``port`` and ``address`` in each backend whose port is found by asking."""
    backends = []
    for backend in site["backends"]:
        settled = dict(backend)
        if backend["ports"]:
            name = upstream(site["name"], backend["name"])
            found = facts["backends"][name] if asked(backend) else {"answered": False}
            if found["answered"]:
                settled["port"], settled["address"] = found["port"], found["address"]
            else:
                # A file of somebody else has no upstream of ours; the host said where it passes to.
                former = former_port(live, name) or found.get("port")
                settled["port"] = former or backend["ports"][0]
                settled["address"] = f"{bracketed(backend['host'])}:{settled['port']}"
                if asked(backend):
                    why = "as in the live file" if former else "the first candidate"
                    kept = f"its port stays {settled['port']}, {why}; the site is deployed all the same"
                    warnings.append(f"{site['name']}: backend {backend['name']} does not answer: {kept}.")
        backends.append(settled)
    return {**site, "backends": backends}


def former_port(live: str, name: str) -> Optional[int]:
    """Return the port of an upstream in a file that this role has written, None if there is none."""
    match = re.search(
        rf"^upstream {re.escape(name)} \{{\n(?:    [a-z_]+;\n)?    server \S+:([0-9]+);$", live, re.M
    )
    return int(match.group(1)) if match else None


def _certificate(
    site: Site, found: Mapping[str, Any], place: str, refusals: List[Refusal], warnings: List[str]
) -> None:
    variable = f"{place}.tls.certificate"
    if site["tls"]["carry_over"] and found["usable"]:
        # A path that the rules of variables refuse cannot be written either; it is said, and never lost.
        for key, path in (("certificate", found["certificate"]), ("certificate_key", found["key"])):
            problem = file_path(path)
            if problem:
                refusals.append(Refusal(f"{place}.tls.{key}", path, *problem))
                return
        site["tls"] = {**site["tls"], "certificate": found["certificate"], "certificate_key": found["key"]}
    names = all_names(site)
    if not found["usable"]:
        wanted = " ".join(f"-d {name}" for name in names)
        issue = f"certbot certonly --webroot -w {site['http']['acme_root']} {wanted}"
        fix = f"Issue it ({issue}), name the right files, or set tls.enabled to false."
        if found.get("key_matches") is False:
            fix = f"Name the key that belongs to it in tls.certificate_key, or issue both anew ({issue})."
        expected = f"a certificate and key that nginx can load: {found['problem']}"
        refusals.append(Refusal(variable, found["certificate"], expected, fix))
        return
    if found["missing_names"] and len(found["missing_names"]) == len(names):
        covered = ", ".join(found.get("names") or []) or "nobody"
        expected = f"a certificate for {names[0]}; this one is for {covered}"
        fix = "Name the certificate of this site, or issue one."
        refusals.append(Refusal(variable, found["certificate"], expected, fix))
        return
    if found["missing_names"]:
        missing = ", ".join(found["missing_names"])
        wanted = " ".join(f"-d {name}" for name in names)
        issue = f"certbot certonly --webroot -w {site['http']['acme_root']} {wanted}"
        fix = f"Issue one for all names ({issue}), or "
        fix += "set redirect_www to false." if site["www"] in found["missing_names"] else "take the name out."
        expected = f"a certificate that is valid for {missing}, too: browsers refuse this one there"
        refusals.append(Refusal(variable, found["certificate"], expected, fix))
    days = found["days_left"]
    if days is not None and days < 0:
        fix = "Renew it first (certbot renew): nginx would load it, and browsers refuse it."
        refusals.append(Refusal(variable, found["certificate"], "a certificate that has not expired", fix))
    elif days is not None and days < FEW_DAYS:
        when = f"expires in {int(days)} days"
        warnings.append(f"{variable}: {found['certificate']} {when}; see `certbot renew --dry-run`.")


def _paths(site: Site, facts: Facts, place: str, refusals: List[Refusal], warnings: List[str]) -> None:
    """Refuse files that nginx would miss at once; warn of those that it would miss later."""
    for key in ("options_file", "dhparam") if site["tls"]["enabled"] else ():
        path = site["tls"][key]
        if path not in ("auto", "none") and not exists(facts, path):
            expected = "a file that exists on the host"
            refusals.append(
                Refusal(f"{place}.tls.{key}", path, expected, "Put it there, or write auto or none.")
            )
    for index, path in enumerate(site["includes"]):
        if not exists(facts, path):
            expected = "a file that exists on the host"
            refusals.append(Refusal(f"{place}.includes[{index}]", path, expected, "Put it there first."))
    for index, backend in enumerate(site["backends"]):
        tls = backend["tls"]
        if tls["enabled"] and tls["verify"] and not exists(facts, tls["ca"]):
            variable = f"{place}.backends[{index}].tls.ca"
            refusals.append(
                Refusal(variable, tls["ca"], "a file that exists on the host", "apt install ca-certificates.")
            )
    if site["spa"] and not exists(facts, site["spa"]["root"]):
        warnings.append(
            f"{place}.spa.root: {site['spa']['root']} does not exist on the host; its pages are missing."
        )
    if site["real_ip"]["trusted"] and facts["nginx"].get("realip") is False:
        expected = "an nginx with the realip module"
        refusals.append(
            Refusal(f"{place}.real_ip.trusted", site["real_ip"]["trusted"], expected, "Leave it out.")
        )


def _candidate(site: Site, facts: Facts) -> Dict[str, Any]:
    """Return what the template renders, and what `nginx_deploy` must know beside the content."""
    return {"model": model(site, facts), "deploy": deployment(site)}
