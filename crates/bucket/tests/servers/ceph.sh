#!/usr/bin/env bash
# Ceph: a monitor, OSDs and the RADOS gateway. OSDS=3 replicates each object to three OSDs on disk (BlueStore);
# unless set, there is one OSD in memory. MEGABYTES is the size of each, 4096 unless set.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_apt radosgw ceph-mon ceph-osd radosgw ceph-common
installed
osds=${OSDS:-1}
bytes=$((${MEGABYTES:-4096} << 20))
store=memstore
((osds == 1)) || store=bluestore
monitor=$(free_port)
port=$(free_port)
mkdir "$work"/{mon,rgw,run}
export CEPH_CONF=$work/ceph.conf
# `tcp_nodelay`: without it each small GET takes 44 ms. One placement group an OSD is enough for a test.
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = v2:127.0.0.1:$monitor
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = $work/keyring
run dir = $work/run
log file = $work/\$name.log
mon data = $work/mon
osd data = $work/osd\$id
rgw data = $work/rgw
osd objectstore = $store
memstore device bytes = $bytes
bluestore block size = $bytes
osd memory target = 939524096
osd pool default size = $osds
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 0
mon warn on pool no redundancy = false
auth allow insecure global id reclaim = false
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw thread pool size = 64
CONF
key() {
    local name=$1
    shift
    ceph-authtool "$work/keyring" --gen-key -n "$name" "$@"
}
{
    ceph-authtool --create-keyring "$work/keyring"
    key mon. --cap mon 'allow *'
    key client.admin --cap mon 'allow *' --cap osd 'allow *'
    key client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
    for ((i = 0; i < osds; i++)); do
        key "osd.$i" --cap mon 'allow profile osd' --cap osd 'allow *'
    done
    fsid=$(sed -n 's/^fsid = //p' "$CEPH_CONF")
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor]" "$work/monmap"
    ceph-mon --mkfs -i a --monmap "$work/monmap" --keyring "$work/keyring"
} >"$work/mkfs.log" 2>&1 || fail "the monitor cannot be made"
run mon ceph-mon -f -i a
until_true 120 ceph --connect-timeout 5 status
for ((i = 0; i < osds; i++)); do
    uuid=$(cat /proc/sys/kernel/random/uuid)
    mkdir "$work/osd$i"
    ceph osd new "$uuid" "$i" >>"$work/mkfs.log" 2>&1
    ceph-osd -i "$i" --mkfs --osd-uuid "$uuid" >>"$work/mkfs.log" 2>&1 || fail "osd.$i cannot be made"
    run "osd$i" ceph-osd -f -i "$i"
    # For a test that kills it.
    echo "${pids[-1]}" >"$work/osd$i.pid"
done
all_up() {
    ceph osd stat | grep -q " $osds up"
}
until_true 120 all_up
radosgw-admin -n client.rgw user create --uid=test --display-name=test --access-key=test \
    --secret-key=testsecret >"$work/user.log" 2>&1 || fail "no user"
# For tests of policies. It has no rights by itself.
radosgw-admin -n client.rgw user create --uid=limited --display-name=limited --access-key=limited \
    --secret-key=limitedsecret >>"$work/user.log" 2>&1 || fail "no user"
run rgw radosgw -f -n client.rgw
ready_s3 "http://127.0.0.1:$port" test testsecret "CEPH_DATA=$work"
