/*
 * History: events that have left their queues, dead letters, and requeueing them.
 */
#include "client/context.h"

enum sevq_code
sevq_history(struct sevq_client *client, const struct sevq_history_options *options,
	     struct sevq_history **ret)
{
	struct sevq_history_options ours;
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	sevq_request_init(&request, "GET", "/v1/history");
	sevq_request_address_query(&request, &ours.address);
	sevq_url_query(&request.target, "state", ours.state);
	sevq_url_query(&request.target, "source", ours.source);
	sevq_url_query(&request.target, "reason", ours.reason);
	sevq_url_query_number(&request.target, "since", ours.since_ms);
	sevq_url_query_number(&request.target, "until", ours.until_ms);
	sevq_url_query_number(&request.target, "limit", (int64_t)ours.limit);
	sevq_url_query(&request.target, "cursor", ours.cursor);
	return sevq_context_run(client, &request, &sevq_shape_history, ret);
}

enum sevq_code
sevq_dead_letters(struct sevq_client *client, const struct sevq_address *address, size_t limit,
		  const char *cursor, struct sevq_history **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "GET", "/v1/dead-letters");
	sevq_request_address_query(&request, address);
	sevq_url_query_number(&request.target, "limit", (int64_t)limit);
	sevq_url_query(&request.target, "cursor", cursor);
	return sevq_context_run(client, &request, &sevq_shape_history, ret);
}

enum sevq_code
sevq_requeue(struct sevq_client *client, const struct sevq_requeue_options *options,
	     struct sevq_requeued **ret)
{
	struct sevq_requeue_options ours;
	struct sevq_request request;
	int selectors;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	selectors = (ours.ids != NULL) +
		    (ours.address.session_key != NULL || ours.address.agent_id != NULL) + ours.all;
	if (selectors != 1)
		return sevq_context_refuse(client, "give exactly one of ids, a session and all");
	if (ours.rate_per_second < 0)
		return sevq_context_refuse(client, "rate_per_second must not be negative");
	sevq_request_init(&request, "POST", "/v1/dead-letters/requeue");
	sevq_context_ids(client, &request, ours.ids, ours.id_count);
	sevq_request_address(&request, &ours.address);
	sevq_request_true(&request, "all", ours.all);
	sevq_request_true(&request, "confirm", ours.all); /* setting all is the confirmation */
	sevq_request_true(&request, "dryRun", ours.dry_run);
	sevq_request_number(&request, "ratePerSecond", ours.rate_per_second);
	return sevq_context_run(client, &request, &sevq_shape_requeued, ret);
}
