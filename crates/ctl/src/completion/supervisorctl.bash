# Completion of supervisorctl in bash: supervisorctl itself says what could come next.
# In ~/.bashrc:  source <(supervisorctl completion bash)

_provost_supervisorctl() {
    local line=${COMP_LINE:0:COMP_POINT} program=$1 word typed
    [[ $program == "~/"* ]] && program=$HOME/${program:2}
    typed=${line##*[[:space:]]}
    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        if [[ $word == :files ]]; then
            compopt -o default
            return
        fi
        # Bash reads what it inserts like anything typed: a name may not be more than a word to it, and in quotes it might.
        if [[ $word == *[^[:alnum:]_.:/@%+,=*-]* ]]; then
            [[ $typed == *[\'\"]* ]] && continue
            printf -v word %q "$word"
        fi
        COMPREPLY+=("$word")
    done < <(command "$program" complete-line <<<"$line" 2>/dev/null)
    # Bash begins a new word behind a colon, if it has not been told otherwise, and replaces only that.
    if [[ $typed == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*:}"}"}")
    fi
}

complete -F _provost_supervisorctl supervisorctl
