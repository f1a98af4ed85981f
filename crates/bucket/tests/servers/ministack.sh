#!/usr/bin/env bash
# MiniStack, an emulator of AWS. Its secret is `test`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_pip ministack ministack 1.5.33
installed
port=$(free_port)
run ministack env BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" "$program"
ready_s3 "http://127.0.0.1:$port" test test
