/*
 * sevq run - a heartbeat runner for scripts: wait, lease, give the events to the command, ack or
 * give back, and again.
 *
 * What makes it safe is the order. Events are acked only after the command has ended well; whatever
 * happens before that, to the command, to this process or to the server, the lease runs out and the
 * events come again. So a command may see an event more than once, and never loses one.
 *
 * A failure of the command is not a failure of the event. Exit code 75 says that the failure is
 * temporary: everything is given back and no attempt is counted. When a run with several events
 * fails, nobody knows which of them made it fail: all are given back uncounted and the next run
 * gets half as many, down to one. Only an event that fails alone collects an attempt and is delayed
 * by its own back-off; good events are acked meanwhile, and the runs grow again.
 *
 * Stop signals are blocked from before the lease until after the ack, and taken at chosen places in
 * between. While the runner only waits for events, a stop signal ends it at once (child.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <unistd.h>

#include "client/buffer.h"
#include "client/clock.h"
#include "client/command/hold.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/spacing.h"
#include "client/command/table.h"
#include "client/json.h"
#include "schema/characters.h"

#define LIMIT_DEFAULT 20
#define ATTEMPTS_MAX 255
#define LEASE_MS_DEFAULT 60000
#define WAIT_MS 30000 /* of one call */
#define BACKOFF_MS_DEFAULT 1000
#define BACKOFF_MAX_MS_DEFAULT (60 * 60 * 1000)
#define REST_MAX_MS 60000    /* of the runner itself, after failures in a row */
#define EXTEND_AGAIN_MS 1000 /* when the server could not be told */
#define KILL_AFTER_MS 10000  /* a command that has been told to end and does not */
#define PASSED_BY_MS 50      /* when another consumer was faster: doubling up to */
#define PASSED_BY_MAX_MS 1000

/* How one run of the command ended. */
enum outcome {
	NOTHING,     /* there was no event, or the runner stops: the command did not run */
	WELL,        /* the events are acked */
	FAILED,      /* exit code other than 0 and 75, or a signal */
	TEMPORARY,   /* exit code 75 */
	INTERRUPTED, /* by the signal that stops the runner, or not started */
};

struct rounds {
	struct sevq_runner runner;
	struct sevq_spacing spacing;
	size_t limit, width; /* most events of a run: as asked for (--limit), and at present */
	unsigned failures;   /* runs in a row that failed with one event, or temporarily */
	unsigned passed_by;  /* times in a row that the events were gone when they were leased */
	bool rest;           /* whether the runner rests before the next run */
	bool told_command;   /* a second stop signal was passed on to the command */
	bool timed_out;      /* the last run of the command was ended for taking too long */
	char reason[64];     /* how it ended: "exit 3", "signal 9" */
};

/* --- what the command reads --- */

/* The events as JSON, in one line: the array of the server's answer. */
static void
write_json(const struct sevq_hold *hold, struct sevq_buffer *out)
{
	cJSON *root = sevq_json_parse(hold->json, strlen(hold->json));
	char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "events"));

	sevq_buffer_adds(out, sevq_allocated(text));
	sevq_buffer_adds(out, "\n");
	cJSON_free(text);
	cJSON_Delete(root);
}

/* Writes an event as the server's prompt has them: "System: [time] line", then "System: line". */
static void
write_plain(const struct sevq_event *event, struct sevq_buffer *out)
{
	const char *text = event->text;
	size_t left = strlen(text), len;
	char time[SEVQ_TIME_BYTES];

	sevq_buffer_addf(out, "System: [%s] ", sevq_time_text(event->ts_ms, time));
	for (; left > 0; text += len, left -= len) {
		len = line_break_bytes(text, left);
		if (len > 0) {
			sevq_buffer_adds(out, "\nSystem: ");
			continue;
		}
		len = bytes_before_line_break(text, left);
		len = len > 0 ? len : 1;
		sevq_buffer_add(out, text, len);
	}
	sevq_buffer_adds(out, "\n");
}

