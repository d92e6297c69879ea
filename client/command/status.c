/*
 * sevq status, version - whether the server is there and well, and what is queued, in a few lines.
 *
 * Everybody may ask for the version and whether the server is ready. What the token may not read is
 * left out.
 */
#include <math.h>
#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"
#include "client/json.h"

/* The answers that came. json: all of them as members of one object. */
struct status {
	enum sevq_exit ready;
	char *reason; /* why the server is not ready; NULL: it is */
	cJSON *version, *token, *stats, *policy;
	struct sevq_buffer json;
};

/* A call that answers with JSON text. */
typedef enum sevq_code asker(struct sevq_client *client, char **ret);

/*
 * Asks, and keeps the answer under this name; *ret stays NULL where the token may not read it.
 * False: the call failed.
 */
static bool
ask(struct sevq_client *client, struct status *status, const char *name, asker *call, cJSON **ret)
{
	char *text;

	if (call(client, &text) != SEVQ_OK)
		return sevq_error_code(client) == SEVQ_FORBIDDEN;
	sevq_buffer_addf(&status->json, ",\"%s\":%s", name, text);
	*ret = sevq_allocated(sevq_json_parse(text, strlen(text)));
	sevq_free(text);
	return true;
}

/* False: a call failed. That the server is not ready is an answer. */
static bool
ask_all(struct sevq_client *client, struct status *status)
{
	sevq_buffer_addf(&status->json, "{\"ready\":");
	if (sevq_ready(client) == SEVQ_OK)
		status->ready = SEVQ_EXIT_DONE;
	else if (sevq_http_status(client) == 0)
		return false;
	else {
		status->ready = SEVQ_EXIT_TRY_AGAIN;
		status->reason = sevq_allocated(strdup(sevq_error_message(client)));
	}
	sevq_buffer_adds(&status->json, status->reason == NULL ? "true" : "false");
	if (!ask(client, status, "server", sevq_server_version, &status->version) ||
	    !ask(client, status, "token", sevq_whoami, &status->token) ||
	    !ask(client, status, "stats", sevq_stats, &status->stats) ||
	    !ask(client, status, "policy", sevq_policy, &status->policy))
		return false;
	sevq_buffer_adds(&status->json, "}");
	return true;
}

static void
clear(struct status *status)
{
	free(status->reason);
	cJSON_Delete(status->version);
	cJSON_Delete(status->token);
	cJSON_Delete(status->stats);
	cJSON_Delete(status->policy);
	sevq_buffer_clear(&status->json);
}

static const cJSON *
member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* Adds a row: a text, or a whole number; else none. */
static void
add_row(struct sevq_table *table, const char *label, const cJSON *value)
{
	if (cJSON_IsString(value)) {
		sevq_table_add(table, label);
		sevq_table_add(table, value->valuestring);
	} else if (cJSON_IsNumber(value) && fabs(value->valuedouble) <= 9e15) {
		sevq_table_add(table, label);
		sevq_table_add_number(table, (uint64_t)fabs(value->valuedouble));
	}
}

/* "ci: produce, consume" */
static void
add_token(struct sevq_table *table, const cJSON *token)
{
	const char *name = cJSON_GetStringValue(member(token, "name")), *before = "";
	struct sevq_buffer text = { 0 };
	const cJSON *scope;

	if (name != NULL)
		sevq_buffer_addf(&text, "%s: ", name);
	cJSON_ArrayForEach(scope, member(token, "scopes")) if (cJSON_IsString(scope))
	{
		sevq_buffer_addf(&text, "%s%s", before, scope->valuestring);
		before = ", ";
	}
	sevq_table_add(table, "token");
	sevq_table_add(table, sevq_buffer_text(&text));
	if (text.failed)
		sevq_exit_out_of_memory();
	sevq_buffer_clear(&text);
}

static void
print(const struct sevq_client *client, const struct status *status)
{
	static const struct sevq_column pair[] = { { "", false }, { "", false } };
	struct sevq_table table;

	sevq_table_init(&table, pair, sizeof(pair) / sizeof(pair[0]));
	table.wraps = true;
	sevq_table_add(&table, "server");
	sevq_table_add(&table, sevq_base_url(client));
	add_row(&table, "version", member(status->version, "version"));
	sevq_table_add(&table, "ready");
	sevq_table_add(&table, status->reason != NULL ? status->reason : "yes");
	if (status->token != NULL)
		add_token(&table, status->token);
	add_row(&table, "policy", member(status->policy, "file"));
	add_row(&table, "policy error", member(member(status->policy, "lastError"), "detail"));
	add_row(&table, "to take", member(status->stats, "ready"));
	add_row(&table, "leased", member(status->stats, "leased"));
	add_row(&table, "delayed", member(status->stats, "delayed"));
	add_row(&table, "stranded", member(status->stats, "strandedEvents"));
	add_row(&table, "sessions", member(status->stats, "sessions"));
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

enum sevq_exit
sevq_run_status(struct sevq_client *client, struct sevq_options *options)
{
	struct status status = { 0 };
	enum sevq_exit result;

	if (!ask_all(client, &status)) {
		result = sevq_report(client);
		clear(&status);
		return result;
	}
	if (options->json)
		sevq_say_json(stdout, sevq_allocated(status.json.failed ? NULL : status.json.data));
	else
		print(client, &status);
	result = status.ready;
	clear(&status);
	return result;
}

/* The version of the command is known also where there is no server. */
enum sevq_exit
sevq_run_version(struct sevq_client *client, struct sevq_options *options)
{
	const char *version;
	cJSON *root;
	char *text;

	if (!options->json)
		sevq_say(stdout, "sevq %s", sevq_version());
	if (sevq_server_version(client, &text) != SEVQ_OK)
		return sevq_report(client);
	root = sevq_allocated(sevq_json_parse(text, strlen(text)));
	sevq_free(text);
	version = cJSON_GetStringValue(member(root, "version"));
	if (options->json)
		sevq_print_json(client);
	else
		sevq_say(stdout, "sevqd %s at %s", version != NULL ? version : "?",
			 sevq_base_url(client));
	cJSON_Delete(root);
	return SEVQ_EXIT_DONE;
}
