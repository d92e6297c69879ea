# shellcheck shell=bash
# bash completion of sevq. It reads the command's own help, so it always offers what this version
# has.

_sevq() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' help value word

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		if [[ $word == [a-z]* ]] && "$1" help "$word" >/dev/null 2>&1; then
			command=$word
			break
		fi
	done
	help=$("$1" help ${command:+"$command"} 2>/dev/null) || return 0

	COMPREPLY=()
	value=''
	[[ $before != --* ]] || value=$(sed -n "s/^  $before \([^ ][^ ]*\) .*/\1/p" <<<"$help")
	case $value in
	FILE) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	*\|*) mapfile -t COMPREPLY < <(compgen -W "${value//|/ }" -- "$current") ;;
	?*) ;; # a free value, which cannot be completed
	*)
		if [[ -z $command && $current != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' <<<"$help")" -- "$current")
		elif [[ $command == help ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$("$1" help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^  \(--[a-z-]*\) .*/\1/p' <<<"$help")" -- "$current")
		fi
		;;
	esac
}

complete -F _sevq sevq
