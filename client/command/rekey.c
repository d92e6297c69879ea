/*
 * sevq rekey - moves events whose key the policy in force leads elsewhere, once or until none are
 * left.
 */
#include "client/command/backoff.h"
#include "client/command/command.h"
#include "client/command/say.h"
#include "client/command/table.h"

#define LOOK_AGAIN_MS 1000 /* while leases hold events that are to be moved */

static void
print_queues(const struct sevq_rekeyed *rekeyed)
{
	const struct sevq_column columns[] = { { "FROM", false },
					       { "TO", false },
					       { "RULE", false },
					       { rekeyed->dry_run ? "WOULD MOVE" : "MOVED", true },
					       { "LEASED", true } };
	struct sevq_table table;
	size_t i;

	if (rekeyed->count == 0)
		return;
	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (i = 0; i < rekeyed->count; i++) {
		const struct sevq_moved *queue = rekeyed->queues[i];

		sevq_table_add(&table, queue->from);
		sevq_table_add(&table, queue->to);
		sevq_table_add(&table, queue->rule);
		sevq_table_add_number(&table, queue->moved);
		sevq_table_add_number(&table, queue->leased);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

/* What stays, and why, on standard error. */
static void
print_left(const struct sevq_options *options, const struct sevq_rekeyed *rekeyed)
{
	size_t i;

	fflush(stdout);
	for (i = 0; i < rekeyed->count; i++)
		if (rekeyed->queues[i]->to == NULL)
			sevq_say(stderr, "%s stays: the policy takes no such key",
				 rekeyed->queues[i]->from);
	if (rekeyed->leased > 0)
		sevq_say(stderr, "%zu leased, with their holders until their leases end",
			 rekeyed->leased);
	if (rekeyed->more && !options->wait)
		sevq_say(stderr, "%s", "more are left; run it again, or with --wait");
}

static void
print(struct sevq_client *client, const struct sevq_options *options,
      const struct sevq_rekeyed *rekeyed)
{
	if (options->json) {
		sevq_print_json(client);
		return;
	}
	print_queues(rekeyed);
	print_left(options, rekeyed);
}

/* Whether another call may have more to move, now or when leases have ended. */
static bool
goes_on(const struct sevq_options *options, const struct sevq_rekeyed *rekeyed)
{
	return options->wait && !options->dry_run && (rekeyed->more || rekeyed->leased > 0);
}

enum sevq_exit
sevq_run_rekey(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_rekey_options wanted;
	struct sevq_rekeyed *rekeyed;
	bool again = true;
	size_t moved = 0, told = 0;

	sevq_rekey_options_init(&wanted);
	wanted.queue_key = options->argument_count > 0 ? options->arguments[0] : NULL;
	wanted.dry_run = options->dry_run;
	wanted.limit = (size_t)options->limit;
	while (again) {
		if (sevq_rekey(client, &wanted, &rekeyed) != SEVQ_OK)
			return sevq_report(client);
		moved += rekeyed->moved;
		if (rekeyed->moved > 0 || told++ == 0) /* waiting says it once */
			print(client, options, rekeyed);
		again = goes_on(options, rekeyed);
		if (again && !rekeyed->more)
			sevq_sleep(LOOK_AGAIN_MS);
		sevq_free(rekeyed);
	}
	if (moved == 0 && !options->json)
		sevq_say(stderr, "%s", "nothing to move");
	return moved > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
}
