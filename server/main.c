/*
 * main.c - sevqd: the service, or one of its sub-commands.
 */
#include <string.h>

#include "server/route_command.h"
#include "server/serve.h"

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "route") == 0)
		return route_command(argc - 1, argv + 1);
	return serve_main(argc, argv);
}
