#!/usr/bin/env bash
# Asks a Prometheus that scrapes hitl for every panel of hitl.json: fails where an expression is not understood, and names those that return nothing.
#   deploy/grafana/check.sh http://127.0.0.1:9090
set -euo pipefail
exec python3 - "${1:?the address of a Prometheus}" "$(dirname "$0")/hitl.json" <<'PY'
import json, re, sys, urllib.error, urllib.parse, urllib.request

address, file = sys.argv[1:]
bad, answered, empty = 0, 0, []
for panel in json.load(open(file))["panels"]:
    for target in panel.get("targets", []):
        expr = target["expr"].replace("$__rate_interval", "5m")
        expr = re.sub(r"\$(job|source|queue|policy)\b", ".*", expr)
        try:
            with urllib.request.urlopen(address + "/api/v1/query?" + urllib.parse.urlencode({"query": expr}), timeout=10) as r:
                result = json.load(r)["data"]["result"]
        except urllib.error.HTTPError as e:
            bad += 1
            print(f"{panel['title']}: {expr}: {json.load(e).get('error')}")
            continue
        if result:
            answered += 1
        else:
            empty.append(f"{panel['title']}: {target['expr']}")
print(f"{answered} expressions return data, {len(empty)} nothing, {bad} are wrong")
print("\n".join(empty))
sys.exit(bad > 0)
PY