static bool
is_left_out(const struct sevq_lease *lease, const struct sevq_event *event)
{
	size_t i;

	for (i = 0; i < lease->left_out_count; i++)
		if (strcmp(lease->left_out[i], event->id) == 0)
			return true;
	return false;
}

/* The server's lines, then the events that its prompt leaves out: nothing is acked unseen. */
static void
write_prompt(const struct sevq_lease *lease, struct sevq_buffer *out)
{
	size_t i;

	if (lease->block != NULL)
		sevq_buffer_addf(out, "%s\n", lease->block);
	for (i = 0; i < lease->count; i++)
		if (is_left_out(lease, lease->events[i]))
			write_plain(lease->events[i], out);
}

static void
write_input(const struct rounds *rounds, const struct sevq_hold *hold, struct sevq_buffer *input)
{
	if (rounds->runner.options->json)
		write_json(hold, input);
	else
		write_prompt(hold->lease, input);
	if (input->failed)
		sevq_exit_out_of_memory();
}

/* --- one run of the command --- */

static void
set_environment(const struct sevq_lease *lease)
{
	char count[24];

	snprintf(count, sizeof(count), "%zu", lease->count);
	if (setenv("SEVQ_SESSION_KEY", lease->session_key, 1) != 0 ||
	    setenv("SEVQ_EVENT_COUNT", count, 1) != 0 ||
	    setenv("SEVQ_LEASE_ID", lease->lease_id, 1) != 0)
		sevq_exit_out_of_memory();
}

/* The first signal asks the runner to stop after this run; the next is passed on to the command. */
static void
on_stop_signal(struct rounds *rounds, int number, pid_t pid)
{
	if (rounds->runner.stopped_by == 0)
		sevq_say(stderr, "sevq: stopping when the command has ended; a second signal goes "
				 "to the command");
	if (sevq_runner_note_stop(&rounds->runner, number)) {
		kill(-pid, number);
		rounds->told_command = true;
	}
}

/* When the command has taken too long, and the signal that tells it so. */
struct patience {
	int64_t until_ms; /* INT64_MAX: it may take as long as it likes */
	int signal;
};

static struct patience
begin_patience(const struct sevq_options *options)
{
	return (struct patience){ options->timeout_ms != 0
				      ? sevq_clock_monotonic_ms() + options->timeout_ms
				      : INT64_MAX,
				  SIGTERM };
}

/* First the command may put things in order; then it is killed. */
static void
lose_patience(struct rounds *rounds, struct patience *patience, pid_t pid)
{
	kill(-pid, patience->signal);
	patience->until_ms =
	    patience->signal == SIGTERM ? sevq_clock_monotonic_ms() + KILL_AFTER_MS : INT64_MAX;
	patience->signal = SIGKILL;
	rounds->timed_out = true;
}

/* Waits up to that moment for a signal; 0: none came. */
static int
await_until(const struct sevq_runner *runner, int64_t at_ms)
{
	int64_t left_ms = at_ms - sevq_clock_monotonic_ms();

	if (at_ms == INT64_MAX)
		left_ms = -1;
	else if (left_ms < 0)
		left_ms = 0;
	return sevq_signals_await(&runner->signals.heard, left_ms);
}

/* Waits for the end of the command and keeps the lease meanwhile. Returns the command's status. */
static int
watch(struct rounds *rounds, struct sevq_hold *hold, pid_t pid)
{
	struct sevq_runner *runner = &rounds->runner;
	int64_t third_ms = runner->lease_ms / 3,
		again_ms = third_ms < EXTEND_AGAIN_MS ? third_ms : EXTEND_AGAIN_MS;
	int64_t extend_at_ms = hold->until_ms - runner->lease_ms + third_ms, at_ms;
	struct patience patience = begin_patience(runner->options);
	int number, status;

	rounds->timed_out = false;
	for (;;) {
		at_ms = hold->lost || patience.until_ms < extend_at_ms ? patience.until_ms
								       : extend_at_ms;
		number = await_until(runner, at_ms);
		if (number == SIGCHLD) {
			if (waitpid(pid, &status, WNOHANG) == pid)
				return status;
		} else if (number != 0) {
			on_stop_signal(rounds, number, pid);
		} else if (sevq_clock_monotonic_ms() >= patience.until_ms) {
			lose_patience(rounds, &patience, pid);
		} else if (sevq_clock_monotonic_ms() >= at_ms) {
			extend_at_ms = sevq_clock_monotonic_ms() +
				       (sevq_hold_extend(hold, runner) ? third_ms : again_ms);
		}
	}
}

