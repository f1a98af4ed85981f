#!/usr/bin/env bash
# moto, an S3 server for tests. It accepts any credentials.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_pip moto_server 'moto[server]' 5.2.5
installed
port=$(free_port)
# One request after the other: it checks a condition and stores in two steps, so that with threads two creates of one
# key can both succeed.
run moto "${program%/*}/python3" -c 'import sys, moto.server as moto
serve = moto.run_simple
moto.run_simple = lambda *places, **options: serve(*places, **{**options, "threaded": False})
moto.main(sys.argv[1:])' -H 127.0.0.1 -p "$port"
ready_s3 "http://127.0.0.1:$port" test test
