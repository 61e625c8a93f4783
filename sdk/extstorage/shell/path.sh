# PATH without its relative directories.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_rest=${PATH-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}: es_kept=''
while [ -n "$es_rest" ]; do
    case $es_rest in /*) es_kept=$es_kept:${es_rest%%:*} ;; esac
    es_rest=${es_rest#*:}
done
PATH=${es_kept#:}
export PATH
