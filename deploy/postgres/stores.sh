#!/usr/bin/env bash
# Run by Postgres's image when it has made a cluster: for each store the role and the database that its URL names, postgres://ROLE:PASSWORD@…/DATABASE.
# Who has one store's password can connect to no other store.
set -euo pipefail
for file in "${SECRETS:-/run/secrets}"/{log,keys,identity,read}_url; do
    url=$(<"$file")
    if [[ ! $url =~ ^postgres(ql)?://([^:@/]+):([^:@/]+)@[^/]+/([^/?]+) ]]; then
        echo "$file: expected postgres://ROLE:PASSWORD@HOST:PORT/DATABASE" >&2
        exit 1
    fi
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
        --set=role="${BASH_REMATCH[2]}" --set=database="${BASH_REMATCH[4]}" <<SQL
\set password \`sed -E 's|^[a-z]+://[^:]+:([^@]+)@.*|\1|' '$file'\`
create role :"role" login password :'password';
create database :"database" owner :"role" template template0;
revoke all on database :"database" from public;
SQL
done
