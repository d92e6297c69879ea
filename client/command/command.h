/*
 * command.h - what a command is, and what all of them share.
 *
 * Here: the descriptor, the exit codes, the ways to end. One command, one function; the table of
 * all is in main.c.
 */
#ifndef SEVQ_COMMAND_COMMAND_H
#define SEVQ_COMMAND_COMMAND_H

#include "client/command/options.h"

enum sevq_exit {
	SEVQ_EXIT_DONE = 0,
	SEVQ_EXIT_FAILED = 1,
	SEVQ_EXIT_USAGE = 2,
	SEVQ_EXIT_NOTHING = 3,     /* nothing there */
	SEVQ_EXIT_NOT_ALLOWED = 4, /* no token, or a wrong one */
	SEVQ_EXIT_TRY_AGAIN = 75,  /* nothing changed; the same may succeed later */
};

struct sevq_command {
	const char *name;
	const char *arguments; /* for the help: "KEY ID..." */
	const char *about;
	int arguments_min, arguments_max; /* max < 0: any number */
	uint64_t options;                 /* besides the common ones */
	enum sevq_exit (*run)(struct sevq_client *client, struct sevq_options *options);
};

/* The commands, under the name of their file. Each prints its answer and returns the exit code. */

/* event.c */
enum sevq_exit sevq_run_event(struct sevq_client *client, struct sevq_options *options);

/* take.c */
enum sevq_exit sevq_run_drain(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_peek(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_consume(struct sevq_client *client, struct sevq_options *options);

/* remove.c */
enum sevq_exit sevq_run_withdraw(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_purge(struct sevq_client *client, struct sevq_options *options);

/* look.c */
enum sevq_exit sevq_run_sessions(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_route(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_stats(struct sevq_client *client, struct sevq_options *options);

/* lease.c */
enum sevq_exit sevq_run_lease(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_ack(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_nack(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_extend(struct sevq_client *client, struct sevq_options *options);

/* wait.c */
enum sevq_exit sevq_run_wait(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_tail(struct sevq_client *client, struct sevq_options *options);

/* run.c */
enum sevq_exit sevq_run_run(struct sevq_client *client, struct sevq_options *options);

/* history.c */
enum sevq_exit sevq_run_show(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_history(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_dead_letters(struct sevq_client *client, struct sevq_options *options);

/* What commands share (command.c). */

/* Says on standard error how the last call on client failed, and with which code to exit. */
enum sevq_exit sevq_report(const struct sevq_client *client);

/* Says that the command line makes no sense. */
enum sevq_exit sevq_report_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The session of commands that take KEY as an argument or as an option: puts the argument into
 * options->address. false: neither a key nor an agent was given; it has been said.
 */
bool sevq_take_key_argument(struct sevq_options *options);

/* The server's answer as it is, with a line feed. */
void sevq_print_json(const struct sevq_client *client);

/*
 * Asks a person at the terminal, with a question that ends in " [y/N] "; whether the answer is yes.
 */
bool sevq_ask(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Events as a table. */
void sevq_print_events(struct sevq_event *const *events, size_t count);

/* The lines of a prompt; on a terminal they are made harmless. NULL prints nothing. */
void sevq_print_block(const char *block);

#endif
