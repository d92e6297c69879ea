/*
 * Leases: take, ack, nack, extend; and the wait until there is something to take.
 */
#include "client/context.h"
#include "client/url.h"

#define WAIT_MS_MAX (5 * 60 * 1000)

enum sevq_code
sevq_lease(struct sevq_client *client, const struct sevq_address *address,
	   const struct sevq_lease_options *options, struct sevq_lease **ret)
{
	struct sevq_lease_options ours;
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	if (ours.lease_ms < 0)
		return sevq_context_refuse(client, "lease_ms must not be negative");
	sevq_request_init(&request, "POST", "/v1/leases");
	sevq_request_address(&request, address);
	sevq_request_number(&request, "limit", (int64_t)ours.limit);
	sevq_request_number(&request, "leaseMs", ours.lease_ms);
	sevq_request_text(&request, "contextKeyPrefix", ours.context_key_prefix);
	sevq_request_text(&request, "consumer", ours.consumer);
	sevq_request_true(&request, "exclusive", ours.exclusive);
	sevq_request_text(&request, "format", ours.prompt ? "prompt" : NULL);
	sevq_request_text(&request, "execCompletions",
			  ours.prompt && ours.exec_completions ? "include" : NULL);
	sevq_context_idempotency(client, &request, ours.idempotency_key);
	return sevq_context_run(client, &request, &sevq_shape_lease, ret);
}

/* Begins a call on a lease: POST /v1/leases/{id}/{what}. */
static bool
begin(struct sevq_client *client, struct sevq_request *request, const char *lease_id,
      const char *what)
{
	if (!sevq_context_begin(client))
		return false;
	if (lease_id == NULL || lease_id[0] == '\0') {
		sevq_context_refuse(client, "the lease id is missing");
		return false;
	}
	sevq_request_init(request, "POST", "/v1/leases");
	sevq_request_segment(request, lease_id);
	sevq_request_segment(request, what);
	return true;
}

enum sevq_code
sevq_ack(struct sevq_client *client, const char *lease_id, const char *const *ids, size_t id_count,
	 struct sevq_lease_change **ret)
{
	struct sevq_request request;

	if (!begin(client, &request, lease_id, "ack"))
		return sevq_error_code(client);
	sevq_context_ids(client, &request, ids, id_count);
	request.repeatable = true; /* a second ack changes nothing */
	return sevq_context_run(client, &request, &sevq_shape_acked, ret);
}

enum sevq_code
sevq_nack(struct sevq_client *client, const char *lease_id, const char *const *ids, size_t id_count,
	  const struct sevq_nack_options *options, struct sevq_lease_change **ret)
{
	struct sevq_nack_options ours;
	struct sevq_request request;

	if (!begin(client, &request, lease_id, "nack"))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) == SEVQ_OK &&
	    ours.delay_ms < 0)
		sevq_context_refuse(client, "delay_ms must not be negative");
	sevq_context_ids(client, &request, ids, id_count);
	sevq_request_number(&request, "delayMs", ours.delay_ms);
	sevq_request_text(&request, "reason", ours.reason);
	if (ours.do_not_count)
		sevq_request_false(&request, "countAttempt");
	return sevq_context_run(client, &request, &sevq_shape_nacked, ret);
}

enum sevq_code
sevq_extend(struct sevq_client *client, const char *lease_id, const char *const *ids,
	    size_t id_count, int64_t lease_ms, struct sevq_lease_change **ret)
{
	struct sevq_request request;

	if (!begin(client, &request, lease_id, "extend"))
		return sevq_error_code(client);
	if (lease_ms < 0)
		sevq_context_refuse(client, "lease_ms must not be negative");
	sevq_context_ids(client, &request, ids, id_count);
	sevq_request_number(&request, "leaseMs", lease_ms);
	request.repeatable = true; /* the new end counts from now, so the last one wins */
	return sevq_context_run(client, &request, &sevq_shape_extended, ret);
}

enum sevq_code
sevq_wait(struct sevq_client *client, const struct sevq_address *address, int64_t timeout_ms,
	  struct sevq_readiness **ret)
{
	return sevq_wait_for(client, address, NULL, timeout_ms, ret);
}

enum sevq_code
sevq_wait_for(struct sevq_client *client, const struct sevq_address *address,
	      const struct sevq_wait_options *options, int64_t timeout_ms,
	      struct sevq_readiness **ret)
{
	struct sevq_wait_options ours;
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	if (timeout_ms < 0 || timeout_ms > WAIT_MS_MAX)
		return sevq_context_refuse(client, "timeout_ms must be 0 to 300000 (5 minutes)");
	sevq_request_init(&request, "GET", "/v1/wait");
	sevq_request_address_query(&request, address);
	sevq_url_query(&request.target, "contextKeyPrefix", ours.context_key_prefix);
	sevq_url_query(&request.target, "format", ours.prompt ? "prompt" : NULL);
	sevq_url_query(&request.target, "execCompletions",
		       ours.prompt && ours.exec_completions ? "include" : NULL);
	sevq_url_query(&request.target, "exclusive", ours.exclusive ? "true" : NULL);
	sevq_url_query(&request.target, "wake", ours.wake_now ? "now" : NULL);
	sevq_buffer_addf(&request.target, "%stimeoutMs=%ld",
			 strchr(sevq_buffer_text(&request.target), '?') == NULL ? "?" : "&",
			 (long)timeout_ms); /* 0 must be sent: the server's default is not 0 */
	request.wait_ms = timeout_ms;
	request.interruptible = true;
	return sevq_context_run(client, &request, &sevq_shape_ready, ret);
}
