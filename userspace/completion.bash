# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion of veneer(8) for bash.

_veneer() {
	local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]-} words=''

	if ((COMP_CWORD == 1)); then
		words='image volume layer create mount run ls inspect diff commit export rename
			umount rm df stat map check prune --root --help --version'
	elif ((COMP_CWORD == 2)) && [[ $verb == image ]]; then
		words='import ls inspect history tag export rm'
	elif ((COMP_CWORD == 2)) && [[ $verb == volume ]]; then
		words='create ls inspect attach backup restore clone rm prune'
	elif ((COMP_CWORD == 2)) && [[ $verb == layer ]]; then
		words='import'
	elif [[ $word == -* ]]; then
		[[ $verb != image && $verb != volume && $verb != layer ]] || verb+=" ${COMP_WORDS[2]}"
		# shellcheck disable=SC2086 # words
		words=$(veneer $verb --help 2>/dev/null | grep -oE -- '(^|[ [])--?[a-z-]+' | tr -d ' [')
	else
		case $verb in
		image)
			[[ ${COMP_WORDS[2]} == import ]] || words=$(veneer image ls --json 2>/dev/null |
				grep -oE '^ {6}"[^"]+"' | tr -d ' "') ;;
		volume)
			[[ ${COMP_WORDS[2]} == create ]] || words=$(veneer volume ls --quiet 2>/dev/null) ;;
		create)
			words=$(veneer image ls --json 2>/dev/null | grep -oE '^ {6}"[^"]+"' | tr -d ' "') ;;
		mount|umount|run|inspect|diff|commit|export|rename|rm|stat)
			words=$(veneer ls 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"
		((COMP_CWORD > 1)) && [[ $verb =~ ^(image|volume|layer|map|stat|export)$ && $word != -* ]] &&
			compgen -f -- "$word")
}

complete -o filenames -F _veneer veneer
