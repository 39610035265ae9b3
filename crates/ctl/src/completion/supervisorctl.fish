# Completion of supervisorctl in fish: supervisorctl itself says what could come next.
# In ~/.config/fish/completions/supervisorctl.fish:  supervisorctl completion fish | source

function __provost_supervisorctl
    set -l program (commandline -opc)[1]
    command -q -- $program; or set program supervisorctl
    set -l found (commandline -cp | command $program complete-line 2>/dev/null)
    if test "$found" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end

complete -c supervisorctl -f -a '(__provost_supervisorctl)'
