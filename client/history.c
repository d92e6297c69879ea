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

/* Which dead letters a call is about: exactly one of ids, an address and all. */
struct selection {
	const char *const *ids;
	size_t id_count;
	const struct sevq_address *address;
	const char *reason;
	bool all, dry_run;
};

static bool
selects_once(const struct selection *selection)
{
	const struct sevq_address *address = selection->address;
	bool session =
	    address->session_key != NULL || address->agent_id != NULL || address->queue_key != NULL;

	return (selection->ids != NULL) + session + selection->all == 1;
}

/* confirm: what it selects by is the confirmation. */
static void
add_selection(struct sevq_client *client, struct sevq_request *request,
	      const struct selection *selection, bool confirm)
{
	sevq_context_ids(client, request, selection->ids, selection->id_count);
	sevq_request_address(request, selection->address);
	sevq_request_text(request, "queueKey", selection->address->queue_key);
	sevq_request_text(request, "reason", selection->reason);
	sevq_request_true(request, "all", selection->all);
	sevq_request_true(request, "confirm", confirm);
	sevq_request_true(request, "dryRun", selection->dry_run);
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
	const struct selection selection = { ours.ids,    ours.id_count, &ours.address,
					     ours.reason, ours.all,      ours.dry_run };
	if (!selects_once(&selection))
		return sevq_context_refuse(client, "give exactly one of ids, a session and all");
	if (ours.rate_per_second < 0)
		return sevq_context_refuse(client, "rate_per_second must not be negative");
	sevq_request_init(&request, "POST", "/v1/dead-letters/requeue");
	add_selection(client, &request, &selection, ours.all);
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
	const struct selection selection = { ours.ids,    ours.id_count, &ours.address,
					     ours.reason, ours.all,      ours.dry_run };
	if (!selects_once(&selection))
		return sevq_context_refuse(client, "give exactly one of ids, a session and all");
	sevq_request_init(&request, "DELETE", "/v1/dead-letters");
	sevq_request_add_body(&request);
	add_selection(client, &request, &selection, ours.ids == NULL);
	return sevq_context_run(client, &request, &sevq_shape_discarded, ret);
}
