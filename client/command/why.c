/*
 * sevq why - puts together what there is to know about one key: where it routes, what is there, who
 * asks, who holds what, what stands under the key itself, and what to do.
 */
#include <stdlib.h>

#include <unistd.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/held.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"

#define EXACT "--exact "

/* What the server says. json: its answers as members of one object, in the order of the calls. */
struct why {
	const char *asked; /* the key */
	struct sevq_decision *route;
	struct sevq_sessions *queue, *under; /* where it routes; under the key itself */
	struct sevq_askers *queue_askers;    /* who asks for the queue */
	struct sevq_askers *key_askers;      /* who asks under the key */
	struct sevq_leases *leases;          /* of the queue */
	struct sevq_buffer json;
};

/* Keeps the last answer as a member of the JSON object. */
static void
keep(struct why *why, const struct sevq_client *client, const char *name)
{
	sevq_buffer_addf(&why->json, "%s\"%s\":%s", why->json.len > 0 ? "," : "{", name,
			 sevq_last_answer(client, NULL));
}

/* A queue that has nothing but dead letters is told only to those who ask for such. */
static bool
ask_for_queue(struct sevq_client *client, const char *key, struct sevq_sessions **ret)
{
	struct sevq_sessions_options options;

	sevq_sessions_options_init(&options);
	options.queue_key = key;
	if (sevq_sessions(client, &options, ret) != SEVQ_OK)
		return false;
	if ((*ret)->count > 0)
		return true;
	sevq_free(*ret);
	*ret = NULL;
	options.problem = "dead";
	return sevq_sessions(client, &options, ret) == SEVQ_OK;
}

static bool
ask_for_queues(struct sevq_client *client, struct why *why)
{
	if (!ask_for_queue(client, why->route->session_key, &why->queue))
		return false;
	keep(why, client, "queue");
	if (why->asked == NULL || strcmp(why->asked, why->route->session_key) == 0)
		return true;
	if (!ask_for_queue(client, why->asked, &why->under))
		return false;
	keep(why, client, "underKey");
	return true;
}

static bool
ask_for_people(struct sevq_client *client, struct why *why)
{
	struct sevq_consumers_options asking;
	struct sevq_leases_options holding;

	sevq_consumers_options_init(&asking);
	asking.queue_key = why->route->session_key;
	if (sevq_consumers(client, &asking, &why->queue_askers) != SEVQ_OK)
		return false;
	keep(why, client, "queueAskers");
	if (why->asked != NULL) {
		asking.queue_key = NULL;
		asking.asked_key = why->asked;
		if (sevq_consumers(client, &asking, &why->key_askers) != SEVQ_OK)
			return false;
		keep(why, client, "keyAskers");
	}
	sevq_leases_options_init(&holding);
	holding.queue_key = why->route->session_key;
	if (sevq_leases(client, &holding, &why->leases) != SEVQ_OK)
		return false;
	keep(why, client, "leases");
	return true;
}

static bool
ask(struct sevq_client *client, const struct sevq_address *address, struct why *why)
{
	why->asked = address->session_key;
	if (sevq_route(client, address, &why->route) != SEVQ_OK)
		return false;
	keep(why, client, "route");
	return ask_for_queues(client, why) && ask_for_people(client, why);
}

static void
clear(struct why *why)
{
	sevq_free(why->route);
	sevq_free(why->queue);
	sevq_free(why->under);
	sevq_free(why->queue_askers);
	sevq_free(why->key_askers);
	sevq_free(why->leases);
	sevq_buffer_clear(&why->json);
}

static void
say_route(const struct why *why)
{
	const struct sevq_decision *route = why->route;
	size_t i;

	sevq_say(stdout, "%s routes to %s by %s", why->asked != NULL ? why->asked : "the agent",
		 route->session_key, route->rule);
	for (i = 0; i < route->step_count; i++)
		if (route->steps[i]->why != NULL && route->steps[i]->why[0] != '\0')
			sevq_say(stdout, "  %s: %s", route->steps[i]->rule, route->steps[i]->why);
}

/*
 * "KEY has 4 events: 1 to take, 2 leased, 1 delayed", since when, and who took one last. exact: "",
 * or the option without which the key leads to another queue.
 */
static void
say_queue(const char *exact, const char *key, const struct sevq_session *session)
{
	char time[SEVQ_TIME_BYTES];

	if (session->depth == 0)
		sevq_say(stdout, "%s has no events", key);
	else
		sevq_say(stdout, "%s has %zu %s: %zu to take, %zu leased, %zu delayed", key,
			 session->depth, session->depth == 1 ? "event" : "events", session->ready,
			 session->leased, session->delayed);
	if (session->dead_letters > 0)
		sevq_say(stdout, "  %zu dead %s: sevq dead-letters %s%s", session->dead_letters,
			 session->dead_letters == 1 ? "letter" : "letters", exact, key);
	if (session->ready_since_ts_ms != 0)
		sevq_say(stdout, "  there is something to take since %s",
			 sevq_time_text(session->ready_since_ts_ms, time));
	if (session->last_taken_ts_ms != 0)
		sevq_say(stdout, "  %s took something last, at %s",
			 session->last_taken_by != NULL ? session->last_taken_by : "somebody",
			 sevq_time_text(session->last_taken_ts_ms, time));
}

