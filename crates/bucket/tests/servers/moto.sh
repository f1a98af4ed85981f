#!/usr/bin/env bash
# moto, an S3 server for tests. It accepts any credentials.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_pip moto_server 'moto[server]' 5.2.5
installed
port=$(free_port)
run moto "$program" -H 127.0.0.1 -p "$port"
ready_s3 "http://127.0.0.1:$port" test test
