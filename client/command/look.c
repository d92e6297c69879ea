/*
 * sevq sessions, route, stats - shows the queues, a routing decision, the server's counters.
 */
#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"
#include "client/json.h"

#define DEPTH_MAX 8 /* of nested objects in the counters */

/* Zero is an empty cell, so that a column without anything is left out. */
static void
add_count(struct sevq_table *table, size_t count)
{
	if (count > 0)
		sevq_table_add_number(table, count);
	else
		sevq_table_add(table, NULL);
}

/* On a terminal a time is an age. */
static void
print_sessions(const struct sevq_sessions *sessions)
{
	static const struct sevq_column columns[] = { { "READY", true },    { "LEASED", true },
						      { "DELAYED", true },  { "UNATTENDED", true },
						      { "WAITERS", true },  { "LAST TAKEN", true },
						      { "PROBLEM", false }, { "SESSION", false } };
	struct sevq_table table;
	size_t i;

	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	table.alarm = 7; /* PROBLEM */
	for (i = 0; i < sessions->count; i++) {
		const struct sevq_session *session = sessions->sessions[i];

		sevq_table_add_number(&table, session->ready);
		add_count(&table, session->leased);
		add_count(&table, session->delayed);
		sevq_table_add_time(&table, session->waiters == 0 ? session->ready_since_ts_ms : 0);
		add_count(&table, session->waiters);
		sevq_table_add_time(&table, session->last_taken_ts_ms);
		sevq_table_add(&table, session->problem_count > 0 ? session->problems[0] : NULL);
		sevq_table_add(&table, session->session_key);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

/* Reports further pages on standard error, so that standard output holds nothing but sessions. */
static void
report_next_page(const struct sevq_sessions *sessions)
{
	fflush(stdout);
	if (sessions->total == 0)
		sevq_say(stderr, "nothing is queued");
	if (sessions->next_cursor != NULL)
		sevq_say(stderr, "%zu of %zu sessions; the next page: --cursor %s", sessions->count,
			 sessions->total, sessions->next_cursor);
}

enum sevq_exit
sevq_run_sessions(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_sessions_options filter;
	struct sevq_sessions *sessions;
	enum sevq_exit result;
	size_t i;

	sevq_sessions_options_init(&filter);
	filter.session_key = options->address.session_key;
	filter.agent_id = options->address.agent_id;
	filter.prefix = options->prefix;
	filter.min_age_ms = options->min_age_ms;
	filter.contains = options->contains;
	filter.problem = options->problem;
	filter.sort = options->sort != NULL ? options->sort : "problem";
	filter.limit = (size_t)options->limit;
	filter.cursor = options->cursor;
	if (sevq_sessions(client, &filter, &sessions) != SEVQ_OK)
		return sevq_report(client);
	if (options->json) {
		sevq_print_json(client);
	} else if (options->quiet) {
		for (i = 0; i < sessions->count; i++)
			sevq_say(stdout, "%s", sessions->sessions[i]->session_key);
	} else {
		print_sessions(sessions);
		report_next_page(sessions);
	}
	result = sessions->count > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
	sevq_free(sessions);
	return result;
}

static void
print_decision(const struct sevq_decision *decision)
{
	static const struct sevq_column pair[] = { { "", false }, { "", false } };
	static const struct sevq_column steps[] = { { "STEP", false },
						    { "APPLIED", false },
						    { "WHY", false } };
	struct sevq_table table;
	size_t i;

	sevq_table_init(&table, pair, sizeof(pair) / sizeof(pair[0]));
	sevq_table_add(&table, "queue");
	sevq_table_add(&table, decision->session_key);
	sevq_table_add(&table, "rule");
	sevq_table_add(&table, decision->rule);
	sevq_table_add(&table, "owner");
	sevq_table_add(&table, decision->owner);
	sevq_table_print(&table);
	sevq_table_clear(&table);

	sevq_say(stdout, "%s", "");
	sevq_table_init(&table, steps, sizeof(steps) / sizeof(steps[0]));
	for (i = 0; i < decision->step_count; i++) {
		sevq_table_add(&table, decision->steps[i]->rule);
		sevq_table_add(&table, decision->steps[i]->applied ? "yes" : "no");
		sevq_table_add(&table, decision->steps[i]->why);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

enum sevq_exit
sevq_run_route(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_decision *decision;

	if (!sevq_take_key_argument(options))
		return SEVQ_EXIT_USAGE;
	if (sevq_route(client, &options->address, &decision) != SEVQ_OK)
		return sevq_report(client);
	if (options->json)
		sevq_print_json(client);
	else
		print_decision(decision);
	sevq_free(decision);
	return SEVQ_EXIT_DONE;
}

/* Adds a row for each value in the object, named by its path: "store.walBytes". */
static void
add_counters(struct sevq_table *table, const char *name, const cJSON *value, int depth)
{
	struct sevq_buffer path = { 0 };
	const cJSON *member;
	char *text;

	if (depth > DEPTH_MAX)
		return;
	if (!cJSON_IsObject(value)) {
		text = cJSON_IsString(value) ? sevq_allocated(strdup(value->valuestring))
					     : sevq_allocated(cJSON_PrintUnformatted(value));
		sevq_table_add(table, name);
		sevq_table_add(table, text);
		free(text);
		return;
	}
	cJSON_ArrayForEach(member, value)
	{
		sevq_buffer_truncate(&path);
		sevq_buffer_addf(&path, "%s%s%s", name, name[0] != '\0' ? "." : "", member->string);
		add_counters(table, sevq_allocated(path.failed ? NULL : path.data), member,
			     depth + 1);
	}
	sevq_buffer_clear(&path);
}

enum sevq_exit
sevq_run_stats(struct sevq_client *client, struct sevq_options *options)
{
	static const struct sevq_column columns[] = { { "", false }, { "", true } };
	struct sevq_table table;
	char *text;
	cJSON *root;

	if (sevq_stats(client, &text) != SEVQ_OK)
		return sevq_report(client);
	if (options->json) {
		sevq_print_json(client);
	} else {
		root = sevq_allocated(sevq_json_parse(text, strlen(text)));
		sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
		add_counters(&table, "", root, 0);
		sevq_table_print(&table);
		sevq_table_clear(&table);
		cJSON_Delete(root);
	}
	sevq_free(text);
	return SEVQ_EXIT_DONE;
}
