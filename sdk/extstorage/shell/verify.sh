# verify: every check runs, whatever becomes of the others.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_load complaints

es_verify() {
    es_known=" $checks "
    for es_wanted in "$@"; do
        case $es_known in
        *" $es_wanted "*) ;;
        *) es_refuse "no check '$es_wanted': the checks are:$es_known" ;;
        esac
    done
    # shellcheck disable=SC2086 # words
    [ $# -gt 0 ] || set -- $checks
    es_failed=''
    for es_check in "$@"; do
        es_label="$provider_name verify: $es_check"
        # Not in a condition: there `set -e` would not count.
        set +e
        (
            set -e
            "check_$es_check"
        )
        es_status=$?
        set -e
        case $es_status in
        0) continue ;;
        "$es_told_code") ;;
        *) es_say "a command failed: exit code $es_status" ;;
        esac
        es_failed=1
    done
    es_check=''
    [ -z "$es_failed" ] || { es_told=1 && es_stop 1; }
}
