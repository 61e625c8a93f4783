#!/bin/sh
# What conformance.toml calls: a volume group on a disk of the run's own nodes.
#
#   make      make the group and its area, or its thin pool, on the first node
#   join      let this node take part; after each boot
#   forget    another node, DEAD, is dead for sure
#   metadata  print what setinfo has said about VOL_NAME
set -eu

DISK=/dev/disk/by-id/extstorage-disk1 # no machine that is in use has one

start_sanlock() {
    if ! sanlock client status >/dev/null 2>&1; then
        mkdir -p /run/sanlock
        # No watchdog: a node of a test run may lose its storage and live.
        # By its own name a node that comes back joins at once: nobody else can be it.
        sanlock daemon -e "$NODE" -w 0 -U root -G root -h 0 -l 0
    fi
    until sanlock client status >/dev/null 2>&1; do
        sleep 0.1
    done
}

# The number of the node $1 among all nodes.
number() {
    count=0
    for name in $NODES; do
        count=$((count + 1))
        if [ "$name" = "$1" ]; then
            echo "$count"
        fi
    done
}

case $1 in
make)
    vgcreate --quiet "$EXTP_GROUP" "$DISK"
    if [ -n "${EXTP_THIN_POOL-}" ]; then
        lvcreate --quiet --type thin-pool --size 768m --name "$EXTP_THIN_POOL" "$EXTP_GROUP"
        # Its volumes activate it. Active by itself it would stay so after them.
        lvchange --activate n "$EXTP_GROUP/$EXTP_THIN_POOL"
    else
        start_sanlock
        ./area make "$EXTP_GROUP" 1
    fi
    ;;
join)
    start_sanlock
    ./area join "$EXTP_GROUP" "$(number "$NODE")" 1
    ;;
forget)
    ./area forget "$EXTP_GROUP" "$(number "$DEAD")"
    ;;
metadata)
    name=$(printf %s "$VOL_NAME+${PWD##*/}" | sed 's/_/+u/g')
    lvs --noheadings --options lv_tags "$EXTP_GROUP/$name" | tr , '\n' |
        sed -n 's/^ *extstorage\.info=//p'
    ;;
esac
