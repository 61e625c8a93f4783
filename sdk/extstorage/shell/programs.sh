# Running programs, and keeping others out meanwhile.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

# Locks are on descriptors 7 to 9. An open descriptor can be named whether or not a lock
# is on it, and ksh passes on only what is named. Once only: later it would end the locks.
if [ -z "$es_programs" ]; then exec 7</dev/null 8<&7 9<&7; fi
es_programs=yes

# If this script is killed, the volume stays locked until the program has ended too.
run() {
    es_ready "$1"
    es_status=0
    timeout -k 10 "$run_timeout" "$@" \
        2>"$es_own.said" 3>&- 7>&7 8>&8 9>&9 || es_status=$?
    [ "$es_status" -eq 0 ] || es_program_failed "$1"
}

ask() {
    es_ready "$1"
    es_status=0
    timeout -k 10 "$run_timeout" "$@" \
        2>"$es_own.said" 3>&- 7>&7 8>&8 9>&9 || es_status=$?
    [ "$es_status" -le 1 ] || es_program_failed "$1"
    return "$es_status"
}

# What stays must hold neither a lock nor the output that Ganeti reads to its end.
run_daemon() {
    es_ready "$1"
    es_status=0
    timeout -k 10 "$run_timeout" "$@" \
        >/dev/null 2>"$es_own.said" 3>&- 7>&- 8>&- 9>&- || es_status=$?
    [ "$es_status" -eq 0 ] || es_program_failed "$1"
}

es_need() {
    for es_program in "$@"; do
        command -v "$es_program" >/dev/null ||
            fail "the program $es_program is not in PATH: install it on this node"
    done
}

es_ready() {
    es_need "$1" timeout
    es_make_state
    true >"$es_own.said" || fail "cannot write to $es_state"
}

# A node's own memory, which a reboot empties.
es_make_state() {
    [ -d "$es_state" ] || mkdir -p -- "$es_state" || fail "cannot make $es_state"
}

es_program_failed() {
    es_how="exit code $es_status"
    case $es_status in
    124 | 137) es_how="$es_how (killed after $run_timeout s, or by someone else)" ;;
    12[89] | 1[3-9]? | 2[0-4]?) es_how="signal $((es_status - 128))" ;;
    25[7-9] | 2[6-9]? | 3??) es_how="signal $((es_status - 256))" ;; # ksh93
    esac
    es_last='no message on stderr'
    while read -r es_line || [ -n "$es_line" ]; do
        [ -z "$es_line" ] || es_last=$es_line
    done <"$es_own.said"
    fail "$1 failed: $es_how: $es_last"
}

make_temporary() {
    es_make_state
    temporary=$es_own.tmp
    [ ! -e "$temporary" ] || run rm -rf -- "$temporary" # of a killed script with this number
    run mkdir -- "$temporary"
}
