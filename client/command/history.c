/*
 * sevq show, history, dead-letters - what has happened to events.
 */
#include <stdlib.h>

#include <unistd.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"

static const char *
time_title(void)
{
	return isatty(STDOUT_FILENO) ? "AGE" : "TIME";
}

/* Adds a cell with what an entry of the timeline says besides its name: "lease 12: exit 3". */
static void
add_detail(struct sevq_table *table, const struct sevq_happening *happening)
{
	struct sevq_buffer text = { 0 };

	if (happening->lease_id != NULL)
		sevq_buffer_addf(&text, "lease %s", happening->lease_id);
	if (happening->original_session_key != NULL)
		sevq_buffer_addf(&text, "from %s", happening->original_session_key);
	if (happening->from != NULL)
		sevq_buffer_addf(&text, "from %s to %s", happening->from,
				 happening->to != NULL ? happening->to : "?");
	if (happening->rule != NULL)
		sevq_buffer_addf(&text, " by %s", happening->rule);
	if (happening->detail != NULL)
		sevq_buffer_addf(&text, "%s%s", text.len > 0 ? ": " : "", happening->detail);
	if (happening->times > 1)
		sevq_buffer_addf(&text, " (%lld times)", (long long)happening->times);
	sevq_table_add(table, sevq_buffer_text(&text));
	if (text.failed)
		sevq_exit_out_of_memory();
	sevq_buffer_clear(&text);
}

static void
add_pair(struct sevq_table *table, const char *label, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	sevq_table_add(table, label);
	sevq_table_add(table, value);
}

static void
add_time(struct sevq_table *table, const char *label, int64_t time_ms)
{
	char text[SEVQ_TIME_BYTES];

	if (time_ms != 0)
		add_pair(table, label, sevq_time_text(time_ms, text));
}

/* "channel telegram to 123 account default thread 5" */
static void
add_delivery(struct sevq_table *table, const struct sevq_delivery *delivery)
{
	struct sevq_buffer text = { 0 };
	const struct {
		const char *name, *value;
	} parts[] = { { "channel", delivery->channel },
		      { "to", delivery->to },
		      { "account", delivery->account_id },
		      { "thread", delivery->thread_id } };
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].value != NULL)
			sevq_buffer_addf(&text, "%s%s %s", text.len > 0 ? " " : "", parts[i].name,
					 parts[i].value);
	add_pair(table, "delivery", sevq_buffer_text(&text));
	if (text.failed)
		sevq_exit_out_of_memory();
	sevq_buffer_clear(&text);
}

