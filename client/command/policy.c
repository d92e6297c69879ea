/*
 * sevq policy - what the policy in force says.
 */
#include <math.h>
#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"
#include "client/json.h"

/* Adds a cell: a text as it is, another value as JSON, NULL and null as an empty one. */
static void
add_cell(struct sevq_table *table, const cJSON *value)
{
	char *text = value == NULL || cJSON_IsNull(value)
			 ? NULL
			 : sevq_allocated(cJSON_IsString(value) ? strdup(value->valuestring)
								: cJSON_PrintUnformatted(value));

	sevq_table_add(table, text);
	free(text);
}

/* Adds a row; value NULL or null: none. */
static void
add_row(struct sevq_table *table, const char *label, const cJSON *value)
{
	if (value == NULL || cJSON_IsNull(value))
		return;
	sevq_table_add(table, label);
	add_cell(table, value);
}

static const cJSON *
member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* "main, ops" */
static void
add_list(struct sevq_table *table, const char *label, const cJSON *list)
{
	struct sevq_buffer text = { 0 };
	const cJSON *item;

	cJSON_ArrayForEach(item, list) if (cJSON_IsString(item))
	    sevq_buffer_addf(&text, "%s%s", text.len > 0 ? ", " : "", item->valuestring);
	if (text.len > 0) {
		sevq_table_add(table, label);
		sevq_table_add(table, sevq_buffer_text(&text));
	}
	if (text.failed)
		sevq_exit_out_of_memory();
	sevq_buffer_clear(&text);
}

static void
add_time(struct sevq_table *table, const char *label, const cJSON *ms)
{
	char text[SEVQ_TIME_BYTES];

	if (!cJSON_IsNumber(ms) || fabs(ms->valuedouble) > 9e15)
		return;
	sevq_table_add(table, label);
	sevq_table_add(table, sevq_time_text((int64_t)ms->valuedouble, text));
}

static void
print_rules(const cJSON *policy)
{
	static const struct sevq_column pair[] = { { "", false }, { "", false } };
	const cJSON *session = member(policy, "session"), *agents = member(policy, "agents"),
		    *stranded = member(policy, "stranded"), *warning;
	struct sevq_table table;

	sevq_table_init(&table, pair, sizeof(pair) / sizeof(pair[0]));
	add_row(&table, "file", member(policy, "file"));
	add_list(&table, "includes", member(policy, "includes"));
	add_row(&table, "hash", member(policy, "hash"));
	add_time(&table, "loaded", member(policy, "loadedAt"));
	add_row(&table, "last error", member(member(policy, "lastError"), "detail"));
	add_row(&table, "dmScope", member(session, "dmScope"));
	add_row(&table, "scope", member(session, "scope"));
	add_row(&table, "mainKey", member(session, "mainKey"));
	add_list(&table, "agents", member(agents, "ids"));
	add_row(&table, "default agent", member(agents, "default"));
	add_row(&table, "ownership", member(agents, "ownership"));
	add_row(&table, "bindings", member(policy, "bindings"));
	add_row(&table, "time zone", member(policy, "timezone"));
	cJSON_ArrayForEach(warning, member(policy, "warnings")) add_row(&table, "warning", warning);
	add_row(&table, "stranded sessions", member(stranded, "sessions"));
	add_row(&table, "stranded events", member(stranded, "events"));
	table.wraps = true;
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

static void
print_owners(const cJSON *allowlists)
{
	static const struct sevq_column columns[] = { { "CHANNEL", false },
						      { "ACCOUNT", false },
						      { "WHERE", false },
						      { "ENTRIES", true },
						      { "OWNER", false } };
	struct sevq_table table;
	const cJSON *list;

	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	cJSON_ArrayForEach(list, allowlists)
	{
		add_cell(&table, member(list, "channel"));
		add_cell(&table, member(list, "account"));
		add_cell(&table, member(list, "where"));
		add_cell(&table, member(list, "entries"));
		add_cell(&table, member(list, "owner"));
	}
	if (table.cell_count > 0)
		sevq_say(stdout, "%s", "");
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

enum sevq_exit
sevq_run_policy(struct sevq_client *client, struct sevq_options *options)
{
	char *text;
	cJSON *policy;

	if (sevq_policy(client, &text) != SEVQ_OK)
		return sevq_report(client);
	if (options->json) {
		sevq_print_json(client);
	} else {
		policy = sevq_allocated(sevq_json_parse(text, strlen(text)));
		print_rules(policy);
		print_owners(member(policy, "allowlists"));
		cJSON_Delete(policy);
	}
	sevq_free(text);
	return SEVQ_EXIT_DONE;
}
