# Messages, and the end of a script that fails.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_told_code=66 # of a check that has said why

# What a message may hold: one line of printable ASCII, or Ganeti's client crashes on it.
es_printable() {
    es_text=$1
    while :; do
        case $es_text in
        *[!\ -~]*) es_text=${es_text%%[!\ -~]*}' '${es_text#*[!\ -~]} ;;
        *) break ;;
        esac
    done
}

# A full log takes no message; it must not end the script before the exit code is known.
es_say() {
    es_printable "$es_label: $1"
    printf '%s\n' "$es_text" >&2 || :
}

# In a subshell `exit` ends only that, and a pipeline or a condition forgets its
# status: so the script itself gets a signal, which it acts on before anything else.
es_stop() {
    [ -z "$es_check" ] || exit "$es_told_code"
    es_code=$1
    kill -s USR1 "$$"
    exit "$1"
}

fail() {
    es_told=1
    es_say "$1"
    es_stop 1
}

# The call itself is wrong; nothing was done.
es_refuse() {
    es_told=1
    es_say "$1"
    es_stop 2
}

es_interrupted() {
    es_say 'ended by a signal'
    es_end
}

# What is wrong may be long, or no text at all.
es_found() {
    case $1 in
    *[!\ -~]*) es_found='bytes that cannot be shown' ;;
    *) es_found="'$(printf %.120s "$1")'" ;;
    esac
}

es_wrong() {
    es_found "$2"
    es_refuse "$1: expected $3, found $es_found"
}

es_refuse_method() { es_refuse "no such method: @METHODS@"; }

es_lower_name() {
    es_rest=${es_variable#EXTP_} es_lower=''
    while [ -n "$es_rest" ]; do
        es_letter=${es_rest%"${es_rest#?}"}
        es_rest=${es_rest#?}
        case $es_letter in
        A) es_letter=a ;; B) es_letter=b ;; C) es_letter=c ;; D) es_letter=d ;;
        E) es_letter=e ;; F) es_letter=f ;; G) es_letter=g ;; H) es_letter=h ;;
        I) es_letter=i ;; J) es_letter=j ;; K) es_letter=k ;; L) es_letter=l ;;
        M) es_letter=m ;; N) es_letter=n ;; O) es_letter=o ;; P) es_letter=p ;;
        Q) es_letter=q ;; R) es_letter=r ;; S) es_letter=s ;; T) es_letter=t ;;
        U) es_letter=u ;; V) es_letter=v ;; W) es_letter=w ;; X) es_letter=x ;;
        Y) es_letter=y ;; Z) es_letter=z ;;
        esac
        es_lower=$es_lower$es_letter
    done
}

es_parameter_missing() {
    es_lower_name
    es_refuse "parameter $es_lower is required: give --disk ...,$es_lower=VALUE ($es_description)"
}

es_parameter_wrong() {
    es_lower_name
    [ -z "$es_secret" ] || es_refuse "parameter $es_lower: expected $1"
    es_wrong "parameter $es_lower" "$es_value" "$1"
}

es_parameter_unreadable() {
    case $es_value in
    '') es_parameter_wrong 'a value' ;;
    *) es_parameter_wrong 'printable ASCII' ;;
    esac
}
