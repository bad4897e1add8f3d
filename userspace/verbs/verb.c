// SPDX-License-Identifier: GPL-2.0-or-later
/* What every verb uses to read its arguments; see verb.h. */
#include "verbs/verb.h"

#include <errno.h>
#include <string.h>

static const struct verb *current;	/* NULL: the program as mount.veneer */

int verb_call(const struct verb *verb, int argc, char **argv, struct fault *fault)
{
	current = verb;
	return verb->run(argc, argv, fault);
}

int verb_option(int argc, char **argv, const char *letters,
		const struct option *options, struct fault *fault)
{
	int option;

	opterr = 0;
	option = getopt_long(argc, argv, letters, options, NULL);
	if (option == '?' || option == ':') {
		if (optopt && strchr(letters, optopt))
			fault_set(fault, EXIT_USAGE, "option -%c needs a value", optopt);
		else
			fault_set(fault, EXIT_USAGE, "option %s is unknown or lacks its value",
				  argv[optind - 1]);
		fault_advise(fault, current ? "see veneer %s --help" : "see %s --help",
			     current ? current->name : program_invocation_short_name);
		return '?';
	}
	return option;
}

int verb_switches(int argc, char **argv, const char *const *known, struct fault *fault)
{
	struct option options[16] = { 0 };
	char letters[32] = ":";
	int option, result = 0;

	/* Its first letter is short for each. */
	for (int i = 0; known[i]; i++) {
		options[i] = (struct option){ known[i], no_argument, NULL, *known[i] };
		letters[1 + i] = *known[i];
	}
	while ((option = verb_option(argc, argv, letters, options, fault)) != -1) {
		if (option == '?')
			return -1;
		for (int i = 0; known[i]; i++)
			result |= option == *known[i] ? 1 << i : 0;
	}
	return result;
}

int verb_misused(const struct verb *verb, struct fault *fault)
{
	fault_set(fault, EXIT_USAGE, "usage: veneer %s %s", verb->name, verb->usage);
	return fault_advise(fault, "see veneer %s --help", verb->name);
}