/* Writes how the command ended: "exit 3", "signal 9", "signal 15 after 300 s". */
static void
explain(struct rounds *rounds, int status)
{
	int len;

	if (WIFSIGNALED(status))
		len =
		    snprintf(rounds->reason, sizeof(rounds->reason), "signal %d", WTERMSIG(status));
	else
		len = snprintf(rounds->reason, sizeof(rounds->reason), "exit %d",
			       WEXITSTATUS(status));
	if (rounds->timed_out)
		snprintf(rounds->reason + len, sizeof(rounds->reason) - (size_t)len,
			 ", timed out after %g s",
			 (double)rounds->runner.options->timeout_ms / 1000);
}

static enum outcome
judge(const struct rounds *rounds, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return WELL;
	if (!rounds->timed_out &&
	    (rounds->told_command ||
	     (WIFSIGNALED(status) && WTERMSIG(status) == rounds->runner.stopped_by)))
		return INTERRUPTED;
	return WIFEXITED(status) && WEXITSTATUS(status) == SEVQ_EXIT_TRY_AGAIN ? TEMPORARY : FAILED;
}

static int64_t
backoff_ms(const struct rounds *rounds, unsigned count)
{
	const struct sevq_options *options = rounds->runner.options;

	return sevq_backoff_ms(
	    count, options->backoff_ms != 0 ? options->backoff_ms : BACKOFF_MS_DEFAULT,
	    options->backoff_max_ms != 0 ? options->backoff_max_ms : BACKOFF_MAX_MS_DEFAULT);
}

/* A server counts no more than ATTEMPTS_MAX. */
static unsigned
next_attempt(const struct sevq_event *event)
{
	if (event->attempts < 0)
		return 1;
	return event->attempts < ATTEMPTS_MAX ? (unsigned)event->attempts + 1 : ATTEMPTS_MAX;
}

/* The event failed alone: it comes again after its own back-off. */
static void
count_attempt(struct rounds *rounds, struct sevq_hold *hold)
{
	const struct sevq_event *event = hold->lease->events[0];
	const unsigned attempt = next_attempt(event);
	struct sevq_nack_options options;

	sevq_nack_options_init(&options);
	options.reason = rounds->reason;
	options.delay_ms = backoff_ms(rounds, attempt);
	sevq_say(stderr, "sevq: event %s failed (%s, attempt %u); it is tried again in %.1f s",
		 event->id, rounds->reason, attempt, (double)options.delay_ms / 1000);
	sevq_hold_nack(hold, &rounds->runner, &options);
}

/* Acks the events that the command got, or gives them back. */
static void
settle(struct rounds *rounds, struct sevq_hold *hold, enum outcome outcome)
{
	if (outcome == WELL)
		sevq_hold_ack(hold, &rounds->runner);
	else if (outcome == FAILED && hold->lease->count == 1)
		count_attempt(rounds, hold);
	else
		sevq_hold_give_back(hold, &rounds->runner, rounds->reason);
	if (hold->lost || (outcome != WELL && (outcome != FAILED || hold->lease->count == 1)))
		rounds->runner.result = SEVQ_EXIT_FAILED;
}

/*
 * Whether a later attempt to start the command may succeed: not if it does not exist or must not
 * be executed.
 */
static bool
may_start_later(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE ||
	       error == ETXTBSY;
}

