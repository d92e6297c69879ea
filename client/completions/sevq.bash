# shellcheck shell=bash
# bash completion of sevq. The command itself knows what may stand next.

_sevq() {
	local line=${COMP_LINE:0:COMP_POINT} before
	local -a words found

	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=("")
	mapfile -t found < <("$1" completion words -- "${words[@]:1}" 2>/dev/null)
	if [[ ${found[0]-} == :files ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]}")
		return
	fi
	# What stands behind the word is its meaning. bash takes a colon as the beginning of a word.
	COMPREPLY=("${found[@]%%$'\t'*}")
	before=${words[-1]%"${words[-1]##*:}"}
	[[ $COMP_WORDBREAKS != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

complete -F _sevq sevq
