# The end of a script that failed, or that has something to tidy up. Read by es_end.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

if [ -z "$es_told$es_code$es_returned" ]; then
    es_load complaints
    es_reason="a command failed: exit code $es_status"
    # Not every shell knows here what ended it: what did not come to its end has failed.
    [ "$es_status" -ne 0 ] || es_reason="ended before do_$es_method did: return from it, do not exit"
    command -v "do_$es_method" >/dev/null || [ "$es_method" = verify ] ||
        es_reason="this provider has no $es_method: remove the script"
    es_say "$es_reason"
    es_code=1
fi
# Exit 0 only if the method came to its end, whatever has ended the script.
[ -n "$es_returned" ] || : "${es_code:=1}"
es_status=${es_code:-0}
if [ "$es_status" -ne 0 ] && [ -n "$es_undo" ]; then (set +e; "$es_undo") || :; fi
if [ -e "$es_own.said" ]; then
    set -- "$es_own.said" "$es_own.tmp" # not $temporary, which the provider may have changed
    for es_file in "$es_state"/.call.*; do # scripts that were killed have left theirs
        es_number=${es_file##*/.call.}
        [ -e "/proc/${es_number%%.*}" ] || set -- "$@" "$es_file"
    done
    rm -rf -- "$@" || :
fi
if [ -n "$es_lock" ]; then
    # Attach, which is called most, leaves the file to detach. After the others nothing may be
    # called on this node again: the volume may be removed on another one.
    case $es_status:$es_method in
    0:attach) ;;
    *) rm -f -- "$es_lock" || : ;;
    esac
fi
exit "$es_status"
