# What attach tells Ganeti.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

# print_device PATH [HYPERVISOR:URI]... PATH may be '' if there is a URI (Ganeti
# 2.14.2 and later). Without URIs there is no newline: Ganeti 2.7 to 2.12 want none.
print_device() {
    [ "$es_method" = attach ] || fail 'print_device: only attach has an answer'
    if [ -n "$1" ] || [ $# -eq 1 ]; then
        es_check_line "$1"
        case $1 in /*) ;; *) fail "'$1' is no absolute path of a block device" ;; esac
        [ -b "$1" ] || fail "'$1' is no block device, or not there"
    fi
    es_answer=$1
    shift
    for es_uri in "$@"; do
        es_check_line "$es_uri"
        case $es_uri in
        ?*:?*) ;;
        *) fail "expected HYPERVISOR:URI, found '$es_uri'" ;;
        esac
        es_answer="$es_answer
$es_uri"
    done
    [ $# -eq 0 ] || es_answer="$es_answer
"
    printf %s "$es_answer" >&3 || fail 'Ganeti does not read the answer'
    es_answered=1
}

es_check_line() {
    case $1 in
    *[!\ -~]* | ' '* | *' ') fail "Ganeti cannot read the line '$1': not plain ASCII" ;;
    esac
}
