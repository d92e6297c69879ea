/*
 * route_command.h - `sevqd route`: try a policy before you run it (DESIGN section 5).
 *
 * Here: JSON lines in, decisions out, one answer a line and in order; no server, no database.
 * Not here: the decision (queue/route).
 */
#ifndef SERVER_ROUTE_COMMAND_H
#define SERVER_ROUTE_COMMAND_H

/*
 * argv[0] is "route". Returns the exit code: 0; 1 when a line was no question (the others are
 * answered all the same); 2 for a wrong command line; 78 when the policy file cannot be used.
 */
int route_command(int argc, char **argv);

#endif
