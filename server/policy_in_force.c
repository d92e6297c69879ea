/* policy_in_force.c - a policy is changed by its files alone: the same files are the same policy.
 */
#include "server/policy_in_force.h"

#include "queue/clock.h"
#include "server/log.h"
#include "server/policy_report.h"

#define STILL_MS 1000 /* of a change of the files, before it is read */

int
policy_in_force_begin(struct policy_in_force *force, const struct options *options,
		      struct policy **ret, struct error *err)
{
	*force = (struct policy_in_force){ .options = options,
					   .loaded_ms = clock_now().wall_ms,
					   .read_ms = clock_now().wall_ms,
					   .unlogged = true };
	return policy_file_load(options, ret, &force->source, err);
}

void
policy_in_force_clear(struct policy_in_force *force)
{
	policy_watch_free(force->watch);
	policy_source_clear(&force->source);
}

void
policy_in_force_watch(struct policy_in_force *force, struct event_base *base)
{
	force->watch = policy_watch_new(base, STILL_MS);
	policy_watch_set(force->watch, &force->source);
}

int
policy_in_force_read(const struct policy_in_force *force, struct policy **policy,
		     struct policy_source *source, struct error *err)
{
	if (policy_file_load(force->options, policy, source, err) != 0)
		return -1;
	if (source->count > 0 || force->source.count == 0)
		return 0;
	policy_free(*policy);
	return error_set(err, ERROR_CONFIG, "policy %s: it is gone", force->source.config);
}

static struct log_field
field_of(const char *name, const struct buf *text)
{
	return (struct log_field){ name,
				   text->len > 0 ? (struct str){ text->data, text->len } : STR(""),
				   0 };
}

static struct log_field
optional(bool present, struct log_field field)
{
	return present ? field : (struct log_field){ 0 };
}

/* From where the policy was read, what it says, what it strands, and what of it does not count. */
static void
write_log(struct policy_in_force *force, bool judged)
{
	const struct policy_source *source = &force->source;
	const struct policy_summary *summary = engine_policy(force->engine);
	struct strands strands = engine_strands(force->engine);
	struct buf agents = { 0 }, owners = { 0 };
	bool read = source->count > 0;

	policy_report_agents(summary, &agents);
	policy_report_owners(summary, &owners);
	log_line(
	    LOG_INFO,
	    log_msg(read ? "policy read" : "there is no policy file, routing by the empty policy"),
	    optional(read, log_text("file", source->config)),
	    optional(read, log_number("files", (long long)source->count)),
	    optional(read, log_text("hash", source->hash)),
	    (struct log_field){ "dmScope", summary->dm_scope, 0 }, field_of("agents", &agents),
	    field_of("owners", &owners),
	    optional(judged, log_number("strandedSessions", (long long)strands.sessions)),
	    optional(judged, log_number("strandedEvents", (long long)strands.events)));
	if (source->warning.code != ERROR_NONE)
		log_failure(LOG_WARN, "the policy's env block is left out", &source->warning);
	buf_clear(&agents);
	buf_clear(&owners);
	force->unlogged = false;
}

/* The line of the policy before is written now, if it is still due: without what it stranded. */
static void
adopt(struct policy_in_force *force, struct policy *policy, struct policy_source *source)
{
	if (force->unlogged)
		write_log(force, false);
	policy_source_clear(&force->source);
	force->source = *source; /* moved */
	force->loaded_ms = clock_now().wall_ms;
	force->reloads++;
	force->unlogged = true;
	engine_set_policy(force->engine, policy);
	force->changed(force->changed_arg);
}

int
policy_in_force_reload(struct policy_in_force *force, bool *changed, struct error *err)
{
	struct policy_source source;
	struct policy *policy;

	policy_watch_forget(force->watch);
	if (policy_in_force_read(force, &policy, &source, err) != 0) {
		force->last_error = *err;
		force->last_error_ms = clock_now().wall_ms;
		log_failure(LOG_ERROR, "policy not reloaded, the old one stays", err);
		return -1;
	}
	force->last_error = (struct error){ 0 };
	force->read_ms = clock_now().wall_ms;
	policy_watch_set(force->watch, &source);
	*changed = !policy_source_same(&source, &force->source);
	if (*changed) {
		adopt(force, policy, &source);
	} else {
		policy_source_clear(&source);
		policy_free(policy);
	}
	return 0;
}

struct str
policy_in_force_hash(const struct policy_in_force *force)
{
	return force->source.count > 0 ? str_of(force->source.hash) : STR_NULL;
}

void
policy_in_force_log(struct policy_in_force *force)
{
	if (force->unlogged && engine_strands(force->engine).complete)
		write_log(force, true);
}
