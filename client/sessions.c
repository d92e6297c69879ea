/*
 * What an operator asks about the server, and has it do: where a key is routed, which queues there
 * are, who asks and who holds, moving queues that the policy has stranded, the policy, the
 * counters.
 */
#include "client/context.h"

enum sevq_code
sevq_route(struct sevq_client *client, const struct sevq_address *address,
	   struct sevq_decision **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "POST", "/v1/route");
	sevq_request_address(&request, address);
	request.repeatable = true; /* a POST that changes nothing */
	return sevq_context_run(client, &request, &sevq_shape_decision, ret);
}

enum sevq_code
sevq_sessions(struct sevq_client *client, const struct sevq_sessions_options *options,
	      struct sevq_sessions **ret)
{
	struct sevq_sessions_options ours = { 0 };
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	sevq_request_init(&request, "GET", "/v1/sessions");
	sevq_url_query(&request.target, "sessionKey", ours.session_key);
	sevq_url_query(&request.target, "agentId", ours.agent_id);
	sevq_url_query(&request.target, "prefix", ours.prefix);
	sevq_url_query_number(&request.target, "minAgeMs", ours.min_age_ms);
	sevq_url_query(&request.target, "sort", ours.sort);
	sevq_url_query_number(&request.target, "limit", (int64_t)ours.limit);
	sevq_url_query(&request.target, "cursor", ours.cursor);
	sevq_url_query(&request.target, "queueKey", ours.queue_key);
	sevq_url_query(&request.target, "contains", ours.contains);
	sevq_url_query(&request.target, "problem", ours.problem);
	return sevq_context_run(client, &request, &sevq_shape_sessions, ret);
}

enum sevq_code
sevq_consumers(struct sevq_client *client, const struct sevq_consumers_options *options,
	       struct sevq_askers **ret)
{
	struct sevq_consumers_options ours = { 0 };
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	sevq_request_init(&request, "GET", "/v1/consumers");
	sevq_url_query(&request.target, "askedKey", ours.asked_key);
	sevq_url_query(&request.target, "queueKey", ours.queue_key);
	sevq_url_query_number(&request.target, "limit", (int64_t)ours.limit);
	return sevq_context_run(client, &request, &sevq_shape_askers, ret);
}

enum sevq_code
sevq_leases(struct sevq_client *client, const struct sevq_leases_options *options,
	    struct sevq_leases **ret)
{
	struct sevq_leases_options ours = { 0 };
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	sevq_request_init(&request, "GET", "/v1/leases");
	sevq_url_query(&request.target, "queueKey", ours.queue_key);
	sevq_url_query(&request.target, "consumer", ours.consumer);
	sevq_url_query_number(&request.target, "limit", (int64_t)ours.limit);
	sevq_url_query(&request.target, "cursor", ours.cursor);
	return sevq_context_run(client, &request, &sevq_shape_leases, ret);
}

/* Not to name a queue is the confirmation. */
enum sevq_code
sevq_rekey(struct sevq_client *client, const struct sevq_rekey_options *options,
	   struct sevq_rekeyed **ret)
{
	struct sevq_rekey_options ours = { 0 };
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	sevq_request_init(&request, "POST", "/v1/rekey");
	sevq_request_text(&request, "queueKey", ours.queue_key);
	sevq_request_true(&request, "dryRun", ours.dry_run);
	sevq_request_true(&request, "confirm", ours.queue_key == NULL && !ours.dry_run);
	sevq_request_number(&request, "limit", (int64_t)ours.limit);
	request.repeatable = true; /* what was moved is moved no second time */
	return sevq_context_run(client, &request, &sevq_shape_rekeyed, ret);
}

enum sevq_code
sevq_backup(struct sevq_client *client, const char *name, char **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, name != NULL ? "POST" : "GET", "/v1/backups");
	if (name != NULL)
		sevq_request_text(&request, "name", name);
	return sevq_context_run(client, &request, &sevq_shape_text, ret);
}

enum sevq_code
sevq_page_code(struct sevq_client *client, const char *scope, char **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "POST", "/v1/page-codes");
	sevq_request_text(&request, "scope", scope);
	return sevq_context_run(client, &request, &sevq_shape_text, ret);
}

/* A call without arguments whose answer is JSON for the caller to read. */
static enum sevq_code
get_text(struct sevq_client *client, const char *path, char **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "GET", path);
	return sevq_context_run(client, &request, &sevq_shape_text, ret);
}

enum sevq_code
sevq_policy(struct sevq_client *client, char **ret)
{
	return get_text(client, "/v1/policy", ret);
}

enum sevq_code
sevq_stats(struct sevq_client *client, char **ret)
{
	return get_text(client, "/v1/stats", ret);
}

enum sevq_code
sevq_ready(struct sevq_client *client)
{
	return get_text(client, "/readyz", NULL);
}

enum sevq_code
sevq_server_version(struct sevq_client *client, char **ret)
{
	return get_text(client, "/version", ret);
}

enum sevq_code
sevq_whoami(struct sevq_client *client, char **ret)
{
	return get_text(client, "/v1/whoami", ret);
}
