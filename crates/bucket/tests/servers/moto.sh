#!/usr/bin/env bash
# moto, an S3 server for tests. It accepts any credentials.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_pip moto_server 'moto[server]' 5.2.5
installed
port=$(free_port)
# One request after the other: it checks a condition and stores in two steps, so that two creates of one key could both
# succeed.
run moto "${program%/*}/python3" -c 'import sys, threading, moto.server as moto
lock, call = threading.Lock(), moto.DomainDispatcherApplication.__call__
def one_by_one(*request):
    with lock:
        return call(*request)
moto.DomainDispatcherApplication.__call__ = one_by_one
moto.main(sys.argv[1:])' -H 127.0.0.1 -p "$port"
ready_s3 "http://127.0.0.1:$port" test test
