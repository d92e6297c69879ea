/*
 * History: events that have left their queues, dead letters, requeueing and discarding them.
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
sevq_dead_letters(struct sevq_client *client, const struct sevq_address *address,
		  const char *reason, size_t limit, const char *cursor, struct sevq_history **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "GET", "/v1/dead-letters");
	sevq_request_address_query(&request, address);
	sevq_url_query(&request.target, "reason", reason);
	sevq_url_query_number(&request.target, "limit", (int64_t)limit);
	sevq_url_query(&request.target, "cursor", cursor);
	return sevq_context_run(client, &request, &sevq_shape_history, ret);
}

static bool
selects_once(const char *const *ids, const struct sevq_address *address, bool all)
{
	bool session =
	    address->session_key != NULL || address->agent_id != NULL || address->queue_key != NULL;

	return (ids != NULL) + session + all == 1;
}

enum sevq_code
sevq_requeue(struct sevq_client *client, const struct sevq_requeue_options *options,
	     struct sevq_requeued **ret)
{
	struct sevq_requeue_options ours;
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	if (!selects_once(ours.ids, &ours.address, ours.all))
		return sevq_context_refuse(client, "give exactly one of ids, a session and all");
	if (ours.rate_per_second < 0)
		return sevq_context_refuse(client, "rate_per_second must not be negative");
	sevq_request_init(&request, "POST", "/v1/dead-letters/requeue");
	sevq_context_ids(client, &request, ours.ids, ours.id_count);
	sevq_request_address(&request, &ours.address);
	sevq_request_text(&request, "queueKey", ours.address.queue_key);
	sevq_request_text(&request, "reason", ours.reason);
	sevq_request_true(&request, "all", ours.all);
	sevq_request_true(&request, "confirm", ours.all); /* setting all is the confirmation */
	sevq_request_true(&request, "dryRun", ours.dry_run);
	sevq_request_number(&request, "ratePerSecond", ours.rate_per_second);
	return sevq_context_run(client, &request, &sevq_shape_requeued, ret);
}

enum sevq_code
sevq_discard(struct sevq_client *client, const struct sevq_discard_options *options,
	     struct sevq_discarded **ret)
{
	struct sevq_discard_options ours;
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	if (!selects_once(ours.ids, &ours.address, ours.all))
		return sevq_context_refuse(client, "give exactly one of ids, a session and all");
	sevq_request_init(&request, "DELETE", "/v1/dead-letters");
	sevq_request_add_body(&request);
	sevq_context_ids(client, &request, ours.ids, ours.id_count);
	sevq_request_address(&request, &ours.address);
	sevq_request_text(&request, "queueKey", ours.address.queue_key);
	sevq_request_text(&request, "reason", ours.reason);
	sevq_request_true(&request, "all", ours.all);
	/* setting an address or all is the confirmation */
	sevq_request_true(&request, "confirm", ours.ids == NULL);
	sevq_request_true(&request, "dryRun", ours.dry_run);
	return sevq_context_run(client, &request, &sevq_shape_discarded, ret);
}