static enum outcome
fail_to_start(struct rounds *rounds, struct sevq_hold *hold, int error)
{
	sevq_say(stderr, "sevq: %s: %s", rounds->runner.command[0], strerror(error));
	sevq_hold_give_back(hold, &rounds->runner, "the command could not be started");
	rounds->runner.result = SEVQ_EXIT_FAILED;
	snprintf(rounds->reason, sizeof(rounds->reason), "not started");
	if (may_start_later(error))
		return TEMPORARY;
	rounds->runner.over = true;
	return INTERRUPTED;
}

/* Runs the command for the events that are held, and acks them or gives them back. */
static enum outcome
run_command(struct rounds *rounds, struct sevq_hold *hold)
{
	struct sevq_buffer input = { 0 };
	enum outcome outcome;
	int status;
	pid_t pid;

	write_input(rounds, hold, &input);
	set_environment(hold->lease);
	sevq_spacing_note_start(&rounds->spacing);
	pid = sevq_child_start(&rounds->runner.signals, rounds->runner.command,
			       sevq_buffer_text(&input), input.len);
	sevq_buffer_clear(&input);
	if (pid < 0)
		return fail_to_start(rounds, hold, errno);
	status = watch(rounds, hold, pid);
	explain(rounds, status);
	outcome = judge(rounds, status);
	settle(rounds, hold, outcome);
	return outcome;
}

/* --- rounds --- */

/*
 * Rests after failures, so that a command whose backend is down is not run in a tight loop. The
 * rest is at most a minute, shorter than an event's back-off can be: once the backend is up again,
 * events are delivered within that minute.
 */
static int64_t
rest_ms(const struct rounds *rounds)
{
	int64_t ms = backoff_ms(rounds, rounds->failures);

	return ms < REST_MAX_MS ? ms : REST_MAX_MS;
}

static void
rest(struct rounds *rounds)
{
	if (rounds->rest)
		sevq_runner_sleep(&rounds->runner, rest_ms(rounds));
	rounds->rest = false;
}

/* Leases at most limit events and runs the command for them; *count: how many it got. */
static enum outcome
run_once(struct rounds *rounds, size_t limit, size_t *count)
{
	struct sevq_runner *runner = &rounds->runner;
	enum outcome outcome = NOTHING;
	struct sevq_hold hold;

	rest(rounds);
	sevq_hold_take(&hold, runner, limit);
	sevq_runner_note_stop(runner, sevq_signals_await(&runner->signals.stop, 0));
	*count = sevq_hold_is_empty(&hold) ? 0 : hold.lease->count;
	if (*count > 0 && runner->stopped_by != 0)
		sevq_hold_give_back(&hold, runner, "the runner was stopped");
	else if (*count > 0)
		outcome = run_command(rounds, &hold);
	sevq_hold_clear(&hold);
	return outcome;
}

/* Says what failed where no event is at fault, and when the events are tried again. */
static void
report_given_back(const struct rounds *rounds, enum outcome outcome, size_t count)
{
	const char *events = count == 1 ? "event" : "events";

	if (outcome == FAILED)
		sevq_say(stderr,
			 "sevq: %zu events failed together (%s); they are tried again now, "
			 "at most %zu at a time",
			 count, rounds->reason, rounds->width);
	else if (rounds->rest)
		sevq_say(stderr,
			 "sevq: the command could not take %zu %s now (%s); it is tried "
			 "again in %.1f s",
			 count, events, rounds->reason, (double)rest_ms(rounds) / 1000);
	else
		sevq_say(stderr, "sevq: the command could not take %zu %s now (%s)", count, events,
			 rounds->reason);
}

