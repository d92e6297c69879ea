/*
 * steady.c - three clocks out of two: the kernel's wall clock and its boot clock.
 *
 * While the machine runs, steady time is the boot clock less a constant. The wall clock is compared
 * with it at each reading; where it has moved against the steady clock, a new mark says by how
 * much.
 */
#include "queue/steady.h"

/*
 * A smaller difference makes no new mark: two clocks are not read at the same moment, and while the
 * wall clock catches up with the newest stamp there would be a mark for each batch. So the steady
 * time that follows from a row's stamp is off by as much, at the most.
 */
#define SKEW_MS 200

static int64_t
distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* Makes the newest mark, for rows with these ids or higher, unless it is as it should be. */
static void
set_mark(struct steady *steady, struct clock_mark mark)
{
	if (steady->unstored)
		steady->marks.count--;
	clock_marks_add(&steady->marks, &mark);
	steady->unstored = true;
}

void
steady_begin(struct steady *steady, const struct clock *now)
{
	*steady = (struct steady){ .stamp_ms = now->wall_ms,
				   .steady_ms = now->wall_ms,
				   .boot_ms = now->boot_ms };
	set_mark(steady, (struct clock_mark){ .event = 1,
					      .outcome = 1,
					      .boot_id = now->boot_id,
					      .boot_ahead_ms = now->boot_ms - now->wall_ms });
}

void
steady_clear(struct steady *steady)
{
	clock_marks_clear(&steady->marks);
}

static void
note_jump(struct steady *steady, int64_t by_ms)
{
	if (distance(by_ms, 0) <= STAMP_BEHIND_MS)
		return;
	steady->jumps++;
	steady->last_jump_ms = by_ms;
}

/* The stamp for now, from the wall clock. */
static int64_t
next_stamp(const struct steady *steady, int64_t wall_ms)
{
	bool behind = wall_ms < steady->stamp_ms && steady->stamp_ms - wall_ms <= STAMP_BEHIND_MS;

	return behind ? steady->stamp_ms : wall_ms;
}

int64_t
steady_now_ms(const struct steady *steady, int64_t boot_ms)
{
	int64_t steady_ms = boot_ms - clock_marks_newest(&steady->marks).boot_ahead_ms;

	return steady_ms > steady->steady_ms ? steady_ms : steady->steady_ms;
}

void
steady_read(struct steady *steady, const struct clock *now, int64_t event, int64_t outcome)
{
	struct clock_mark mark = clock_marks_newest(&steady->marks);

	steady->boot_ms = now->boot_ms;
	steady->steady_ms = steady_now_ms(steady, now->boot_ms);
	int64_t expected_ms = steady->steady_ms + mark.ahead_ms;
	steady->stamp_ms = next_stamp(steady, now->wall_ms);
	if (distance(steady->stamp_ms, expected_ms) <= SKEW_MS)
		return;
	note_jump(steady, steady->stamp_ms - expected_ms);
	mark.event = event;
	mark.outcome = outcome;
	mark.ahead_ms = steady->stamp_ms - steady->steady_ms;
	set_mark(steady, mark);
}

/*
 * The boot clock says how much time has passed, if this is still the kernel's run that the newest
 * mark is about. Else the wall clock does; what it says is not proven. A wall clock that went back
 * says nothing: then no time has passed.
 */
static void
continue_after_boot(struct steady *steady, const struct steady_stored *stored,
		    const struct clock *now)
{
	struct clock_mark mark = clock_marks_newest(&steady->marks);
	int64_t passed_ms = now->wall_ms - (stored->steady_ms + mark.ahead_ms);

	if (passed_ms > 0) {
		steady->steady_ms += passed_ms;
		mark.unproven_ms += passed_ms;
	}
	mark.event = stored->event;
	mark.outcome = stored->outcome;
	mark.boot_id = now->boot_id;
	mark.boot_ahead_ms = now->boot_ms - steady->steady_ms;
	set_mark(steady, mark);
}

void
steady_continue(struct steady *steady, const struct steady_stored *stored, const struct clock *now)
{
	struct clock_mark mark = clock_marks_newest(stored->marks);
	bool same_boot = mark.boot_id == now->boot_id && mark.boot_id != 0;

	steady_clear(steady);
	*steady = (struct steady){ .stamp_ms = stored->stamp_ms,
				   .steady_ms = stored->steady_ms,
				   .boot_ms = now->boot_ms };
	for (size_t i = 0; i < stored->marks->count; i++)
		clock_marks_add(&steady->marks, &stored->marks->items[i]);
	/* the slack: what is stored of steady time may be early or late by SKEW_MS */
	if (!same_boot || now->boot_ms - mark.boot_ahead_ms < stored->steady_ms - 2 * SKEW_MS)
		continue_after_boot(steady, stored, now);
	steady_read(steady, now, stored->event, stored->outcome);
}

int64_t
steady_proven_ms(const struct steady *steady)
{
	return steady->steady_ms - clock_marks_newest(&steady->marks).unproven_ms;
}

int64_t
steady_of_event(const struct steady *steady, int64_t event, int64_t stamp_ms)
{
	return stamp_ms - clock_marks_of_event(&steady->marks, event).ahead_ms;
}

int64_t
steady_of_outcome(const struct steady *steady, int64_t outcome, int64_t stamp_ms)
{
	return stamp_ms - clock_marks_of_outcome(&steady->marks, outcome).ahead_ms;
}
