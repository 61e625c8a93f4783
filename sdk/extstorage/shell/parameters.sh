# Parameters that are more than text, or not given.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

# es_parameter EXTP_NAME KIND DESCRIPTION OPTION...: what `parameter` does.
es_parameter() {
    es_variable=$1 es_kind=$2 es_description=$3
    shift 3
    es_required='' es_secret='' es_default='' es_lowest=0 es_highest=999999999 es_words=''
    if [ "$es_kind" = flag ]; then es_default=no es_words='yes no'; fi
    while [ $# -gt 0 ]; do
        case $1 in
        required) es_required=1 ;;
        secret) es_secret=1 ;;
        default) es_default=$2 && shift ;;
        from) es_lowest=$2 && shift ;;
        to) es_highest=$2 && shift ;;
        of) shift && es_words="$*" && break ;;
        *) fail "declare_parameters: $es_variable: '$1' is no option" ;;
        esac
        shift
    done
    "es_parameter_$es_declare"
}

es_parameter_read() {
    eval "es_value=\${$es_variable-} es_given=\${$es_variable+given}"
    if [ -z "$es_given" ]; then
        es_value=$es_default
        [ -z "$es_required" ] || [ "$es_method" = verify ] || {
            es_load complaints && es_parameter_missing
        }
    fi
    case $es_given:$es_kind:$es_value in
    :*) ;;
    *: | *[!\ -~]*) es_load complaints && es_parameter_unreadable ;;
    *:text:*) ;;
    *) "es_kind_$es_kind" ;;
    esac
    eval "$es_variable=\$es_value"
}

es_parameter_wrong() { es_load complaints && es_parameter_wrong "$1"; }

es_kind_path() {
    case $es_value in
    [!/]* | */../* | */..) es_parameter_wrong 'an absolute path without ..' ;;
    esac
    es_value=$es_value/
    while :; do
        case $es_value in
        */./*) es_value=${es_value%%/./*}/${es_value#*/./} ;;
        *//*) es_value=${es_value%%//*}/${es_value#*//} ;;
        *) break ;;
        esac
    done
    [ "$es_value" = / ] || es_value=${es_value%/}
}

es_kind_choice() {
    case " $es_words " in
    *" $es_value "*) case $es_value in *' '*) ;; *) return 0 ;; esac ;;
    esac
    es_parameter_wrong "one of: $es_words"
}

es_kind_flag() { es_kind_choice; }

es_kind_number() {
    case $es_value in
    *[!0-9]* | 0?* | ??????????*) ;;
    *)
        if [ "$es_value" -ge "$es_lowest" ] && [ "$es_value" -le "$es_highest" ]; then
            return 0
        fi
        ;;
    esac
    es_parameter_wrong "a whole number from $es_lowest to $es_highest"
}
