# What the scripts that start servers share. A script sources it after `set -euo pipefail`.
#
# A script installs what is missing, starts a server on 127.0.0.1 on free ports with its data in a temporary folder,
# and prints one line on standard output:
#
#   ready NAME=VALUE ...   the environment for a client: address, credentials, bucket
#   skipped: REASON        the server cannot be started here
#
# The server stops and its data is removed when standard input ends, or on SIGTERM.
#
# `SCRIPT install` only installs what is missing, and prints nothing or `skipped: REASON`.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Programs that are installed by pip and npm.
tools=${CARGO_TARGET_DIR:-$here/../../../../target}/servers
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
# Standard output is for that line only.
exec 3>&1 1>&2

mode=${1:-serve}
bucket=registry
pids=()

# installed: the end of `SCRIPT install`. A script calls it before it starts anything.
installed() {
    [[ $mode != install ]] || exit 0
}

skip() {
    echo "skipped: $*" >&3
    exit 0
}

# need_apt PROGRAM PACKAGE...: installs Debian packages if the program is missing.
need_apt() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || skip "no $program: apt-get install $*"
    local install=(apt-get install -y -qq --no-install-recommends "$@")
    DEBIAN_FRONTEND=noninteractive flock "$tools/apt.lock" "${install[@]}" >"$tools/apt.log" 2>&1 && return
    { flock "$tools/apt.lock" apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive flock "$tools/apt.lock" "${install[@]}"; } >"$tools/apt.log" 2>&1 ||
        skip "no $program: apt-get install $* fails, see $tools/apt.log"
}

# need_pip PROGRAM PACKAGE VERSION: installs a Python package below the target folder.
need_pip() {
    local venv=$tools/$2-$3
    program=$venv/bin/$1
    [[ -x $program ]] && return
    command -v python3 >/dev/null || skip "no python3"
    {
        rm -rf "$venv" && python3 -m venv "$venv" &&
            "$venv/bin/pip" install --quiet --disable-pip-version-check "$2==$3"
    } >"$venv.log" 2>&1 || skip "pip install $2==$3 fails, see $venv.log"
}

# need_npm SCRIPT PACKAGE VERSION: installs a package of npm below the target folder.
need_npm() {
    local folder=$tools/$2-$3
    program=$folder/node_modules/$1
    [[ -f $program ]] && return
    command -v node >/dev/null && command -v npm >/dev/null || skip "no node and npm"
    npm install --silent --no-audit --no-fund --prefix "$folder" "$2@$3" >"$folder.log" 2>&1 ||
        skip "npm install $2@$3 fails, see $folder.log"
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# run NAME COMMAND...: starts a process of the server.
run() {
    local name=$1
    shift
    "$@" </dev/null >"$work/$name.log" 2>&1 3>&- &
    pids+=($!)
}

stop() {
    trap - EXIT TERM INT HUP
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || continue
        for _ in {1..50}; do
            kill -0 "${pids[i]}" 2>/dev/null || break
            sleep 0.1
        done
        kill -9 "${pids[i]}" 2>/dev/null || true
    done
    rm -rf "$work"
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds; all processes have to live.
until_true() {
    local end=$((SECONDS + $1)) pid
    shift
    until "$@" >/dev/null 2>&1; do
        for pid in "${pids[@]}"; do
            kill -0 "$pid" 2>/dev/null || fail "a process ended"
        done
        ((SECONDS < end)) || fail "not in time: $*"
        sleep 0.1
    done
}

# A server that was installed and does not start is an error, no reason to leave out tests.
fail() {
    echo "the server did not start: $*"
    tail -n 20 "$work"/*.log || true
    exit 1
}

# create_bucket ENDPOINT KEY SECRET: by the old signature, which needs no more than openssl.
create_bucket() {
    local date signature
    date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
    signature=$(printf 'PUT\n\n\n%s\n/%s' "$date" "$bucket" | openssl dgst -sha1 -hmac "$3" -binary | base64)
    curl --silent --fail --max-time 20 --noproxy '*' --request PUT --header "Date: $date" \
        --header "Authorization: AWS $2:$signature" "$1/$bucket"
}

# ready_s3 ENDPOINT KEY SECRET NAME=VALUE...: creates the bucket, tells how to reach it, and serves.
ready_s3() {
    command -v curl >/dev/null && command -v openssl >/dev/null || skip "no curl and openssl"
    until_true 120 create_bucket "$@"
    serve "AWS_ENDPOINT=$1" "AWS_ACCESS_KEY_ID=$2" "AWS_SECRET_ACCESS_KEY=$3" AWS_REGION=us-east-1 \
        AWS_ALLOW_HTTP=true "AWS_BUCKET=$bucket" "${@:4}"
}

# serve NAME=VALUE...: prints the line, and waits for the end of standard input. A test may end a process of the server.
serve() {
    echo "ready $*" >&3
    exec 3>&-
    cat <&0 >/dev/null &
    pids+=($!)
    wait "${pids[-1]}"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/bucket-server.XXXXXX")
trap stop EXIT
trap 'exit 0' TERM INT HUP
