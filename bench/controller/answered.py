#!/usr/bin/env python3
"""Answers as the verification suite does, all well, in no time: bench/fleet measures the suite itself."""

import json
import sys

hosts = json.load(sys.stdin)["hosts"]
result = {"passed": 22, "failures": [], "findings": [], "unreached": "", "ask": {}}
json.dump({"hosts": {host["name"]: result for host in hosts}}, sys.stdout)
