#!/bin/sh
# Makes the secrets of deploy/compose.yaml in deploy/compose/secrets: those that are random, and empty files for those that Slack gives.
# What is there already stays, so that it can be run again.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets && cd secrets

# A file that is mounted as a secret keeps its mode, and in its container a user without rights reads it; the folder is what keeps others out.
keep() { [ -e "$1" ] || { cat >"$1.new" && chmod 444 "$1.new" && mv "$1.new" "$1"; }; }
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for name in postgres_owner_password postgres_service_password redis_password grafana_admin_password sample_key; do
  random | keep "$name"
done
printf 'postgres://hitl_owner:%s@postgres:5432/hitl' "$(cat postgres_owner_password)" | keep postgres_migrate_url
for name in slack_bot_token slack_signing_secret; do
  keep "$name" </dev/null && chmod u+w "$name"
  [ -s "$name" ] || echo "put the app's $name into $PWD/$name" >&2
done
[ -e upstream_key ] || random | keep upstream_key
printf 'sha256:%s' "$(tr -d '\n' <upstream_key | sha256sum | cut -d' ' -f1)" | keep upstream_key_hash
