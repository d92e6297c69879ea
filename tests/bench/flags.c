/*
 * flags.c - the flags of the load generator: one table.
 */
#include "flags.h"

#include <getopt.h>
#include <stdlib.h>

enum type { TEXT, NUMBER, SECONDS };

/* clang-format off */
static const struct {
	const char *name;
	enum type type;
	size_t offset;
} flags[] = {
	/* for sync and rows: the directory of their files */
	{ "dir", TEXT, offsetof(struct load, dir) },
	{ "token", TEXT, offsetof(struct load, token) },       /* a token of the sevqd */
	{ "port", NUMBER, offsetof(struct load, port) },       /* a port of 127.0.0.1 */
	{ "connections", NUMBER, offsetof(struct load, connections) },
	{ "sessions", NUMBER, offsetof(struct load, sessions) }, /* the number of sessions */
	/* 0: sessions in turn; 1: a random session for each event */
	{ "random", NUMBER, offsetof(struct load, random) },
	/* the prefix of the sessions' keys */
	{ "prefix", TEXT, offsetof(struct load, prefix) },
	/* events per batch, drain, lease or transaction */
	{ "size", NUMBER, offsetof(struct load, size) },
	/* bytes of an event as JSON; its text has the same length for all servers */
	{ "body-bytes", NUMBER, offsetof(struct load, body_bytes) },
	/* the number of rounds, or else the time: */
	{ "count", NUMBER, offsetof(struct load, count) },
	{ "seconds", SECONDS, offsetof(struct load, seconds) },
	{ "warmup", SECONDS, offsetof(struct load, warmup) },
};
/* clang-format on */

#define FLAGS (sizeof(flags) / sizeof(flags[0]))

static void
set(struct load *load, size_t flag)
{
	void *place = (char *)load + flags[flag].offset;

	switch (flags[flag].type) {
	case TEXT:
		*(const char **)place = optarg;
		break;
	case NUMBER:
		*(uint64_t *)place = strtoull(optarg, NULL, 10);
		break;
	case SECONDS:
		*(double *)place = strtod(optarg, NULL);
		break;
	}
}

bool
flags_read(struct load *load, int argc, char **argv)
{
	struct option options[FLAGS + 1] = { 0 };
	size_t i;
	int c, flag = 0;

	for (i = 0; i < FLAGS; i++)
		options[i] = (struct option){ flags[i].name, required_argument, &flag, (int)i };
	while ((c = getopt_long(argc, argv, "", options, NULL)) == 0)
		set(load, (size_t)flag);
	return c == -1 && optind == argc - 1;
}
