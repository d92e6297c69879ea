# fish completion of sevq. The command itself knows what may stand next.

function __sevq_words
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l last (commandline --current-token --cut-at-cursor)
    set -l found ($words[1] completion words -- $words[2..] "$last" 2>/dev/null)
    if test "$found" = :files
        __fish_complete_path "$last"
    else
        string join -- \n $found
    end
end

complete --command sevq --no-files --arguments '(__sevq_words)'
