/*
 * command.h - what a command is, and what all of them share.
 *
 * Here: the descriptor, the function of every command, and the helpers that they share: the session
 * that an argument names, printing of events.
 * Not here: the table of all commands and the help (main.c), exit codes and reports (report.h).
 */
#ifndef SEVQ_COMMAND_COMMAND_H
#define SEVQ_COMMAND_COMMAND_H

#include "client/command/options.h"
#include "client/command/report.h"

struct sevq_command {
	const char *name;
	const char *arguments;            /* for the help: "KEY ID..." */
	const char *about;                /* for the help: one line */
	int arguments_min, arguments_max; /* max < 0: any number */
	uint64_t options;                 /* a set of SEVQ_WITH() */
	enum sevq_exit (*run)(struct sevq_client *client, struct sevq_options *options);
	bool local;       /* it asks no server, and its client is NULL */
	bool starts;      /* --json is for a command that it starts */
	bool own_timeout; /* --timeout is not that of its calls */
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

/* rekey.c */
enum sevq_exit sevq_run_rekey(struct sevq_client *client, struct sevq_options *options);

/* people.c */
enum sevq_exit sevq_run_consumers(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_leases(struct sevq_client *client, struct sevq_options *options);

/* policy.c */
enum sevq_exit sevq_run_policy(struct sevq_client *client, struct sevq_options *options);

/* why.c */
enum sevq_exit sevq_run_why(struct sevq_client *client, struct sevq_options *options);

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

/* dead_letters.c: what sevq_run_dead_letters does with --requeue and --discard */
enum sevq_exit sevq_requeue_dead_letters(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_discard_dead_letters(struct sevq_client *client, struct sevq_options *options);

/* status.c */
enum sevq_exit sevq_run_status(struct sevq_client *client, struct sevq_options *options);
enum sevq_exit sevq_run_version(struct sevq_client *client, struct sevq_options *options);

/* backup.c */
enum sevq_exit sevq_run_backup(struct sevq_client *client, struct sevq_options *options);

/* page.c */
enum sevq_exit sevq_run_page(struct sevq_client *client, struct sevq_options *options);

/* token.c */
enum sevq_exit sevq_run_token(struct sevq_client *client, struct sevq_options *options);

/* What commands share (command.c). */

/*
 * Completes options->address from the argument KEY, which may be given instead of --session-key.
 * false: it names no session, or names it twice; the mistake has been reported.
 */
bool sevq_take_key_argument(struct sevq_options *options);

/*
 * The same where no session means all of them. What only completes a session, such as --exact or
 * --channel, must not be taken for none.
 */
bool sevq_take_optional_key(struct sevq_options *options);

/* Whether a session is named, once its key has been taken. */
bool sevq_names_session(const struct sevq_address *address);

/* Prints the server's last answer (sevq_say_json). */
void sevq_print_json(const struct sevq_client *client);

/* Prints the ids of events, each in a line. */
void sevq_print_ids(struct sevq_event *const *events, size_t count);

/* Prints events as a table; states: with the state of each. */
void sevq_print_events(struct sevq_event *const *events, size_t count, bool states);

#endif
