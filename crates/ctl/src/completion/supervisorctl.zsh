#compdef supervisorctl
# Completion of supervisorctl in zsh: supervisorctl itself says what could come next.
# In ~/.zshrc, behind compinit:  source <(supervisorctl completion zsh)
# or as a file _supervisorctl in a directory of $fpath.

_provost_supervisorctl() {
    local word about program=${words[1]/#\~\//$HOME/}
    local -a found shown
    while IFS=$'\t' read -r word about; do
        if [[ $word == :files ]]; then
            _files
            return
        fi
        found+=("$word")
        shown+=("$word${about:+  -- $about}")
    done < <(command $program complete-line <<<"${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)
    (( ${#found} )) || return 1
    if [[ "$shown" == "$found" ]]; then
        compadd -a found
    else
        compadd -l -d shown -a found
    fi
}

if [[ $funcstack[1] == _supervisorctl ]]; then
    _provost_supervisorctl "$@"
elif (( $+functions[compdef] )); then
    compdef _provost_supervisorctl supervisorctl
fi
