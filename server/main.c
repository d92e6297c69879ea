/*
 * main.c - sevqd: the service, or one of its sub-commands.
 */
#include <string.h>

#include "server/database_command.h"
#include "server/route_command.h"
#include "server/serve.h"

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "route") == 0)
		return route_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return check_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "restore") == 0)
		return restore_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "salvage") == 0)
		return salvage_command(argc - 1, argv + 1);
	return serve_main(argc, argv);
}