static void
print_event(const struct sevq_event *event)
{
	static const struct sevq_column pair[] = { { "", false }, { "", false } };
	struct sevq_table table;
	char attempts[24];

	snprintf(attempts, sizeof(attempts), "%lld", (long long)event->attempts);
	sevq_table_init(&table, pair, sizeof(pair) / sizeof(pair[0]));
	table.wraps = true;
	add_pair(&table, "event", event->id);
	add_pair(&table, "queue", event->session_key);
	if (event->original_session_key != NULL &&
	    strcmp(event->original_session_key, event->session_key) != 0) {
		add_pair(&table, "sent to", event->original_session_key);
		add_pair(&table, "rule", event->rule);
	}
	add_pair(&table, "state", event->state);
	add_pair(&table, "attempts", attempts);
	add_pair(&table, "context key", event->context_key);
	add_pair(&table, "source", event->source);
	add_pair(&table, "wake", event->wake);
	if (event->delivery != NULL)
		add_delivery(&table, event->delivery);
	add_time(&table, "queued", event->ts_ms);
	add_time(&table, "available", event->available_at_ms);
	add_time(&table, "expires", event->expires_at_ms);
	add_pair(&table, "traceparent", event->traceparent);
	add_pair(&table, "text", event->text);
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

static void
print_story(const struct sevq_story *story)
{
	const struct sevq_column columns[] = { { time_title(), true },
					       { "WHAT", false },
					       { "DETAIL", false } };
	struct sevq_table table;
	size_t i;

	print_event(story->event);
	sevq_say(stdout, "%s", "");
	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	table.wraps = true;
	for (i = 0; i < story->timeline_count; i++) {
		sevq_table_add_time(&table, story->timeline[i]->ts_ms);
		sevq_table_add(&table, story->timeline[i]->what);
		add_detail(&table, story->timeline[i]);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

/* On standard error, so that standard output holds nothing but the page. */
static void
print_next_page(const char *next_cursor)
{
	fflush(stdout);
	if (next_cursor != NULL)
		sevq_say(stderr, "the next page: --cursor %s", next_cursor);
}

enum sevq_exit
sevq_run_show(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_story *story;

	if (sevq_find_page(client, options->arguments[0], (size_t)options->limit, options->cursor,
			   &story) != SEVQ_OK)
		return sevq_report(client);
	if (options->json) {
		sevq_print_json(client);
	} else {
		print_story(story);
		print_next_page(story->next_cursor);
	}
	sevq_free(story);
	return SEVQ_EXIT_DONE;
}

static void
print_history(const struct sevq_history *history)
{
	const struct sevq_column columns[] = { { "ID", true },      { time_title(), true },
					       { "WHAT", false },   { "SESSION", false },
					       { "DETAIL", false }, { "TEXT", false } };
	struct sevq_table table;
	size_t i;

	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (i = 0; i < history->count; i++) {
		const struct sevq_past *past = history->events[i];

		sevq_table_add(&table, past->event->id);
		sevq_table_add_time(&table, past->outcome->ts_ms);
		sevq_table_add(&table, past->outcome->what);
		sevq_table_add(&table, past->event->session_key);
		add_detail(&table, past->outcome);
		sevq_table_add(&table, past->event->text);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

/* Prints a page and frees it. */
static enum sevq_exit
show(const struct sevq_client *client, const struct sevq_options *options,
     struct sevq_history *history, const char *none)
{
	enum sevq_exit result = history->count > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
	size_t i;

	if (options->json) {
		sevq_print_json(client);
	} else if (options->quiet) {
		for (i = 0; i < history->count; i++)
			sevq_say(stdout, "%s", history->events[i]->event->id);
	} else {
		print_history(history);
		fflush(stdout);
		if (history->count == 0)
			sevq_say(stderr, "%s", none);
		print_next_page(history->next_cursor);
	}
	sevq_free(history);
	return result;
}

enum sevq_exit
sevq_run_history(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_history_options filter;
	struct sevq_history *history;

	if (!sevq_take_optional_key(options))
		return SEVQ_EXIT_USAGE;
	sevq_history_options_init(&filter);
	filter.address = options->address;
	filter.state = options->state;
	filter.source = options->source;
	filter.reason = options->reason;
	filter.since_ms = options->since_ms;
	filter.until_ms = options->until_ms;
	filter.limit = (size_t)options->limit;
	filter.cursor = options->cursor;
	if (sevq_history(client, &filter, &history) != SEVQ_OK)
		return sevq_report(client);
	return show(client, options, history, "no events in the history");
}

enum sevq_exit
sevq_run_dead_letters(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_history *history;
	int ends =
	    options->requeue + options->requeue_all + options->discard + options->discard_all;

	if (ends > 1)
		return sevq_report_usage("give one of --requeue, --requeue-all, --discard and "
					 "--discard-all");
	if (options->requeue || options->requeue_all)
		return sevq_requeue_dead_letters(client, options);
	if (options->discard || options->discard_all)
		return sevq_discard_dead_letters(client, options);
	if (!sevq_take_optional_key(options))
		return SEVQ_EXIT_USAGE;
	if (sevq_dead_letters(client, &options->address, options->reason, (size_t)options->limit,
			      options->cursor, &history) != SEVQ_OK)
		return sevq_report(client);
	return show(client, options, history, "no dead letters");
}
