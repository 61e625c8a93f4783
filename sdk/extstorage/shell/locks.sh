# Locks, on descriptors 7 to 9.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_load programs # which opens these descriptors

# The kernel frees a lock when its holder dies. A lock counts only if its file is
# still the one that the name leads to: it may have been removed while we waited.
es_take() {
    # rm too: without it a failure could not undo what it has begun.
    es_need flock rm
    while :; do
        { eval "command exec $1>>\"\$2\""; } 2>/dev/null || return 1
        [ "$1" != 9 ] || flock -w "$run_timeout" 9 9>&9 || es_is_locked "$2"
        [ "$1" != 8 ] || flock -w "$run_timeout" 8 8>&8 || es_is_locked "$2"
        [ "$1" != 7 ] || flock -w "$run_timeout" 7 7>&7 || es_is_locked "$2"
        # shellcheck disable=SC3013 # every shell that can be /bin/sh has -ef
        if [ "/proc/self/fd/$1" -ef "$2" ]; then return 0; fi
    done
}

es_is_locked() {
    fail "another call holds the lock $1 for more than $run_timeout s: try again later"
}

# Held by descriptor 9 until the script ends. A file is left while the volume is attached.
lock_volume() {
    es_make_state
    es_take 9 "$es_state/lock.$VOL_NAME" || fail "cannot write to $es_state"
    es_lock=$es_state/lock.$VOL_NAME
}

# lock FILE: status 1 if it cannot be opened. That may be as its directory is not there, or for
# any other reason: the caller has to find out. Descriptor 8; a second lock in one script is
# lock_other FILE, descriptor 7.
lock() { es_take 8 "$1"; }

lock_other() { es_take 7 "$1"; }