static void
say_leases(const struct sevq_leases *leases)
{
	char time[SEVQ_TIME_BYTES];
	size_t i;

	for (i = 0; i < leases->count; i++)
		sevq_say(stdout, "  %s holds %zu until %s (lease %s)",
			 leases->leases[i]->consumer != NULL ? leases->leases[i]->consumer
							     : "a consumer without a name",
			 leases->leases[i]->leased,
			 sevq_time_text(leases->leases[i]->expires_at_ms, time),
			 leases->leases[i]->lease_id);
}

static void
say_askers(const struct sevq_askers *askers)
{
	char time[SEVQ_TIME_BYTES];
	size_t i;

	for (i = 0; i < askers->count; i++) {
		const struct sevq_asker *asker = askers->askers[i];

		sevq_say(stdout,
			 "  %s asked for %s, which led to %s by %s (%s, %zu taken, last at %s%s)",
			 asker->consumer != NULL ? asker->consumer : "somebody", asker->asked_key,
			 asker->queue_key, asker->rule, asker->kind, asker->taken,
			 sevq_time_text(asker->last_ts_ms, time),
			 asker->waiting_now > 0 ? ", waits now" : "");
	}
}

static const struct sevq_session *
only(const struct sevq_sessions *sessions)
{
	return sessions != NULL && sessions->count > 0 ? sessions->sessions[0] : NULL;
}

static void
say_advice(const struct why *why)
{
	const struct sevq_session *queue = only(why->queue), *under = only(why->under);
	const char *key = why->route->session_key;

	if (under != NULL && under->depth > 0)
		sevq_say(stdout,
			 "do: sevq rekey %s moves what is stranded there to where its key leads",
			 under->session_key);
	if (queue != NULL && queue->ready > 0 && why->queue_askers->count == 0)
		sevq_say(stdout, "do: start a consumer of %s, or take the events: sevq drain %s",
			 key, key);
	else if (queue != NULL && queue->ready > 0 && queue->waiters == 0)
		sevq_say(
		    stdout,
		    "do: see why those who asked ask no more, or take the events: sevq drain %s",
		    key);
	else if (queue != NULL && queue->ready == 0 && queue->leased > 0)
		sevq_say(stdout, "%s", "do: wait for the ends of the leases, or ack them");
	else if (queue != NULL && queue->ready == 0 && queue->delayed > 0)
		sevq_say(stdout, "%s", "do: wait until the delays are over");
	else if (queue != NULL && queue->dead_letters > 0)
		sevq_say(stdout, "do: enqueue them anew: sevq dead-letters --requeue-all %s", key);
	else if (queue == NULL && under != NULL && under->depth == 0)
		sevq_say(stdout, "do: enqueue them anew: sevq dead-letters --requeue-all %s%s",
			 EXACT, under->session_key);
	else if (queue == NULL && under == NULL)
		sevq_say(stdout, "do: see what became of the events: sevq history %s", key);
}

static void
print(struct sevq_client *client, const struct why *why)
{
	const char *key = why->route->session_key;
	const struct sevq_session *queue = only(why->queue), *under = only(why->under);
	char *held;

	say_route(why);
	if (queue == NULL)
		sevq_say(stdout, "%s has no events", key);
	else
		say_queue("", key, queue);
	say_leases(why->leases);
	held = queue != NULL && queue->delayed > 0 ? sevq_held_text(client, key) : NULL;
	if (held != NULL)
		sevq_say(stdout, "  %s", held);
	free(held);
	if (under != NULL)
		say_queue(EXACT, under->session_key, under);
	if (why->queue_askers->count == 0)
		sevq_say(stdout, "nobody has asked for %s since the server started", key);
	else
		sevq_say(stdout, "who asks for %s", key);
	say_askers(why->queue_askers);
	if (why->key_askers != NULL && why->key_askers->count > 0 && why->under != NULL) {
		sevq_say(stdout, "who asks under %s", why->asked);
		say_askers(why->key_askers);
	}
	say_advice(why);
}

enum sevq_exit
sevq_run_why(struct sevq_client *client, struct sevq_options *options)
{
	struct why why = { 0 };
	enum sevq_exit result = SEVQ_EXIT_DONE;

	if (!sevq_take_key_argument(options))
		return SEVQ_EXIT_USAGE;
	if (!ask(client, &options->address, &why)) {
		result = sevq_report(client);
	} else if (options->json) {
		sevq_buffer_adds(&why.json, "}");
		sevq_say_json(stdout, sevq_allocated(why.json.failed ? NULL : why.json.data));
	} else {
		print(client, &why);
	}
	clear(&why);
	return result;
}
