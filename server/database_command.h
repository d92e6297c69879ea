/*
 * database_command.h - `sevqd check`, `sevqd salvage` and `sevqd restore`: a database at rest.
 *
 * Here: the command lines, and what people and programs are told. Not here: reading the database
 * (queue/sqlite/salvage.h).
 */
#ifndef SERVER_DATABASE_COMMAND_H
#define SERVER_DATABASE_COMMAND_H

/* They return the exit status. argv[0] is the command's name. */
int check_command(int argc, char **argv);
int salvage_command(int argc, char **argv);
int restore_command(int argc, char **argv);

#endif