/* Learns from a run how many events the next one gets, and whether the runner rests before it. */
static void
adapt(struct rounds *rounds, enum outcome outcome, size_t count)
{
	if (outcome == WELL) {
		rounds->failures = 0;
		rounds->width =
		    2 * rounds->width < rounds->limit ? 2 * rounds->width : rounds->limit;
	} else if (outcome == FAILED && count > 1) {
		rounds->width = count / 2;
		report_given_back(rounds, outcome, count);
	} else if (outcome == FAILED || outcome == TEMPORARY) {
		rounds->failures++;
		rounds->rest = !rounds->runner.options->once;
		if (outcome == TEMPORARY)
			report_given_back(rounds, outcome, count);
	}
}

/*
 * Does one round: takes the events that are deliverable now, up to the limit, in one run or, where
 * that fails, in several. False: there was none.
 */
static bool
run_round(struct rounds *rounds)
{
	size_t todo = rounds->limit, count, first = 0;
	enum outcome outcome;

	rounds->runner.result = SEVQ_EXIT_DONE;
	do {
		outcome = run_once(rounds, todo < rounds->width ? todo : rounds->width, &count);
		adapt(rounds, outcome, count);
		if (first == 0)
			todo = first = count;
		if (outcome != FAILED || count == 1)
			todo -= count < todo ? count : todo;
	} while (todo > 0 && (outcome == WELL || outcome == FAILED) &&
		 !sevq_runner_stops(&rounds->runner));
	return first > 0;
}

/* Waits until there may be events to run the command for. */
static void
wait_for_events(struct rounds *rounds)
{
	while (!rounds->runner.over && sevq_runner_wait(&rounds->runner, WAIT_MS, false) == 0)
		;
	if (!rounds->runner.over)
		sevq_spacing_wait(&rounds->spacing, &rounds->runner);
}

static enum sevq_exit
run_rounds(struct rounds *rounds)
{
	struct sevq_runner *runner = &rounds->runner;
	const struct sevq_options *options = runner->options;
	int64_t count = 0;

	while (!sevq_runner_stops(runner)) {
		if (!options->once)
			wait_for_events(rounds);
		if (runner->over)
			break;
		if (run_round(rounds)) {
			rounds->passed_by = 0;
			if (options->once || ++count == options->max_rounds)
				break;
		} else if (options->once && !sevq_runner_stops(runner)) {
			return SEVQ_EXIT_NOTHING;
		} else if (!runner->over) {
			sevq_runner_sleep(runner, sevq_backoff_ms(++rounds->passed_by, PASSED_BY_MS,
								  PASSED_BY_MAX_MS));
		}
	}
	return runner->stopped_by != 0 && !runner->over ? SEVQ_EXIT_DONE : runner->result;
}

/* The consumer's name in the history of events. */
static void
name_consumer(struct sevq_runner *runner)
{
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(runner->consumer, sizeof(runner->consumer), "sevq run, %s, %ld", host,
		 (long)getpid());
}

/*
 * Takes KEY, unless an option has named the session, and the command. False: there is no command.
 */
static bool
take_arguments(struct sevq_runner *runner, struct sevq_options *options)
{
	int first = 0;

	if (options->address.session_key == NULL && options->address.agent_id == NULL)
		options->address.session_key = options->arguments[first++];
	runner->command = options->arguments + first;
	return first < options->argument_count;
}

enum sevq_exit
sevq_run_run(struct sevq_client *client, struct sevq_options *options)
{
	struct rounds rounds = { .runner = { .client = client, .options = options } };

	if (!take_arguments(&rounds.runner, options))
		return sevq_report_usage(
		    "which command is to run? sevq run KEY -- COMMAND [ARG...]");
	if (options->max_per_minute > SEVQ_STARTS_MAX)
		return sevq_report_usage("--max-per-minute is at most %d", SEVQ_STARTS_MAX);
	rounds.runner.lease_ms = options->lease_ms != 0 ? options->lease_ms : LEASE_MS_DEFAULT;
	rounds.limit = options->limit != 0 ? (size_t)options->limit : LIMIT_DEFAULT;
	rounds.width = rounds.limit;
	name_consumer(&rounds.runner);
	sevq_signals_begin(&rounds.runner.signals);
	return run_rounds(&rounds);
}
