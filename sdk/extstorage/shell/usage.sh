# How a script is used; @METHODS@.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_read_arguments() {
    case $es_method:$#:$1 in
    *:-h | *:--help) es_usage >&3 && es_returned=yes && exit ;;
    verify:1:--parameters-list) es_list_parameters >&3 && es_returned=yes && exit ;;
    verify:*) ;;
    *)
        es_usage
        es_told=1
        exit "${es_code:=2}"
        ;;
    esac
}

# What parameters.list has to be.
es_list_parameters() {
    es_declare=list
    declare_parameters
}

es_parameter_list() {
    es_load complaints && es_lower_name
    printf '%s %s\n' "$es_lower" "$es_description"
}

es_parameter_describe() {
    es_tail="default: ${es_default:-none}"
    [ -z "$es_required" ] || es_tail=required
    printf '  %s  %s (%s)\n' "$es_variable" "$es_description" "$es_tail"
}
