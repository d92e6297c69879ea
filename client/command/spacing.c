/*
 * spacing.c - the waits between runs of the command.
 *
 * Each wait is a wait at the server for events with wake "now", so that these are never late. The
 * debounce ends when nothing has come for its time; since events may come without end, it lasts at
 * most DEBOUNCES_MAX times as long.
 */
#include "client/command/spacing.h"

#include "client/clock.h"

#define DEBOUNCES_MAX 10
#define MINUTE_MS 60000
#define WAIT_MS_MAX (5 * 60 * 1000) /* of one call */

/* The start that was n starts before the next one; n is at most SEVQ_STARTS_MAX. 0: none was. */
static int64_t
start_ms(const struct sevq_spacing *spacing, size_t n)
{
	return n <= spacing->count ? spacing->starts_ms[(spacing->count - n) % SEVQ_STARTS_MAX] : 0;
}

/* The first moment at which --min-interval and --max-per-minute allow a start. */
static int64_t
allowed_ms(const struct sevq_spacing *spacing, const struct sevq_options *options)
{
	int64_t last_ms = start_ms(spacing, 1), at_ms = 0, minute_ms;

	if (last_ms > 0)
		at_ms = last_ms + options->min_interval_ms;
	if (options->max_per_minute > 0) {
		minute_ms = start_ms(spacing, (size_t)options->max_per_minute);
		if (minute_ms > 0 && minute_ms + MINUTE_MS > at_ms)
			at_ms = minute_ms + MINUTE_MS;
	}
	return at_ms;
}

/* Waits until at_ms; true: something with wake "now" is there before. */
static bool
wait_until(struct sevq_runner *runner, int64_t at_ms)
{
	int64_t left_ms;

	while (!runner->over && (left_ms = at_ms - sevq_clock_monotonic_ms()) > 0)
		if (sevq_runner_wait(runner, left_ms < WAIT_MS_MAX ? left_ms : WAIT_MS_MAX, true) >
		    0)
			return true;
	return false;
}

static void
debounce(struct sevq_runner *runner)
{
	int64_t quiet_ms = runner->options->debounce_ms;
	int64_t end_ms = sevq_clock_monotonic_ms() + DEBOUNCES_MAX * quiet_ms;
	size_t before, count = sevq_runner_wait(runner, 0, false);

	do {
		before = count;
		if (wait_until(runner, sevq_clock_monotonic_ms() + quiet_ms))
			return;
		count = sevq_runner_wait(runner, 0, false);
	} while (!runner->over && count != before && sevq_clock_monotonic_ms() < end_ms);
}

void
sevq_spacing_wait(const struct sevq_spacing *spacing, struct sevq_runner *runner)
{
	if (runner->options->debounce_ms > 0)
		debounce(runner);
	wait_until(runner, allowed_ms(spacing, runner->options));
}

void
sevq_spacing_note_start(struct sevq_spacing *spacing)
{
	spacing->starts_ms[spacing->count++ % SEVQ_STARTS_MAX] = sevq_clock_monotonic_ms();
}
